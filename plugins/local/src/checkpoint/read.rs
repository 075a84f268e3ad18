//! Reads a checkpoint back, every file checked against the manifest first.

use super::{
    manifest::{Manifest, damaged},
    place::Place,
    record::{RECORD, Record},
    tensors,
    write::{FIRST_MOMENT, MODEL_WEIGHTS, OPTIMIZER, SECOND_MOMENT},
};
use crate::{
    adapter::ADAPTER_WEIGHTS,
    base::{Base, Bases},
    layout::Layout,
    optimizer::Moments,
    weights::{self, Weights},
};
use std::{collections::BTreeMap, sync::Arc};
use tinsmith_plugin_api::{AdapterSpec, Error, ErrorKind, Result, StorageHandle};

/// A checkpoint's weights and, if asked for, the optimizer's memory.
pub struct Loaded {
    pub weights: Weights,
    pub moments: Moments,
}

/// Loads a checkpoint.
///
/// # Errors
/// `not_found` where there is none, `data` if any file is damaged or the base model is another one
/// than the checkpoint was trained on, `rejected` if the optimizer is wanted and was not saved.
pub fn checkpoint(
    store: &dyn StorageHandle,
    place: &Place,
    optimizer: bool,
    bases: &Bases,
) -> Result<Loaded> {
    let manifest = Manifest::read(store, place)?;
    let wanted = |name: &str| {
        matches!(name, RECORD | ADAPTER_WEIGHTS | MODEL_WEIGHTS) || (optimizer && name == OPTIMIZER)
    };
    let files = manifest.read_all(store, place, wanted)?;
    let record = Record::parse(&place.key(RECORD), file(&files, place, RECORD)?)?;
    if optimizer && !record.optimizer {
        return Err(Error::rejected(format!("`{place}` was saved without optimizer state"))
            .with_hint("open it without, or choose a checkpoint that has it"));
    }
    let base = base(&record, bases).map_err(|e| e.context(format!("open `{place}`")))?;
    let layout = weights::layout(&base, &record.adapter)?;
    let name = match &record.adapter {
        AdapterSpec::Lora(_) => ADAPTER_WEIGHTS,
        AdapterSpec::Full => MODEL_WEIGHTS,
    };
    let params = vector(&files, place, name, &layout, "")?;
    let mut moments = Moments::default();
    if optimizer && record.step > 0 {
        moments.first = vector(&files, place, OPTIMIZER, &layout, FIRST_MOMENT)?;
        moments.second = vector(&files, place, OPTIMIZER, &layout, SECOND_MOMENT)?;
        moments.step = record.step;
    }
    let adapter = Some(record.adapter);
    Ok(Loaded { weights: Weights { base, adapter, layout: Arc::new(layout), params }, moments })
}

/// The record of a checkpoint, by itself.
pub fn record(store: &dyn StorageHandle, place: &Place, manifest: &Manifest) -> Result<Record> {
    let mut bytes = Vec::new();
    manifest.stream(store, place, RECORD, &mut |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Record::parse(&place.key(RECORD), &bytes)
}

/// The base model a checkpoint was trained on: where it lay then, or, if that directory is gone,
/// by the name the user gave it.
fn base(record: &Record, bases: &Bases) -> Result<Arc<Base>> {
    let base = match bases.open(&record.base_dir.to_string_lossy()) {
        Err(e) if e.kind() == ErrorKind::NOT_FOUND => bases.open(&record.base_name)?,
        other => other?,
    };
    if base.fingerprint()? != record.base_fingerprint {
        return Err(Error::data(format!(
            "the base model at `{}` is not the one the checkpoint was trained on",
            base.dir.display()
        ))
        .with_hint("put the original files back, or start a new run"));
    }
    Ok(base)
}

fn vector(
    files: &BTreeMap<String, Vec<u8>>,
    place: &Place,
    name: &str,
    layout: &Layout,
    prefix: &str,
) -> Result<Vec<f32>> {
    let mut flat = vec![0.0; layout.len()];
    tensors::parse(file(files, place, name)?)
        .and_then(|file| tensors::read_layout(&file, layout, prefix, &mut flat))
        .map_err(|e| e.context(format!("read `{}`", place.key(name))))?;
    Ok(flat)
}

fn file<'a>(files: &'a BTreeMap<String, Vec<u8>>, place: &Place, name: &str) -> Result<&'a [u8]> {
    files
        .get(name)
        .map(Vec::as_slice)
        .ok_or_else(|| damaged(&place.key(name), "it is not in the manifest"))
}
