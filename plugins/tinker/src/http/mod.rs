/*!
One HTTP call: sent once, or again and again as far as that is safe.

| what failed | a call that may be repeated | an operation, elsewhere than at servers that know it by its number |
|---|---|---|
| no connection was made | again | again |
| the answer was lost | again | `lost` |
| 408, 425, 429 | again | again (429), `lost` |
| 409, 5xx | again | `lost` |
| 402 | waits for as long as the server says | the same |
| others | the error | the error |
*/

mod error;
mod send;

pub(crate) use error::{cause, lost, refused, unreachable};
pub(crate) use send::{Body, Http, NO_FUNDS_PAUSE, Response, Sent, TOLD_AFTER};

use std::time::Duration;

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub method: reqwest::Method,
    /// Behind `/api/v1/`, with its query.
    pub path: String,
    pub body: Option<Body>,
    /// Media types that are understood.
    pub accept: &'static str,
    pub timeout: Duration,
    /// Whether it may be sent again after it may have arrived.
    pub repeatable: bool,
    /// For how long it is repeated; None: as the config says.
    pub patience: Option<Duration>,
    /// For how long it is repeated while no connection is made; None: as long as otherwise.
    pub reach: Option<Duration>,
}

impl Call {
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(reqwest::Method::GET, path, None)
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(reqwest::Method::DELETE, path, None)
    }

    pub fn put(path: impl Into<String>, body: &impl serde::Serialize) -> Self {
        Self::new(reqwest::Method::PUT, path, Some(Body::json(body)))
    }

    pub fn post(path: impl Into<String>, body: &impl serde::Serialize) -> Self {
        Self::new(reqwest::Method::POST, path, Some(Body::json(body)))
    }

    pub fn new(method: reqwest::Method, path: impl Into<String>, body: Option<Body>) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            accept: tinsmith_tinker_wire::JSON,
            timeout: Duration::from_secs(60),
            repeatable: true,
            patience: None,
            reach: None,
        }
    }

    pub fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    pub fn patience(mut self, seconds: u64) -> Self {
        self.patience = Some(Duration::from_secs(seconds));
        self
    }

    pub fn reach(mut self, seconds: u64) -> Self {
        self.reach = Some(Duration::from_secs(seconds));
        self
    }

    pub fn timeout(mut self, seconds: u64) -> Self {
        self.timeout = Duration::from_secs(seconds);
        self
    }
}
