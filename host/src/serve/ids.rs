//! Names that nobody guesses. Whoever knows the name of a session may use it.

use crate::{Error, Result};
use std::fmt::Write;

/// 128 random bits as hex.
///
/// # Errors
/// `failed` if the system gives no randomness.
pub fn random() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Random bytes.
///
/// # Errors
/// As [`random`].
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|e| Error::failed(format!("the system gives no random numbers: {e}")))
}

/// The training run that is model `n` of a session. Clients make this name themselves too.
pub fn model(session: &str, n: u64) -> String {
    format!("{session}:train:{n}")
}

/// Sampling session `n` of a session.
pub fn sampling(session: &str, n: u64) -> String {
    format!("{session}:sample:{n}")
}

/// The request of an operation. The same operation sent twice is the same request, also to a server
/// that was started anew.
pub fn request(owner: &str, seq: i64) -> String {
    format!("{owner}:{seq}")
}
