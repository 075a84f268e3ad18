//! `tinsmith serve` through the real binary: the protocol is spoken by hand, as documented, on a model
//! small enough for a test.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod linked;

#[path = "serve/chat.rs"]
mod chat;
#[path = "serve/client.rs"]
mod client;
#[path = "serve/columns.rs"]
mod columns;
#[path = "serve/copies.rs"]
mod copies;
#[path = "serve/doors.rs"]
mod doors;
#[path = "serve/life.rs"]
mod life;
#[path = "serve/limits.rs"]
mod limits;
#[path = "serve/order.rs"]
mod order;
#[path = "serve/pipeline.rs"]
mod pipeline;
#[path = "serve/proxy.rs"]
mod proxy;
#[path = "serve/restart.rs"]
mod restart;
#[path = "serve/sampling.rs"]
mod sampling;

// What is not built in: linked into this binary, and into the program that it is for its own tests.
tinsmith_plugin_api::plugin! { id: "serve-tests", losses: [proxy::Squares], trainers: [pipeline::Late] }
