/*!
A trainer that computes nothing: every token is as likely as one of e. What it keeps is a chain of
hashes over all that it was given, so that two runs that end alike were given the same.
*/
#![forbid(unsafe_code)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc};
use tinsmith_plugin_api::{
    Adam, Batch, Capabilities, Checkpoint, Done, Error, Export, FileSink, Forward, LossRef,
    Metrics, OpenRun, Outcome, Result, Run, RunId, Sampler, Save, Saved, Services, StorageHandle,
    Trainer, plugin,
};

const FOLDER: &str = "checkpoints/";

/// Names an optimizer step, from 1, before which the process dies as a machine does. No key of the
/// config: that must be the same when the run goes on.
const ABORT_AT: &str = "NULL_TRAINER_ABORT_AT";

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {}

/// All that there is of an adapter.
#[derive(Clone, Default, Serialize, Deserialize)]
struct State {
    /// Optimizer steps.
    steps: u64,
    /// sha256 (hex) of the state before and of the batch, step after step.
    chain: String,
}

struct Null(Services);

impl Null {
    fn store(&self) -> Result<Arc<dyn StorageHandle>> {
        self.0.store()
    }

    fn load(&self, uri: &str) -> Result<State> {
        Ok(serde_json::from_slice(&self.store()?.get(uri)?)?)
    }
}

impl Trainer for Null {
    const NAME: &'static str = "null";
    const SUMMARY: &'static str = "computes nothing, and remembers what it was given";
    type Config = Config;

    fn new(_: Config, services: Services) -> Result<Self> {
        Ok(Self(services))
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        let adam = ["learning_rate", "beta1", "beta2", "eps", "weight_decay", "grad_clip_norm"];
        let lora = ["rank", "alpha", "seed", "train_attn", "train_mlp", "train_unembed"];
        Ok(Capabilities {
            native_losses: vec!["cross_entropy".into()],
            adam_keys: keys(&adam),
            lora_keys: keys(&lora),
            max_in_flight: 2,
            deterministic: true,
            exports: vec![Export::Adapter],
            ..Capabilities::default()
        })
    }

    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>> {
        let state = match from {
            OpenRun::Base { .. } => State::default(),
            OpenRun::Saved { uri, .. } => self.load(&uri)?,
        };
        let abort_at = std::env::var(ABORT_AT).ok().and_then(|step| step.parse().ok());
        let store = self.store()?;
        Ok(Box::new(NullRun { state, open: Sha256::new(), store, abort_at }))
    }

    fn sampler(&self, _: &str) -> Result<Box<dyn Sampler>> {
        Err(Error::unsupported("nothing is computed here"))
    }

    fn checkpoints(&self, _: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        let mut found = Vec::new();
        self.store()?.list(FOLDER, &mut |key, bytes| {
            let name = key.strip_prefix(FOLDER).unwrap_or(key).to_owned();
            found.push(Checkpoint {
                run: RunId("null".into()),
                name,
                uri: key.to_owned(),
                optimizer: true,
                bytes: Some(bytes),
                created: None,
                expires: None,
                public: None,
            });
            true
        })?;
        Ok(found)
    }

    fn delete(&self, uri: &str) -> Result<()> {
        self.store()?.delete(uri)
    }

    fn export(&self, uri: &str, _: Export, out: &mut dyn FileSink) -> Result<()> {
        out.start("state.json")?;
        out.write(&serde_json::to_vec(&self.load(uri)?)?)?;
        out.finish()
    }
}

struct NullRun {
    state: State,
    /// What came since the last optimizer step.
    open: Sha256,
    store: Arc<dyn StorageHandle>,
    abort_at: Option<u64>,
}

impl NullRun {
    fn answer(batch: &Batch) -> Forward {
        let logprobs = vec![-1.0; batch.targets.len()];
        Forward { logprobs, metrics: BTreeMap::new() }
    }
}

impl Run for NullRun {
    fn id(&self) -> RunId {
        RunId("null".into())
    }

    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>) {
        done.finish(Ok(Self::answer(&batch)));
    }

    fn forward_backward(&mut self, batch: Arc<Batch>, _: LossRef, done: Done<Forward>) {
        // As text: floats come out as short as they go in again.
        self.open.update(format!("{batch:?}"));
        done.finish(Ok(Self::answer(&batch)));
    }

    fn optim_step(&mut self, adam: Adam, done: Done<Metrics>) {
        self.state.steps += 1;
        if self.abort_at == Some(self.state.steps) {
            std::process::abort();
        }
        let mut all = std::mem::take(&mut self.open);
        all.update(format!("{adam:?}"));
        all.update(&self.state.chain);
        self.state.chain = format!("{:x}", all.finalize());
        done.finish(Ok(Metrics::new()));
    }

    fn save(&mut self, what: Save, done: Done<Saved>) {
        let save = || -> Result<Saved> {
            let Save::State { name, .. } = what else {
                return Err(Error::unsupported("nothing is sampled here"));
            };
            let uri = format!("{FOLDER}{name}");
            let bytes = serde_json::to_vec(&self.state)?;
            self.store.delete(&uri)?;
            self.store.create_if_absent(&uri, &bytes)?;
            Ok(Saved { uri, sha256: None, bytes: Some(bytes.len() as u64) })
        };
        done.finish(save());
    }

    fn close(self: Box<Self>, _: Outcome) -> Result<()> {
        Ok(())
    }
}

plugin! { trainers: [Null] }
