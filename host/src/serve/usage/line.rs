//! The lines of `usage.jsonl`.

use crate::{Error, Result, plan::Rates};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    ops::{Add, Sub},
    path::Path,
};

/// Bytes at the end of the file in which its last whole line lies.
const TAIL: u64 = 1 << 16;

/// Tokens by what is done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Read in training, forward passes included: once for each time that the model reads them.
    #[serde(rename = "train_tokens", skip_serializing_if = "is_zero")]
    pub train: u64,
    /// Read as the prompts of samples.
    #[serde(rename = "prefill_tokens", skip_serializing_if = "is_zero")]
    pub prefill: u64,
    /// Sampled.
    #[serde(rename = "sample_tokens", skip_serializing_if = "is_zero")]
    pub sample: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Tokens {
    /// All of them.
    pub fn all(self) -> u64 {
        self.kinds().iter().fold(0, |all, (_, tokens)| all.saturating_add(*tokens))
    }

    /// Their kinds, as the metrics name them.
    pub fn kinds(self) -> [(&'static str, u64); 3] {
        [("train", self.train), ("prefill", self.prefill), ("sample", self.sample)]
    }

    /// What they cost, in US dollars, where every price is known.
    pub fn usd(self, rates: Rates) -> Option<f64> {
        let prices = [rates.train, rates.prefill, rates.sample];
        self.kinds().iter().zip(prices).try_fold(0.0, |usd, ((_, tokens), price)| match tokens {
            0 => Some(usd),
            _ => Some(usd + *tokens as f64 * price?),
        })
    }
}

/// A sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Total {
    /// Tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// US dollars, as far as prices are known.
    pub usd: f64,
}

impl Add for Total {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        let (a, b) = (self.tokens, more.tokens);
        let tokens = Tokens {
            train: a.train.saturating_add(b.train),
            prefill: a.prefill.saturating_add(b.prefill),
            sample: a.sample.saturating_add(b.sample),
        };
        Self { tokens, usd: self.usd + more.usd }
    }
}

impl Sub for Total {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        let (a, b) = (self.tokens, less.tokens);
        let tokens = Tokens {
            train: a.train.saturating_sub(b.train),
            prefill: a.prefill.saturating_sub(b.prefill),
            sample: a.sample.saturating_sub(b.sample),
        };
        Self { tokens, usd: (self.usd - less.usd).max(0.0) }
    }
}

/// Whose an operation is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The model or the sampling session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The base model, as clients name it.
    #[serde(rename = "base_model")]
    pub base: String,
    /// `forward`, `forward_backward`, `sample`.
    pub operation: String,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is about to be handed to the trainer, and costs this at most.
    Asked,
    /// It was done, and cost this.
    Done,
    /// It was refused, and cost this: mostly nothing.
    Refused,
    /// What became of it is unknown: it counts as if it had been done.
    Lost,
}

/// A line. The last one of an operation counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When, RFC 3339.
    pub time: String,
    /// The number of the operation, the same on all of its lines.
    pub op: u64,
    /// What became of it.
    pub state: State,
    /// Whose it is.
    #[serde(flatten)]
    pub subject: Subject,
    /// Its tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// US dollars, where prices are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// All operations up to here, those that are under way in full.
    pub total: Total,
}

impl Line {
    /// The last whole line of the file. A torn one behind it is of an operation that was never handed on.
    ///
    /// # Errors
    /// `failed` that names the file.
    pub fn last(path: &Path) -> Result<Option<Self>> {
        let io = |e: std::io::Error| Error::io("read", path, &e);
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(e)),
        };
        let len = file.metadata().map_err(io)?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL))).map_err(io)?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail).map_err(io)?;
        let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
        let begin = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        serde_json::from_slice(&tail[begin..end]).map(Some).map_err(|e| {
            Error::failed(format!("its last line is damaged, and with it what was spent: {e}"))
                .place(path, None, None)
                .hint("remove the line to count on from the one before, or the file to begin at 0")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cost_what_their_kinds_do() {
        let rates = Rates { train: Some(0.5), prefill: Some(0.25), sample: None };
        let of = |train, prefill, sample| Tokens { train, prefill, sample };
        // 3 tokens at half a dollar, and 4 at a quarter.
        assert_eq!(of(3, 4, 0).usd(rates), Some(2.5));
        assert_eq!(of(3, 4, 1).usd(rates), None);
        assert_eq!(of(0, 0, 0).usd(Rates::default()), Some(0.0));
        assert_eq!(of(3, 4, 1).all(), 8);
    }
}
