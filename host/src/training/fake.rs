//! A trainer for tests of the loop: its weights are a number that every operation changes.

use serde_json::Value;
use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex},
};
use tinsmith_plugin_api::{
    Adam, Batch, Capabilities, Checkpoint, Done, Error, ErrorKind, EvaluateLoss, Export, FileSink,
    Forward, LossBatch, LossHandle, LossRef, LossScope, LossValue, Metrics, OpenRun, Outcome,
    RemoteLoss, Result, Run, RunId, Sampler, Save, Saved, TrainerHandle,
};

/// What a fake trainer remembers.
#[derive(Default)]
pub struct State {
    /// Every operation, in order: `fb 3` (datums), `optim`, `save 000002`, `forward`, `open base`.
    pub log: Vec<String>,
    /// Saved weights by uri.
    pub saved: BTreeMap<String, u64>,
    /// Operations left until one fails, and how.
    pub fail_in: Option<(usize, Failing)>,
    /// No operation is ever answered.
    pub fail_always: bool,
    runs: u32,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug)]
pub enum Failing {
    /// With an answer of this kind.
    With(ErrorKind),
    /// Without an answer.
    Dropped,
}

/// A trainer that answers at once, or, pipelined, from threads of its own.
#[derive(Clone, Default)]
pub struct Fake {
    pub state: Arc<Mutex<State>>,
    pub pipelined: bool,
    pub can: Capabilities,
}

impl Fake {
    pub fn new(pipelined: bool) -> Self {
        let can = Capabilities {
            native_losses: vec!["cross_entropy".into()],
            max_in_flight: 8,
            ..Capabilities::default()
        };
        Self { state: Arc::default(), pipelined, can }
    }

    pub fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }
}

impl TrainerHandle for Fake {
    fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.can.clone())
    }

    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>> {
        let mut state = self.state.lock().unwrap();
        let weights = match &from {
            OpenRun::Base { .. } => 1,
            OpenRun::Saved { uri, .. } => *state
                .saved
                .get(uri)
                .ok_or_else(|| Error::not_found(format!("no checkpoint `{uri}`")))?,
        };
        state.runs += 1;
        let id = format!("run-{}", state.runs);
        state.log.push(match from {
            OpenRun::Base { .. } => "open base".into(),
            OpenRun::Saved { uri, .. } => format!("open {uri}"),
        });
        Ok(Box::new(FakeRun { fake: self.clone(), id, weights, gradient: 0 }))
    }

    fn sampler(&self, _: &str) -> Result<Box<dyn Sampler>> {
        Err(Error::unsupported("the fake does not sample"))
    }

    fn checkpoints(&self, _: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        let state = self.state.lock().unwrap();
        let listed = state.saved.keys().map(|uri| {
            let (run, name) = uri.split_once('/').unwrap();
            let (run, name, uri) = (RunId(run.into()), name.into(), uri.clone());
            Checkpoint {
                run,
                name,
                uri,
                optimizer: true,
                bytes: None,
                created: None,
                expires: None,
                public: None,
            }
        });
        Ok(listed.collect())
    }

    fn delete(&self, uri: &str) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        state.log.push(format!("delete {uri}"));
        state.saved.remove(uri);
        Ok(())
    }

    fn set_ttl(&self, _: &str, _: Option<u64>) -> Result<()> {
        Err(Error::unsupported("the fake has no expiry"))
    }

    fn publish(&self, _: &str, _: bool) -> Result<()> {
        Err(Error::unsupported("the fake publishes nothing"))
    }

    fn export(&self, _: &str, _: Export, _: &mut dyn FileSink) -> Result<()> {
        Err(Error::unsupported("the fake exports nothing"))
    }
}

struct FakeRun {
    fake: Fake,
    id: String,
    weights: u64,
    gradient: u64,
}

fn mix(values: impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    values.hash(&mut hash);
    hash.finish()
}

impl FakeRun {
    /// Executes an operation and answers it. A failing one is not executed; those behind it are.
    fn op<T: Send + 'static>(
        &mut self,
        name: String,
        done: Done<T>,
        execute: impl FnOnce(&mut Self) -> T,
    ) {
        let failing = {
            let mut state = self.fake.state.lock().unwrap();
            state.log.push(name);
            let always = state.fail_always;
            match &mut state.fail_in {
                _ if always => Some(Failing::Dropped),
                Some((0, how)) => {
                    let how = *how;
                    state.fail_in = None;
                    Some(how)
                }
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            }
        };
        let answer = match failing {
            Some(Failing::Dropped) => return drop(done),
            Some(Failing::With(kind)) => Err(Error::new(kind, "made to fail")),
            None => Ok(execute(self)),
        };
        if self.fake.pipelined {
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(1));
                done.finish(answer);
            });
        } else {
            done.finish(answer);
        }
    }
}

fn forward_of(batch: &Batch, weights: u64) -> Forward {
    let logprob = -1.0 - (weights % 97) as f32 / 97.0;
    Forward { logprobs: vec![logprob; batch.targets.len()], metrics: Metrics::new() }
}

impl Run for FakeRun {
    fn id(&self) -> RunId {
        RunId(self.id.clone())
    }

    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>) {
        self.op("forward".into(), done, |run| forward_of(&batch, run.weights));
    }

    fn forward_backward(&mut self, batch: Arc<Batch>, loss: LossRef, done: Done<Forward>) {
        let name = format!("fb {}{}", batch.len(), if loss.call.is_some() { " call" } else { "" });
        self.op(name, done, |run| {
            let weights: Vec<u32> =
                batch.f32("weights").unwrap_or_default().iter().map(|w| w.to_bits()).collect();
            run.gradient = mix((run.gradient, &batch.tokens, &batch.targets, weights));
            forward_of(&batch, run.weights)
        });
    }

    fn optim_step(&mut self, adam: Adam, done: Done<Metrics>) {
        self.op("optim".into(), done, |run| {
            run.weights = mix((run.weights, run.gradient, adam.learning_rate.to_bits()));
            run.gradient = 0;
            Metrics::from([
                ("grad_norm".into(), 1.0),
                ("step".into(), 9.0),
                ("bad".into(), f64::NAN),
            ])
        });
    }

    fn save(&mut self, what: Save, done: Done<Saved>) {
        let name = match what {
            Save::State { name, .. } | Save::Sampler { name } => name,
            Save::Ephemeral => "ephemeral".into(),
        };
        self.op(format!("save {name}"), done, |run| {
            let uri = format!("{}/{name}", run.id);
            run.fake.state.lock().unwrap().saved.insert(uri.clone(), run.weights);
            Saved { uri, sha256: None, bytes: None }
        });
    }

    fn close(self: Box<Self>, why: Outcome) -> Result<()> {
        self.fake.state.lock().unwrap().log.push(format!("close {why:?}").to_lowercase());
        Ok(())
    }
}

/// The loss −Σ w · logprob², which no server knows.
pub struct Squares {
    /// What `remote` answers.
    pub known: bool,
    inputs: Vec<String>,
}

impl Squares {
    pub fn new(known: bool) -> Arc<Self> {
        Arc::new(Self { known, inputs: vec!["weights".into()] })
    }
}

impl EvaluateLoss for Squares {
    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn scope(&self) -> LossScope {
        LossScope::Token
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let mut sum = 0.0;
        for (i, logprob) in batch.logprobs.iter().enumerate() {
            let weight = batch.inputs[0][i];
            sum -= f64::from(weight * logprob * logprob);
            grad[i] = -2.0 * weight * logprob;
        }
        Ok(LossValue { sum, metrics: BTreeMap::new() })
    }
}

impl LossHandle for Squares {
    fn remote(&self) -> Result<Option<RemoteLoss>> {
        let name = if self.known { "cross_entropy" } else { "squares" };
        Ok(Some(RemoteLoss { name: name.into(), config: Value::Null }))
    }
}
