//! Checkpoints: kept through the host's storage, complete or not there at all.
//!
//! ```text
//! checkpoints/<name>/  adapter_config.json adapter_model.safetensors   (or a whole model)
//!                      optimizer.safetensors run.json manifest.json    (manifest last)
//! samplers/<name>/     the same without the optimizer
//! memory/<n>           nothing: held in memory while the trainer lives
//! ```

mod export;
mod manifest;
mod place;
mod read;
mod record;
pub(crate) mod tensors;
mod write;

pub(crate) use place::Place;
pub(crate) use read::Loaded;

use crate::{base::Bases, optimizer::Moments, weights::Weights};
use manifest::{MANIFEST, Manifest};
use place::Use;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tinsmith_plugin_api::{
    Checkpoint, Error, Export, FileSink, Result, RunId, Save, Saved, Services, StorageHandle,
};

/// Facts about the run that saves.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Its name.
    pub run: RunId,
    /// Optimizer steps done.
    pub step: u64,
}

/// The checkpoints of a trainer.
#[derive(Clone)]
pub struct Store {
    services: Services,
    bases: Arc<Bases>,
    memory: Arc<Memory>,
}

#[derive(Default)]
struct Memory {
    next: AtomicU64,
    held: Mutex<BTreeMap<String, Arc<Weights>>>,
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Weights>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// A store behind the host's services.
    pub fn new(services: Services, bases: Arc<Bases>) -> Self {
        Self { services, bases, memory: Arc::default() }
    }

    /// Saves what a run has.
    pub fn save(
        &self,
        what: &Save,
        meta: &Meta,
        weights: &Weights,
        moments: &Moments,
    ) -> Result<Saved> {
        let (place, moments) = match what {
            Save::State { name, optimizer } => {
                (Place::new(Use::State, name)?, optimizer.then_some(moments))
            }
            Save::Sampler { name } => (Place::new(Use::Sampler, name)?, None),
            Save::Ephemeral => {
                let n = self.memory.next.fetch_add(1, Ordering::Relaxed).to_string();
                let place = Place::new(Use::Ephemeral, &n)?;
                self.memory.held().insert(place.name.clone(), Arc::new(weights.clone()));
                return Ok(Saved { uri: place.to_string(), sha256: None, bytes: None });
            }
        };
        let store = self.services.store()?;
        write::checkpoint(&*store, &place, meta, weights, moments)
            .map_err(|e| e.context(format!("save `{place}`")))
    }

    /// Loads a checkpoint to train on.
    pub fn load(&self, place: &Place, optimizer: bool) -> Result<Loaded> {
        if place.what != Use::Ephemeral {
            return read::checkpoint(&*self.services.store()?, place, optimizer, &self.bases);
        }
        if optimizer {
            return Err(Error::rejected(format!("`{place}` was saved without optimizer state"))
                .with_hint("open it without, or choose a checkpoint that has it"));
        }
        let weights = Weights::clone(&*self.recall(place)?);
        Ok(Loaded { weights, moments: Moments::default() })
    }

    /// Loads a checkpoint to sample from.
    pub fn weights(&self, place: &Place) -> Result<Arc<Weights>> {
        match place.what {
            Use::Ephemeral => self.recall(place),
            _ => Ok(Arc::new(self.load(place, false)?.weights)),
        }
    }

    /// Whether there is a complete checkpoint. False where the run has no storage.
    pub fn has(&self, place: &Place) -> bool {
        match place.what {
            Use::Ephemeral => self.memory.held().contains_key(&place.name),
            _ => self
                .services
                .store()
                .and_then(|store| store.exists(&place.key(MANIFEST)))
                .unwrap_or(false),
        }
    }

    /// Every complete checkpoint that is stored, of one run or of all. One whose manifest or record
    /// is damaged is left out, with a warning.
    pub fn list(&self, run: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        let store = self.services.store()?;
        let mut all = Vec::new();
        for what in [Use::State, Use::Sampler] {
            for place in complete(&*store, what)? {
                match describe(&*store, &place) {
                    Ok(checkpoint) if run.is_none_or(|run| *run == checkpoint.run) => {
                        all.push(checkpoint);
                    }
                    Ok(_) => {}
                    Err(e) => self.services.warn(format!("checkpoint `{place}` is left out: {e}")),
                }
            }
        }
        Ok(all)
    }

    /// Deletes a checkpoint, if it is there.
    pub fn delete(&self, place: &Place) -> Result<()> {
        if place.what == Use::Ephemeral {
            self.memory.held().remove(&place.name);
            return Ok(());
        }
        write::erase(&*self.services.store()?, place)
            .map_err(|e| e.context(format!("delete `{place}`")))
    }

    /// Streams the files of a checkpoint.
    pub fn export(&self, place: &Place, what: Export, out: &mut dyn FileSink) -> Result<()> {
        if place.what == Use::Ephemeral {
            return Err(Error::unsupported(format!("`{place}` is held in memory only"))
                .with_hint("save it under a name first"));
        }
        export::checkpoint(&*self.services.store()?, place, what, &self.bases, out)
            .map_err(|e| e.context(format!("export `{place}`")))
    }

    fn recall(&self, place: &Place) -> Result<Arc<Weights>> {
        self.memory.held().get(&place.name).cloned().ok_or_else(|| {
            Error::not_found(format!("there is no checkpoint `{place}`"))
                .with_hint("what is held in memory is gone with the trainer that saved it")
        })
    }
}

/// Where manifests lie.
fn complete(store: &dyn StorageHandle, what: Use) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    store.list(&format!("{}/", Place::root(what)), &mut |key, _| {
        if let Some(place) =
            key.strip_suffix(MANIFEST).and_then(|key| key.strip_suffix('/')).and_then(Place::parse)
        {
            places.push(place);
        }
        true
    })?;
    Ok(places)
}

fn describe(store: &dyn StorageHandle, place: &Place) -> Result<Checkpoint> {
    let manifest = Manifest::read(store, place)?;
    let record = read::record(store, place, &manifest)?;
    Ok(Checkpoint {
        run: record.run,
        name: place.name.clone(),
        uri: place.to_string(),
        optimizer: record.optimizer,
        bytes: Some(manifest.bytes()),
        created: Some(record.created),
        expires: None,
        public: None,
    })
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
