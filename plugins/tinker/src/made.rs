/*!
Which adapters were made, in the run's storage: a server that cannot make a model of a checkpoint wants one
of the same form to load it into, and its `weights_info` may tell no more of that form than the rank.
*/

use crate::connection::Connection;
use std::{
    collections::BTreeMap,
    io::{Read, Write},
};
use tinsmith_plugin_api::{Result, StorageHandle};
use tinsmith_tinker_wire::messages::LoraConfig;

/// Where they are kept, by model.
const KEPT: &str = "tinker-models.json";
/// Bytes that are read of it at most.
const MOST: u64 = 1 << 20;

type Made = BTreeMap<String, LoraConfig>;

/// A model was made. A note that cannot be kept is missed when the run goes on, and told then by the server.
pub(crate) fn note(connection: &Connection, model: &str, lora: &LoraConfig) {
    if connection.server.makes_models_of_checkpoints {
        return;
    }
    let services = &connection.http.services;
    let kept = services.store().and_then(|store| keep(store.as_ref(), model, lora));
    if let Err(e) = kept {
        services.debug(format!("the form of the adapter is not noted: {e}"));
    }
}

/// The adapter of a model that was made with this storage.
pub(crate) fn noted(connection: &Connection, model: &str) -> Option<LoraConfig> {
    read(connection.http.services.store().ok()?.as_ref()).remove(model)
}

fn read(store: &dyn StorageHandle) -> Made {
    let mut text = String::new();
    let opened = store.open(KEPT, 0).map(|file| file.take(MOST).read_to_string(&mut text));
    match opened {
        Ok(Ok(_)) => serde_json::from_str(&text).unwrap_or_default(),
        _ => Made::new(),
    }
}

fn keep(store: &dyn StorageHandle, model: &str, lora: &LoraConfig) -> Result<()> {
    let mut made = read(store);
    made.insert(model.to_owned(), lora.clone());
    let mut upload = store.create(KEPT)?;
    upload.write_all(serde_json::to_string(&made)?.as_bytes())?;
    upload.commit().map(drop)
}
