/*!
The Tinker API as a trainer: the hosted service, or any server that speaks it.

Calls of the host return as soon as an operation is queued. One thread, `tinsmith-tinker`, sends what is
queued in order, asks for results, and keeps sessions alive.

No operation is applied twice: one whose promise is known is asked for again and never sent again; one
whose answer was lost is sent again, under the same number, to servers that know it by its number, and is
`lost` elsewhere.
*/

mod alive;
mod auth;
mod bodies;
mod checkpoints;
mod clock;
mod config;
mod connection;
mod credentials;
mod engine;
mod export;
mod http;
mod made;
mod poll;
mod run;
mod sampler;
mod server;
mod session;
mod trainer;

pub use clock::Clock;
pub use config::{Dialect, KeyRef, TinkerConfig};
pub use trainer::Tinker;

tinsmith_plugin_api::plugin! { id: "tinker", trainers: [Tinker] }
