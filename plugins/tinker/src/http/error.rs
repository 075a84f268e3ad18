//! What a user is told when a call fails.

use super::Response;
use crate::credentials::API_KEY;
use tinsmith_plugin_api::{Error, ErrorKind};
use tinsmith_tinker_wire::answer;

/// The server cannot be reached, or does not speak HTTP.
pub(crate) fn unreachable(base: &str, e: &reqwest::Error) -> Error {
    // Addresses of downloads are secrets, and all that is told of the server is its base.
    let mut why = String::new();
    let mut source = std::error::Error::source(e);
    while let Some(inner) = source {
        why = inner.to_string();
        source = inner.source();
    }
    let lower = why.to_lowercase();
    let hint = if e.is_timeout() {
        "the server takes too long; see whether it is well, or set `trainer.patience_seconds` higher"
    } else if lower.contains("certificate") || lower.contains("tls") || lower.contains("handshake")
    {
        "the server's certificate is not trusted here, or it speaks plain HTTP: see `https://` in \
         `trainer.base_url`"
    } else if lower.contains("dns") || lower.contains("resolve") || lower.contains("lookup") {
        "no such host: see `trainer.base_url`"
    } else {
        "see that the server runs, and `trainer.base_url`"
    };
    let what = if e.is_timeout() { "does not answer in time" } else { "cannot be reached" };
    let text = match why.as_str() {
        "" => format!("`{base}` {what}"),
        why => format!("`{base}` {what}: {why}"),
    };
    Error::new(ErrorKind::NETWORK, text).with_hint(hint)
}

/// The server answered with an error status.
pub(crate) fn refused(base: &str, path: &str, answer: &Response) -> Error {
    let status = answer.status;
    let detail = answer::detail(&answer.body);
    let endpoint = path.split('?').next().unwrap_or(path);
    let said = match detail.as_str() {
        "" => format!("`{base}` answers {status} to `{endpoint}`"),
        detail => format!("`{base}` answers {status} to `{endpoint}`: {detail}"),
    };
    let error = |kind, hint: &str| Error::new(kind, said.clone()).with_hint(hint);
    match status {
        400 | 415 | 422 => Error::new(ErrorKind::REJECTED, said),
        401 => error(
            ErrorKind::CONFIG,
            &format!("the server does not know the key: see `{API_KEY}`, or `trainer.api_key`"),
        ),
        402 => error(ErrorKind::OTHER, "the account has no funds left"),
        403 => error(ErrorKind::CONFIG, "the key may not do this: see its rights and the project"),
        404 if answer.is_from_api() => Error::new(ErrorKind::NOT_FOUND, said),
        404 | 405 => error(
            ErrorKind::NOT_FOUND,
            "this may be no Tinker server, or its path is missing: see `trainer.base_url`",
        ),
        410 => error(ErrorKind::NOT_FOUND, "the session or the result is gone"),
        409 => Error::new(ErrorKind::REJECTED, said),
        _ => Error::new(ErrorKind::NETWORK, said),
    }
}

/// The answer of an operation was lost, and it may have been applied.
pub(crate) fn lost(what: &Error) -> Error {
    Error::new(ErrorKind::LOST, format!("whether it was applied is unknown: {what}"))
}
