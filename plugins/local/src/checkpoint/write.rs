//! Writes a checkpoint: files, then the manifest.

use super::{
    Meta,
    manifest::{MANIFEST, Manifest},
    place::Place,
    record::{RECORD, Record},
    tensors::{self, Dtype, Tensor},
};
use crate::{
    adapter::{self, ADAPTER_CONFIG, ADAPTER_WEIGHTS},
    optimizer::Moments,
    weights::Weights,
};
use std::{fs, path::Path};
use tinsmith_plugin_api::{AdapterSpec, Error, Result, Saved, StorageHandle};

/// Weights of a full-parameter checkpoint: f32, so that training goes on exactly.
pub const MODEL_WEIGHTS: &str = "model.safetensors";
/// The optimizer's memory.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// Prefixes of the tensors in [`OPTIMIZER`].
pub const FIRST_MOMENT: &str = "exp_avg.";
pub const SECOND_MOMENT: &str = "exp_avg_sq.";

/// Files that make a directory of weights a model directory, copied from the base where it has them.
pub const MODEL_FILES: [&str; 11] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
];

/// Writes everything; what stood there before stops counting first.
pub fn checkpoint(
    store: &dyn StorageHandle,
    place: &Place,
    meta: &Meta,
    weights: &Weights,
    moments: Option<&Moments>,
) -> Result<Saved> {
    let Some(adapter) = &weights.adapter else {
        return Err(Error::rejected("a bare base model has nothing to save"));
    };
    erase(store, place)?;
    let mut manifest = Manifest::default();
    let trained = tensors::of_layout(&weights.layout, &weights.params, "");
    match adapter {
        AdapterSpec::Lora(lora) => {
            let config = adapter::config_json(lora, &weights.layout, &weights.base.name);
            manifest.add(store, place, ADAPTER_CONFIG, |out| out.write_all(config.as_bytes()))?;
            manifest.add(store, place, ADAPTER_WEIGHTS, |out| {
                tensors::write(out, trained, Dtype::F32)
            })?;
        }
        AdapterSpec::Full => {
            copy_model_files(store, place, &weights.base.dir, &mut manifest)?;
            manifest
                .add(store, place, MODEL_WEIGHTS, |out| tensors::write(out, trained, Dtype::F32))?;
        }
    }
    if let Some(moments) = moments {
        let tensors = moment_tensors(weights, moments);
        manifest.add(store, place, OPTIMIZER, |out| tensors::write(out, tensors, Dtype::F32))?;
    }
    let record = Record::now(
        meta.run.clone(),
        meta.step,
        adapter.clone(),
        &weights.base,
        moments.is_some(),
    )?;
    let text = format!("{:#}\n", serde_json::to_value(&record)?);
    manifest.add(store, place, RECORD, |out| out.write_all(text.as_bytes()))?;
    let sha256 = manifest.commit(store, place)?;
    Ok(Saved { uri: place.to_string(), sha256: Some(sha256), bytes: Some(manifest.bytes()) })
}

/// Deletes a checkpoint, the manifest first: from then on it does not count, whatever happens.
pub fn erase(store: &dyn StorageHandle, place: &Place) -> Result<()> {
    store.delete(&place.key(MANIFEST))?;
    let mut keys = Vec::new();
    store.list(&place.key(""), &mut |key, _| {
        keys.push(key.to_owned());
        true
    })?;
    keys.iter().try_for_each(|key| store.delete(key))
}

/// Before the first step there are no moments yet, and the file has no tensors.
fn moment_tensors<'a>(weights: &Weights, moments: &'a Moments) -> Vec<Tensor<'a>> {
    if moments.step == 0 {
        return Vec::new();
    }
    let mut all = tensors::of_layout(&weights.layout, &moments.first, FIRST_MOMENT);
    all.extend(tensors::of_layout(&weights.layout, &moments.second, SECOND_MOMENT));
    all
}

fn copy_model_files(
    store: &dyn StorageHandle,
    place: &Place,
    base: &Path,
    manifest: &mut Manifest,
) -> Result<()> {
    for name in MODEL_FILES {
        let path = base.join(name);
        if !path.exists() {
            continue;
        }
        let bytes = fs::read(&path)
            .map_err(|e| Error::from(e).context(format!("read `{}`", path.display())))?;
        manifest.add(store, place, name, |out| out.write_all(&bytes))?;
    }
    Ok(())
}
