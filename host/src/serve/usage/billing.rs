//! Usage by the hour, as the protocol's billing answers tell it.

use super::{Line, State, Tokens};
use crate::{Error, Result, plan::Rates, serve::moment};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    path::Path,
};

/// Seconds.
const HOUR: i64 = 3600;

/// From the first hour to before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Begins here, in seconds since 1970.
    pub from: i64,
    /// Ends before this.
    pub until: i64,
}

/// Hour, base model, session.
type Key = (i64, String, Option<String>);

/// Buckets of an hour, a base model, a session and a kind of tokens. The file is read line by line, and
/// what is remembered is what is under way. Dollars are by the prices of today.
///
/// # Errors
/// `failed` with the place of a line that is damaged.
pub fn usage(path: &Path, hours: Hours, rates: impl Fn(&str) -> Rates) -> Result<Vec<Value>> {
    let mut buckets: BTreeMap<Key, Tokens> = BTreeMap::new();
    let mut add = |line: Line| {
        let Ok(time) = line.time.parse::<Timestamp>() else { return };
        let hour = time.as_second().div_euclid(HOUR) * HOUR;
        if (hours.from..hours.until).contains(&time.as_second()) {
            let key = (hour, line.subject.base, line.subject.session);
            let bucket = buckets.entry(key).or_default();
            bucket.train += line.tokens.train;
            bucket.prefill += line.tokens.prefill;
            bucket.sample += line.tokens.sample;
        }
    };
    let mut under_way = HashMap::new();
    read(path, |line| match line.state {
        State::Asked => drop(under_way.insert(line.op, line)),
        _ => {
            under_way.remove(&line.op);
            add(line);
        }
    })?;
    under_way.into_values().for_each(add);
    let mut all = Vec::new();
    for ((hour, base, session), tokens) in buckets {
        let rates = rates(&base);
        let kinds = [
            ("training", tokens.train, rates.train),
            ("sampling_prefill", tokens.prefill, rates.prefill),
            ("sampling_sample", tokens.sample, rates.sample),
        ];
        for (kind, tokens, rate) in kinds.into_iter().filter(|(_, tokens, _)| *tokens > 0) {
            let mut info = json!({"type": kind, "token_count": tokens});
            if kind == "sampling_prefill" {
                info["cached"] = json!(false);
            }
            all.push(json!({
                "bucket_start": moment::rfc3339(hour),
                "bucket_end": moment::rfc3339(hour + HOUR),
                "base_model": base,
                "session_id": session,
                "estimated_cost_usd": rate.map(|usd| usd * tokens as f64),
                "effective_rate_usd_per_million_tokens": rate.map(|usd| usd * 1e6),
                "event_info": info,
            }));
        }
    }
    Ok(all)
}

/// Every whole line. An absent file has none.
fn read(path: &Path, mut each: impl FnMut(Line)) -> Result<()> {
    let io = |e: std::io::Error| Error::io("read", path, &e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io(e)),
    };
    let (mut lines, mut text, mut number) = (BufReader::new(file), Vec::new(), 0);
    loop {
        text.clear();
        number += 1;
        lines.read_until(b'\n', &mut text).map_err(io)?;
        // A torn last line is of an operation that was never handed on.
        if text.pop() != Some(b'\n') {
            return Ok(());
        }
        each(serde_json::from_slice(&text).map_err(|e| {
            Error::failed(format!("the line is damaged: {e}"))
                .place(path, Some(number), Some(e.column() as u64))
                .hint("remove the line; what is counted does not depend on it")
        })?);
    }
}
