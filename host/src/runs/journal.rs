//! The journals beside a run record: one JSON object a line, only ever appended to.

use super::durable;
use crate::{Error, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

/// What a line of `metrics.jsonl` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// A training step.
    Step,
    /// The evaluation split.
    Eval,
}

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsLine {
    /// The attempt that wrote it.
    pub attempt: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// What it measures.
    pub kind: Measured,
    /// When, RFC 3339.
    pub time: String,
    /// Named figures.
    #[serde(flatten)]
    pub figures: BTreeMap<String, f64>,
}

/// Adds a line to a journal.
///
/// # Errors
/// `failed` that names the file.
pub fn append(path: &Path, line: &impl Serialize, sync: bool) -> Result<()> {
    let text = serde_json::to_string(line)
        .map_err(|e| Error::failed(format!("write `{}`: {e}", path.display())))?;
    durable::append_line(path, &text, sync)
}

/// Adds a line to `events.jsonl`: when, what, and its details.
///
/// # Errors
/// `failed` that names the file.
pub fn event(path: &Path, attempt: u32, what: &str, details: &Value) -> Result<()> {
    let line = json!({"time": super::now(), "attempt": attempt, "event": what, "details": details});
    append(path, &line, false)
}

/// Reads a journal. An absent file is empty; a torn last line is left out.
///
/// # Errors
/// `failed` with file and line where another line is damaged.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", path, &e)),
    };
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let lines = bytes[..whole].split(|b| *b == b'\n').enumerate();
    let mut read = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        read.push(serde_json::from_slice(line).map_err(|e| {
            Error::failed(format!("the line is damaged: {e}"))
                .place(path, Some(number as u64 + 1), Some(e.column() as u64))
                .hint("remove the line; the run record does not depend on it")
        })?);
    }
    Ok(read)
}

/// Reads `metrics.jsonl` as one history: where an attempt began again at a step, what an earlier
/// attempt wrote from that step on is left out.
///
/// # Errors
/// As [`read`].
pub fn read_metrics(path: &Path) -> Result<Vec<MetricsLine>> {
    let mut history: BTreeMap<(u64, Measured), MetricsLine> = BTreeMap::new();
    let mut attempt = 0;
    for line in read::<MetricsLine>(path)? {
        if line.attempt > attempt {
            attempt = line.attempt;
            history.retain(|(step, _), _| *step < line.step);
        }
        history.insert((line.step, line.kind), line);
    }
    Ok(history.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(attempt: u32, step: u64, nll: f64) -> MetricsLine {
        MetricsLine {
            attempt,
            step,
            kind: Measured::Step,
            time: String::new(),
            figures: BTreeMap::from([("nll".into(), nll)]),
        }
    }

    #[test]
    fn a_later_attempt_takes_the_place_of_what_it_repeats() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        for l in [line(1, 1, 1.0), line(1, 2, 2.0), line(1, 3, 3.0), line(2, 2, 2.5)] {
            append(&path, &l, false).unwrap();
        }
        let read = read_metrics(&path).unwrap();
        assert_eq!(read, [line(1, 1, 1.0), line(2, 2, 2.5)]);
    }

    #[test]
    fn a_torn_last_line_is_tolerated_and_other_damage_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        assert!(read_metrics(&path).unwrap().is_empty());
        append(&path, &line(1, 1, 1.0), false).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"attempt\": 1, \"st"].concat()).unwrap();
        assert_eq!(read_metrics(&path).unwrap().len(), 1);
        fs::write(&path, [b"{oops}\n", &whole[..]].concat()).unwrap();
        let e = read_metrics(&path).unwrap_err();
        assert!(e.to_string().contains("metrics.jsonl:1:"), "{e}");
    }
}
