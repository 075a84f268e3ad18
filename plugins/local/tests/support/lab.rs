//! A trainer behind the boundary, as a host sees it: runs, batches and losses.

use serde_json::json;
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tinsmith_local::Local;
use tinsmith_plugin_api::{
    Adam, AdapterSpec, Batch, Column, ColumnData, EvaluateLoss, Forward, Lora, LossBatch, LossRef,
    LossScope, LossValue, Metrics, OpenRun, Result, Run, SampleRequest, Sampler, Samples, Save,
    Saved, TrainerHandle,
    testing::{self, MemoryServices},
    ticket,
};
use tinsmith_test_support::tiny_model::{TinyModel, tiny_llama};

/// A tiny base model on disk, a host in memory, and a trainer as a host would build it.
pub struct Lab {
    pub dir: TempDir,
    pub host: MemoryServices,
    pub trainer: Arc<dyn TrainerHandle>,
}

impl Lab {
    pub fn new() -> Self {
        Self::with(&json!({}), 2)
    }

    pub fn with(config: &serde_json::Value, threads: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        tiny_llama(&dir.path().join("base"), 1).unwrap();
        let host = MemoryServices::new().with_threads(threads);
        let trainer = testing::trainer::<Local>(config, &host.services()).unwrap();
        Self { dir, host, trainer }
    }

    pub fn base(&self) -> String {
        self.dir.path().join("base").to_str().unwrap().to_owned()
    }

    pub fn write_base(&self, name: &str, model: &TinyModel) -> String {
        let dir = self.dir.path().join(name);
        model.write(&dir).unwrap();
        dir.to_str().unwrap().to_owned()
    }

    pub fn open(&self, adapter: AdapterSpec) -> Session {
        let from = OpenRun::Base { model: self.base(), adapter };
        Session(self.trainer.open(from).unwrap())
    }

    pub fn reopen(&self, saved: &Saved) -> Session {
        let from = OpenRun::Saved { uri: saved.uri.clone(), optimizer: true };
        Session(self.trainer.open(from).unwrap())
    }

    /// The bytes of a stored file.
    pub fn blob(&self, key: &str) -> Vec<u8> {
        self.host.services().store().unwrap().get(key).unwrap()
    }
}

/// A run whose operations are waited for.
pub struct Session(pub Box<dyn Run>);

impl Session {
    pub fn forward(&mut self, batch: &Arc<Batch>) -> Result<Forward> {
        let (done, answer) = ticket();
        self.0.forward(Arc::clone(batch), done);
        answer.wait()
    }

    pub fn forward_backward(&mut self, batch: &Arc<Batch>, loss: &LossRef) -> Result<Forward> {
        let (done, answer) = ticket();
        self.0.forward_backward(Arc::clone(batch), loss.clone(), done);
        answer.wait()
    }

    pub fn optim_step(&mut self, adam: Adam) -> Result<Metrics> {
        let (done, answer) = ticket();
        self.0.optim_step(adam, done);
        answer.wait()
    }

    pub fn save(&mut self, what: Save) -> Result<Saved> {
        let (done, answer) = ticket();
        self.0.save(what, done);
        answer.wait()
    }

    pub fn save_state(&mut self, name: &str) -> Saved {
        self.save(Save::State { name: name.into(), optimizer: true }).unwrap()
    }

    /// One step on a batch; answers the loss.
    pub fn step(&mut self, batch: &Arc<Batch>) -> f64 {
        let forward = self.forward_backward(batch, &nll()).unwrap();
        self.optim_step(adam()).unwrap();
        forward.metrics["loss:sum"]
    }
}

pub fn lora() -> AdapterSpec {
    AdapterSpec::Lora(Lora {
        rank: 4,
        alpha: 8.0,
        seed: 3,
        train_attn: true,
        train_mlp: true,
        train_unembed: true,
    })
}

pub fn adam() -> Adam {
    Adam {
        learning_rate: 0.01,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.01,
        grad_clip_norm: 1.0,
    }
}

/// Sequences of the given lengths over printable bytes, different for each seed; the first quarter
/// of each is context.
pub fn batch(lengths: &[usize], seed: u64) -> Arc<Batch> {
    let mut batch = Batch { offsets: vec![0], ..Batch::default() };
    let mut weights = Vec::new();
    let mut state = seed;
    for (i, &len) in lengths.iter().enumerate() {
        let text: Vec<i32> = (0..=len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                32 + (state >> 33) as i32 % 90
            })
            .collect();
        batch.tokens.extend(&text[..len]);
        batch.targets.extend(&text[1..]);
        weights.extend((0..len).map(|t| if t < len / 4 { 0.0 } else { 1.0 }));
        batch.offsets.push(batch.tokens.len() as u64);
        batch.groups.push(i as u64);
    }
    batch.columns.push(Column { name: "weights".into(), data: ColumnData::F32(weights) });
    Arc::new(batch)
}

type Formula = dyn Fn(&LossBatch<'_>, &mut [f32]) -> Result<LossValue> + Send + Sync;

/// A loss made of a closure.
pub struct FnLoss {
    inputs: Vec<String>,
    scope: LossScope,
    formula: Box<Formula>,
}

impl EvaluateLoss for FnLoss {
    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn scope(&self) -> LossScope {
        self.scope
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        (self.formula)(batch, grad)
    }
}

pub fn loss(
    scope: LossScope,
    inputs: &[&str],
    formula: impl Fn(&LossBatch<'_>, &mut [f32]) -> Result<LossValue> + Send + Sync + 'static,
) -> LossRef {
    let inputs = inputs.iter().map(|&name| name.to_owned()).collect();
    let call = FnLoss { inputs, scope, formula: Box::new(formula) };
    LossRef { name: "custom".into(), config: json!({}), call: Some(Arc::new(call)) }
}

/// Weighted negative log-likelihood, with whatever scope it is asked to declare.
pub fn nll_of(scope: LossScope) -> LossRef {
    loss(scope, &["weights"], |batch, grad| {
        let mut sum = 0.0;
        for (i, (lp, w)) in batch.logprobs.iter().zip(batch.inputs[0]).enumerate() {
            sum -= f64::from(lp * w);
            grad[i] = -w;
        }
        Ok(LossValue { sum, ..LossValue::default() })
    })
}

pub fn nll() -> LossRef {
    nll_of(LossScope::Token)
}

/// Reads a directory's files into the names and bytes an export gives.
#[derive(Default)]
pub struct Files(pub Vec<(String, Vec<u8>)>);

impl tinsmith_plugin_api::FileSink for Files {
    fn start(&mut self, name: &str) -> Result<()> {
        self.0.push((name.into(), Vec::new()));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.last_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Files {
    pub fn write_to(&self, dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        for (name, bytes) in &self.0 {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Samples, and waits.
pub fn ask(sampler: &dyn Sampler, request: SampleRequest) -> Result<Samples> {
    let (done, answer) = ticket();
    sampler.sample(request, done);
    answer.wait()
}
