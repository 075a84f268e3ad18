/*!
The author's testing kit (feature `testing`).

Everything here runs the plugin through the real adapters of [`crate::abi`]: what a unit test of a
plugin calls has crossed the boundary that it will cross in production.

- [`MemoryServices`] stands for the host: a byte-level toy tokenizer, a store in memory, a cancel
  flag, and the log lines for the test to read.
- [`render_to_table`] shows what a renderer makes of some records, for snapshots.
- [`check_gradient`] compares a loss's gradient with finite differences.
- [`check_storage`] is the behaviour that every storage backend owes.
- [`renderer`], [`loss`], [`storage`] and [`trainer`] build one to test by hand.

These functions panic where an assertion fails, as a test wants.
*/

mod gradient;
mod memory_store;
mod services;
mod storage;
mod table;
mod tokenizer;

pub use gradient::{GradientCase, check_gradient, check_loss};
pub use memory_store::MemoryStore;
pub use services::MemoryServices;
pub use storage::{check_storage, check_store};
pub use table::{render_to_table, table};
pub use tokenizer::ByteTokenizer;

use crate::{
    DatasetRenderer, Loss, LossHandle, RendererHandle, Result, Services, StorageBackend,
    StorageHandle, Trainer, TrainerHandle,
    abi::{Builder, Plugin},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Builds a renderer as a host would, from `config`, a JSON object (or null for none).
///
/// # Errors
/// What the renderer's config or constructor answers.
pub fn renderer<T: DatasetRenderer>(
    config: &Value,
    services: &Services,
) -> Result<Arc<dyn RendererHandle>> {
    plugin(Builder::renderer::<T>).renderer(T::NAME, &section(config), services)
}

/// Builds a loss as a host would.
///
/// # Errors
/// What the loss's config or constructor answers.
pub fn loss<T: Loss>(config: &Value) -> Result<Arc<dyn LossHandle>> {
    plugin(Builder::loss::<T>).loss(T::NAME, &section(config))
}

/// Opens a storage as a host would.
///
/// # Errors
/// What the backend's config or constructor answers.
pub fn storage<T: StorageBackend>(
    config: &Value,
    services: &Services,
) -> Result<Arc<dyn StorageHandle>> {
    plugin(Builder::storage::<T>).storage(T::SCHEME, &section(config), services)
}

/// Builds a trainer as a host would.
///
/// # Errors
/// What the trainer's config or constructor answers.
pub fn trainer<T: Trainer>(config: &Value, services: &Services) -> Result<Arc<dyn TrainerHandle>> {
    plugin(Builder::trainer::<T>).trainer(T::NAME, &section(config), services)
}

fn plugin(add: fn(&mut Builder)) -> Plugin {
    let mut builder = Builder::default();
    add(&mut builder);
    Plugin::under_test(builder)
}

fn section(config: &Value) -> Map<String, Value> {
    match config {
        Value::Object(map) => map.clone(),
        Value::Null => Map::new(),
        other => panic!("a config section is an object, not {other}"),
    }
}
