//! Answers: JSON, protobuf, and refusals.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use tinsmith_plugin_api::{Error, ErrorKind};
use tinsmith_tinker_wire::{JSON, PROTOBUF, answer::told};

/// What a handler answers.
pub type Answer = Result<Response, Refusal>;

/// A request that makes no sense: a status, and what is wrong.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// There is no such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    /// It was there and is over.
    pub fn gone(what: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, what)
    }

    /// It cannot be done as it is asked for.
    pub fn wrong(what: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, what)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        reply(self.status, &json!({ "detail": self.detail }))
    }
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        let status = match e.kind() {
            ErrorKind::NOT_FOUND => StatusCode::NOT_FOUND,
            ErrorKind::REJECTED | ErrorKind::CONFIG | ErrorKind::DATA | ErrorKind::UNSUPPORTED => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, told(&e))
    }
}

impl From<crate::Error> for Refusal {
    fn from(e: crate::Error) -> Self {
        let kind = e.plugin_kind.unwrap_or(ErrorKind::OTHER);
        e.told_as(kind).into()
    }
}

/// A JSON answer.
pub fn reply(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => typed(status, JSON, bytes),
        Err(e) => {
            let detail = json!({ "detail": format!("write the answer: {e}") }).to_string();
            typed(StatusCode::INTERNAL_SERVER_ERROR, JSON, detail.into_bytes())
        }
    }
}

/// A JSON answer of status 200.
pub fn ok(body: &impl Serialize) -> Answer {
    Ok(reply(StatusCode::OK, body))
}

/// An answer of status 204.
pub fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A protobuf answer of status 200.
pub fn protobuf(message: &impl prost::Message) -> Response {
    typed(StatusCode::OK, PROTOBUF, message.encode_to_vec())
}

fn typed(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Whether a client reads protobuf.
pub fn wants_protobuf(headers: &HeaderMap) -> bool {
    text(headers, header::ACCEPT).contains(PROTOBUF)
}

/// A header as text; empty if there is none.
pub fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
