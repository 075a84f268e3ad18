//! What a user is told when a call fails.

use super::Response;
use crate::credentials::API_KEY;
use tinsmith_plugin_api::{Error, ErrorKind};
use tinsmith_tinker_wire::answer;

/// The innermost reason. What is around it names the address, and those of downloads are secrets.
pub(crate) fn cause(e: &reqwest::Error) -> String {
    let mut why = String::new();
    let mut source = std::error::Error::source(e);
    while let Some(inner) = source {
        why = inner.to_string();
        source = inner.source();
    }
    if why.is_empty() { "the connection broke".into() } else { why }
}

/// The server cannot be reached, or does not speak HTTP.
pub(crate) fn unreachable(base: &str, e: &reqwest::Error) -> Error {
    let why = cause(e);
    let lower = why.to_lowercase();
    let hint = if e.is_timeout() {
        "the server takes too long; see whether it is well, or set `trainer.patience_seconds` higher"
    } else if lower.contains("invalidcontenttype") {
        "the server speaks plain HTTP: write `http://` in `trainer.base_url`"
    } else if lower.contains("certificate") || lower.contains("tls") || lower.contains("handshake")
    {
        "the server's certificate is not trusted here: `SSL_CERT_FILE` may name the file of its authority"
    } else if lower.contains("dns") || lower.contains("resolve") || lower.contains("lookup") {
        "no such host: see `trainer.base_url`"
    } else {
        "see that the server runs, and `trainer.base_url`"
    };
    let what = if e.is_timeout() { "does not answer in time" } else { "cannot be reached" };
    Error::new(ErrorKind::NETWORK, format!("`{base}` {what}: {why}")).with_hint(hint)
}

/// The server answered with an error status.
pub(crate) fn refused(base: &str, path: &str, answer: &Response) -> Error {
    let status = answer.status;
    let detail = answer::detail(&answer.body);
    let (detail, told) = answer::with_hint(&detail);
    let endpoint = path.split('?').next().unwrap_or(path).trim_start_matches("../");
    let said = match detail {
        "" => format!("`{base}` answers {status} to `{endpoint}`"),
        detail => format!("`{base}` answers {status} to `{endpoint}`: {detail}"),
    };
    let wrong_key =
        format!("the server does not know the key: see `{API_KEY}`, or `trainer.api_key`");
    let (kind, hint) = match status {
        400 | 409 | 415 | 422 => (ErrorKind::REJECTED, None),
        401 => (ErrorKind::CONFIG, Some(wrong_key.as_str())),
        402 => (ErrorKind::OTHER, Some("the account has no funds left")),
        403 => (ErrorKind::CONFIG, Some("the key may not do this: see its rights and the project")),
        404 if answer.is_from_api() => (ErrorKind::NOT_FOUND, None),
        404 | 405 => {
            let hint =
                "this may be no Tinker server, or its path is missing: see `trainer.base_url`";
            (ErrorKind::NOT_FOUND, Some(hint))
        }
        410 => (ErrorKind::NOT_FOUND, Some("the session or the result is gone")),
        _ => (ErrorKind::NETWORK, None),
    };
    // What the server advises knows more than what its status does.
    Error::new(kind, said).with_hint_if(told.or(hint))
}

/// The answer of an operation was lost, and it may have been applied.
pub(crate) fn lost(what: &Error) -> Error {
    Error::new(ErrorKind::LOST, format!("whether it was applied is unknown: {what}"))
}
