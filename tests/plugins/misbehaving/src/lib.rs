/*!
A plugin that fails on demand: its config or its input says where and how.

Every panic here must come back to the host as one error with file and line, whether this crate is
linked or loaded.
*/
#![forbid(unsafe_code)]

mod bad_loss;
mod bad_renderer;
mod bad_store;
mod bad_trainer;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

/// Where to fail: `new`, or the name of a method.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// The method that panics.
    panic_in: String,
    /// The method that kills the process.
    abort_in: String,
    /// The URI that a host puts into a storage's section.
    #[schemars(schema_with = "uri_schema")]
    uri: String,
}

/// Kills the process that asks for a description, if the environment says so.
fn uri_schema(generator: &mut SchemaGenerator) -> Schema {
    if std::env::var_os("MISBEHAVING_ABORTS").is_some() {
        std::process::abort();
    }
    String::json_schema(generator)
}

impl Config {
    /// Fails if this is the place. The line of the panic is the caller's.
    #[track_caller]
    fn reach(&self, place: &str) {
        assert!(self.panic_in != place, "as told, in `{place}`");
        if self.abort_in == place {
            std::process::abort();
        }
    }
}

tinsmith_plugin_api::plugin! {
    trainers: [bad_trainer::Bad],
    id: "misbehaving",
    renderers: [bad_renderer::Bad],
    storages: [bad_store::Bad],
    losses: [bad_loss::Bad],
}
