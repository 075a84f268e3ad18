//! Streams a checkpoint's files to the host.

use super::{
    manifest::Manifest,
    place::Place,
    read,
    tensors::{self, Dtype},
    write::{MODEL_FILES, MODEL_WEIGHTS},
};
use crate::{
    adapter::{ADAPTER_CONFIG, ADAPTER_WEIGHTS},
    base::Bases,
};
use std::io::{self, Write};
use tinsmith_plugin_api::{AdapterSpec, Error, Export, FileSink, Result, StorageHandle};

/// Streams the files; a difference from the manifest is an error before the file is finished.
///
/// # Errors
/// `not_found`, `data` for a damaged file, `unsupported` if the checkpoint has no such export,
/// whatever the sink answers.
pub fn checkpoint(
    store: &dyn StorageHandle,
    place: &Place,
    what: Export,
    bases: &Bases,
    out: &mut dyn FileSink,
) -> Result<()> {
    let manifest = Manifest::read(store, place)?;
    let record = read::record(store, place, &manifest)?;
    match (what, record.adapter) {
        (Export::Adapter, AdapterSpec::Lora(_)) => {
            copy(store, place, &manifest, ADAPTER_CONFIG, out)?;
            copy(store, place, &manifest, ADAPTER_WEIGHTS, out)
        }
        (Export::Model, AdapterSpec::Full) => {
            for name in MODEL_FILES.iter().filter(|name| manifest.files.contains_key(**name)) {
                copy(store, place, &manifest, name, out)?;
            }
            model_weights(store, place, bases, out)
        }
        (Export::Adapter, AdapterSpec::Full) => {
            Err(Error::unsupported(format!("`{place}` holds a whole model, no adapter"))
                .with_hint("export it as a model"))
        }
        (Export::Model, AdapterSpec::Lora(_)) => {
            Err(Error::unsupported(format!("`{place}` holds an adapter, no whole model"))
                .with_hint("export it as an adapter"))
        }
    }
}

fn copy(
    store: &dyn StorageHandle,
    place: &Place,
    manifest: &Manifest,
    name: &str,
    out: &mut dyn FileSink,
) -> Result<()> {
    out.start(name)?;
    manifest.stream(store, place, name, &mut |bytes| out.write(bytes))?;
    out.finish()
}

/// The weights in the dtype of the base model; checkpoints keep them in f32.
fn model_weights(
    store: &dyn StorageHandle,
    place: &Place,
    bases: &Bases,
    out: &mut dyn FileSink,
) -> Result<()> {
    let weights = read::checkpoint(store, place, false, bases)?.weights;
    let dtype = weights.base.dtype().unwrap_or(Dtype::F32);
    out.start(MODEL_WEIGHTS)?;
    let all = tensors::of_layout(&weights.layout, &weights.params, "");
    tensors::write(&mut SinkWriter(out), all, dtype)?;
    out.finish()
}

struct SinkWriter<'a>(&'a mut dyn FileSink);

impl Write for SinkWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
