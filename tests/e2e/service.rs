//! `trainer: tinker` through the real binary: what it tells when a service cannot or will not serve, and
//! what it never tells.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

#[path = "serve/client.rs"]
#[allow(dead_code, reason = "tests/e2e/serve.rs uses all of it")]
mod client;
#[path = "service/keys.rs"]
mod keys;
#[path = "service/refusals.rs"]
mod refusals;
#[path = "service/same.rs"]
mod same;
#[path = "service/secrets.rs"]
mod secrets;
