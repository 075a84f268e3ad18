//! The trainer: opens runs and samplers over shared base models.

use crate::{
    adapter,
    base::Bases,
    checkpoint::{Loaded, Place, Store},
    config::LocalConfig,
    optimizer::Moments,
    pool::Pool,
    run::{LocalRun, State},
    sample::LocalSampler,
    weights::Weights,
};
use sha2::{Digest, Sha256};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tinsmith_plugin_api::{
    Capabilities, Checkpoint, Error, Export, FileSink, OpenRun, Result, Run, RunId, Sampler,
    Services, Trainer,
};

/// Trains on this machine's CPU.
pub struct Local {
    config: LocalConfig,
    services: Services,
    bases: Arc<Bases>,
    store: Store,
    pool: Arc<Pool>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Trainer for Local {
    const NAME: &'static str = "local";
    const SUMMARY: &'static str = "Trains adapters or whole models on this machine's CPU";
    type Config = LocalConfig;

    fn new(config: LocalConfig, services: Services) -> Result<Self> {
        config.check()?;
        let threads = config.threads.unwrap_or_else(|| services.threads());
        let pool = Arc::new(Pool::new(threads));
        let bases = Arc::new(Bases::new(Arc::clone(&pool)));
        let store = Store::new(services.clone(), Arc::clone(&bases));
        Ok(Self { config, services, bases, store, pool })
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        Ok(Capabilities {
            calls_loss: true,
            lora_keys: keys(&["rank", "alpha", "seed", "train_attn", "train_mlp", "train_unembed"]),
            adam_keys: keys(&[
                "learning_rate",
                "beta1",
                "beta2",
                "eps",
                "weight_decay",
                "grad_clip_norm",
            ]),
            full_parameters: true,
            max_in_flight: 2,
            deterministic: true,
            exports: vec![Export::Adapter, Export::Model],
            ..Capabilities::default()
        })
    }

    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>> {
        let pool = self.pool.get()?;
        let Loaded { weights, moments } = match from {
            OpenRun::Base { model, adapter } => {
                let base = self.bases.open(&model)?;
                let weights = pool.install(|| Weights::fresh(base, adapter))?;
                Loaded { weights, moments: Moments::default() }
            }
            OpenRun::Saved { uri, optimizer } => self.store.load(&place(&uri)?, optimizer)?,
        };
        let state = State::new(weights, moments);
        Ok(Box::new(LocalRun::start(new_run_id(), state, pool, self.store.clone())?))
    }

    fn sampler(&self, source: &str) -> Result<Box<dyn Sampler>> {
        let weights = self.weights(source)?;
        Ok(Box::new(LocalSampler::start(weights, self.pool.get()?, self.services.clone())?))
    }

    fn checkpoints(&self, run: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        self.store.list(run)
    }

    fn delete(&self, uri: &str) -> Result<()> {
        self.store.delete(&place(uri)?)
    }

    fn export(&self, uri: &str, what: Export, out: &mut dyn FileSink) -> Result<()> {
        self.store.export(&place(uri)?, what, out)
    }
}

impl Local {
    /// What a sampler reads: a checkpoint of this trainer, an adapter's directory, or a base model's.
    fn weights(&self, source: &str) -> Result<Arc<Weights>> {
        let dir = Path::new(source);
        if let Some(place) = Place::parse(source)
            && (self.store.has(&place) || !dir.is_dir())
        {
            return self.store.weights(&place);
        }
        if dir.join(adapter::ADAPTER_CONFIG).exists() {
            return Ok(Arc::new(adapter::from_dir(dir, &self.bases)?));
        }
        Ok(Arc::new(Weights::bare(self.bases.open(source)?)))
    }
}

fn place(uri: &str) -> Result<Place> {
    Place::parse(uri).ok_or_else(|| {
        Error::not_found(format!("`{uri}` is no checkpoint of the local trainer"))
            .with_hint("its checkpoints are called `checkpoints/<name>` and `samplers/<name>`")
    })
}

/// Names a run: unique, from the time, the process and a counter.
fn new_run_id() -> RunId {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(now.as_nanos().to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    hash.update(OPENED.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    RunId(format!("local-{}", &crate::checkpoint::hex(&hash.finalize())[..16]))
}
