//! Reads an adapter from a plain directory, whoever wrote it.

use super::{ADAPTER_CONFIG, ADAPTER_WEIGHTS, config};
use crate::{
    base::{Base, Bases},
    checkpoint::tensors,
    layout::{Layout, SlotKind},
    weights::{self, Weights},
};
use safetensors::{SafeTensors, tensor::TensorView};
use std::{fs, path::Path, sync::Arc};
use tinsmith_plugin_api::{AdapterSpec, Error, Result};

/// Opens an adapter over the base model that its config names: a directory, absolute or relative to
/// the current folder, to the adapter or to the adapter's parent.
///
/// # Errors
/// `not_found` for a missing file or base, `data` for a broken file, `unsupported` for an adapter
/// that this trainer would compute differently.
pub fn from_dir(dir: &Path, bases: &Bases) -> Result<Weights> {
    open(dir, bases).map_err(|e| e.context(format!("open adapter `{}`", dir.display())))
}

fn open(dir: &Path, bases: &Bases) -> Result<Weights> {
    let config = config::parse(&read(&dir.join(ADAPTER_CONFIG))?)
        .map_err(|e| e.context(format!("read `{ADAPTER_CONFIG}`")))?;
    let base = base(dir, config.base.as_deref(), bases)?;
    let adapter = AdapterSpec::Lora(config.lora);
    let layout = weights::layout(&base, &adapter)?;
    let bytes = read(&dir.join(ADAPTER_WEIGHTS))?;
    let doing = |e: Error| e.context(format!("read `{ADAPTER_WEIGHTS}`"));
    let file = tensors::parse(&bytes).map_err(doing)?;
    // An adapter on some layers only is one on all of them, with zeros in the others.
    let mut params = vec![0.0; layout.len()];
    for (name, tensor) in file.tensors() {
        match layout.slot(&name) {
            Some(slot) => tensors::read_slot(&name, &tensor, slot, &mut params),
            None => base_weight(&name, &tensor, &base),
        }
        .map_err(doing)?;
    }
    whole(&file, &layout).map_err(doing)?;
    Ok(Weights { base, adapter: Some(adapter), layout: Arc::new(layout), params })
}

/// PEFT keeps a copy of the base's weight beside an adapter on the head. One that is no copy would be
/// another model.
fn base_weight(name: &str, tensor: &TensorView<'_>, base: &Base) -> Result<()> {
    let known = name
        .strip_prefix("base_model.model.")
        .and_then(|name| base.model.weight(&name.replace(".base_layer.", ".")));
    match known {
        Some((weights, shape)) if tensors::holds(tensor, weights, shape) => Ok(()),
        Some(_) => Err(Error::unsupported(format!("tensor `{name}` is not the base model's"))
            .with_hint("the adapter was trained on another base, or trained this weight as well")),
        None => Err(Error::unsupported(format!(
            "tensor `{name}` belongs to no layer of the base model"
        ))),
    }
}

/// Half an adapter adds nothing: it must be a damaged file.
fn whole(file: &SafeTensors<'_>, layout: &Layout) -> Result<()> {
    let has = |name: &str| file.tensor(name).is_ok();
    let mut any = false;
    for slot in layout.slots().iter().filter(|slot| has(&slot.name)) {
        any = true;
        let other = match slot.kind {
            SlotKind::LoraA(_) => slot.name.replace(".lora_A.", ".lora_B."),
            _ => slot.name.replace(".lora_B.", ".lora_A."),
        };
        if !has(&other) {
            return Err(Error::data(format!("tensor `{other}` is missing"))
                .with_hint("the file is damaged; save or download the adapter again"));
        }
    }
    if any { Ok(()) } else { Err(Error::data("it holds no adapter")) }
}

fn base(dir: &Path, named: Option<&str>, bases: &Bases) -> Result<Arc<Base>> {
    let Some(named) = named.filter(|name| !name.is_empty()) else {
        return Err(Error::not_found("the adapter names no base model")
            .with_hint(format!("set `base_model_name_or_path` in its `{ADAPTER_CONFIG}`")));
    };
    let mut places = vec![Path::new(named).to_path_buf(), dir.join(named)];
    places.extend(dir.parent().map(|parent| parent.join(named)));
    match places.iter().find(|place| place.is_dir()) {
        Some(found) => bases.open(&found.to_string_lossy()),
        None => Err(Error::not_found(format!("its base model `{named}` is not a directory"))
            .with_hint(format!(
                "set `base_model_name_or_path` in its `{ADAPTER_CONFIG}` to where the base lies"
            ))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Error::from(e).context(format!("read `{}`", path.display())))
}
