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

use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama};

/// A server that wants this key.
fn keyed(key: &str) -> client::Server {
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 7).unwrap();
    sandbox.env("SERVE_KEY", key);
    let args = ["serve", "-q", "--model", "base", "--port", "0", "--state", "state"];
    client::Server::run(sandbox, &[&args[..], &["--api-key-env", "SERVE_KEY"]].concat())
}
