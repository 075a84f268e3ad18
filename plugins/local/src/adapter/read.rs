//! Reads an adapter from a plain directory, whoever wrote it.

use super::{ADAPTER_CONFIG, ADAPTER_WEIGHTS, config};
use crate::{
    base::{Base, Bases},
    checkpoint::tensors,
    weights::{self, Weights},
};
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
    for name in file.names() {
        let Some(slot) = layout.slot(name) else {
            return Err(doing(Error::unsupported(format!(
                "tensor `{name}` belongs to no layer of the base model"
            ))));
        };
        let tensor = file.tensor(name).map_err(|e| doing(Error::data(e.to_string())))?;
        tensors::read_slot(name, &tensor, slot, &mut params).map_err(doing)?;
    }
    if file.is_empty() {
        return Err(doing(Error::data("it holds no tensors")));
    }
    Ok(Weights { base, adapter: Some(adapter), layout: Arc::new(layout), params })
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
