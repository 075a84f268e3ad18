//! `tinsmith serve` through the real binary: the protocol is spoken by hand, as documented, on a model
//! small enough for a test.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

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
#[path = "serve/order.rs"]
mod order;
#[path = "serve/restart.rs"]
mod restart;
#[path = "serve/sampling.rs"]
mod sampling;
