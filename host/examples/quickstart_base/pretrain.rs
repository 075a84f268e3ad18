//! Pretraining: full-parameter steps of the local trainer over the corpus.

use crate::corpus::{END, document};
use anyhow::Context;
use serde_json::{Map, Value, json};
use std::{path::Path, sync::Arc, time::Instant};
use tinsmith::{
    config::{Curve, Schedule},
    plan::LearningRate,
    plugins::{PluginOptions, Registry},
    services::ServicesBuilder,
};
use tinsmith_plugin_api::{
    Adam, AdapterSpec, Batch, Column, ColumnData, Export, FileSink, Forward, LossRef, OpenRun,
    Outcome, Run, Save, Saved, TrainerHandle, ticket,
};
use tokenizers::Tokenizer;

/// Documents in a step: about 4,300 tokens.
pub const DOCUMENTS: u64 = 40;
/// Highest learning rate.
const PEAK: f64 = 4e-3;
/// Weight of tokens that nobody could foresee, against 1 for the assistant's.
const CONTEXT_WEIGHT: f32 = 0.4;
/// Steps between checkpoints.
const EVERY: u64 = 200;

/// What to do.
#[derive(Debug)]
pub struct Job<'a> {
    /// The directory with the weights to start from.
    pub base: &'a Path,
    /// Where checkpoints go. One that lies there is gone on from.
    pub work: &'a Path,
    pub tokenizer: &'a Tokenizer,
    pub seed: u64,
    pub steps: u64,
}

/// Trains, and exports the model into `out`.
///
/// # Errors
/// Whatever trainer or file system answer.
pub fn run(job: &Job<'_>, out: &mut dyn FileSink) -> anyhow::Result<()> {
    let registry = Registry::load(&PluginOptions::default())?;
    let uri: Map<String, Value> =
        [("uri".to_owned(), json!(job.work.display().to_string()))].into_iter().collect();
    let store = registry.storage("file", &uri, ServicesBuilder::new().build())?;
    let services = ServicesBuilder::new().store(store).build();
    let trainer = registry.trainer("local", &Map::new(), services)?;
    let loss = LossRef {
        name: "cross_entropy".into(),
        config: Value::Null,
        call: Some(registry.loss("cross_entropy", &Map::new())?),
    };
    let (mut run, first) = open(&*trainer, job.base)?;
    let schedule = Schedule {
        name: Curve::Cosine,
        warmup_steps: 100,
        min_lr_ratio: 0.03,
        ..Schedule::default()
    };
    let rate = LearningRate::new(&schedule, PEAK, job.steps);
    let (start, mut seen) = (Instant::now(), 0);
    for step in first..job.steps {
        let (batch, weight) = batch(job, step)?;
        let batch = Arc::new(batch);
        seen += batch.tokens.len();
        let (done, answer) = ticket();
        run.forward_backward(Arc::clone(&batch), loss.clone(), done);
        let forward = answer.wait()?;
        let (done, stepped) = ticket();
        run.optim_step(adam(rate.at(step)), done);
        stepped.wait()?;
        if step % 20 == 0 || step + 1 == job.steps {
            report(step, &batch, &forward, weight, seen as f64 / start.elapsed().as_secs_f64());
        }
        if (step + 1) % EVERY == 0 || step + 1 == job.steps {
            save(&*trainer, &mut *run, step + 1)?;
        }
    }
    let uri = last(&*trainer)?.context("no checkpoint was written")?.0;
    run.close(Outcome::Success)?;
    trainer.export(&uri, Export::Model, out)?;
    Ok(())
}

/// A fresh run, or the last checkpoint's; and the step that comes next.
fn open(trainer: &dyn TrainerHandle, base: &Path) -> anyhow::Result<(Box<dyn Run>, u64)> {
    if let Some((uri, step)) = last(trainer)? {
        eprintln!("going on after step {step}");
        return Ok((trainer.open(OpenRun::Saved { uri, optimizer: true })?, step));
    }
    let model = base.display().to_string();
    Ok((trainer.open(OpenRun::Base { model, adapter: AdapterSpec::Full })?, 0))
}

/// The newest checkpoint and its step.
fn last(trainer: &dyn TrainerHandle) -> anyhow::Result<Option<(String, u64)>> {
    let step = |name: &str| name.strip_prefix("step-").and_then(|n| n.parse::<u64>().ok());
    let all = trainer.checkpoints(None)?;
    Ok(all.into_iter().filter_map(|c| Some((c.uri, step(&c.name)?))).max_by_key(|found| found.1))
}

fn save(trainer: &dyn TrainerHandle, run: &mut dyn Run, step: u64) -> anyhow::Result<()> {
    let before = last(trainer)?;
    let (done, saved) = ticket::<Saved>();
    run.save(Save::State { name: format!("step-{step:05}"), optimizer: true }, done);
    saved.wait()?;
    if let Some((uri, _)) = before {
        trainer.delete(&uri)?;
    }
    Ok(())
}

fn adam(learning_rate: f64) -> Adam {
    Adam {
        learning_rate,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.05,
        grad_clip_norm: 1.0,
    }
}

/// The documents of a step, weighted so that the loss is a mean; and the sum of raw weights.
fn batch(job: &Job<'_>, step: u64) -> anyhow::Result<(Batch, f32)> {
    let id = |token: &str| job.tokenizer.token_to_id(token).context("a special token is missing");
    let (start, end, stop) = (id("<|im_start|>")?, id("<|im_end|>")?, id(END)?);
    let mut batch = Batch { offsets: vec![0], ..Batch::default() };
    let mut weights = Vec::new();
    for i in 0..DOCUMENTS {
        let text = document(job.seed, step * DOCUMENTS + i);
        let encoded = job.tokenizer.encode_fast(text, false).map_err(anyhow::Error::from_boxed)?;
        let mut ids = vec![stop];
        ids.extend(encoded.get_ids());
        ids.push(stop);
        weights.extend(weigh(&ids, start, end, job.tokenizer.token_to_id("assistant")));
        batch.tokens.extend(ids[..ids.len() - 1].iter().map(|&id| id as i32));
        batch.targets.extend(ids[1..].iter().map(|&id| id as i32));
        batch.offsets.push(batch.tokens.len() as u64);
        batch.groups.push(i);
    }
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    batch.columns.push(Column { name: "weights".into(), data: ColumnData::F32(weights) });
    Ok((batch, sum))
}

/// A weight for each token but the first: 1 for what an assistant says (its `<|im_end|>` included)
/// and for documents that are no conversation.
fn weigh(ids: &[u32], start: u32, end: u32, assistant: Option<u32>) -> Vec<f32> {
    let conversation = ids.contains(&start);
    let mut speaking = false;
    let mut weights = Vec::with_capacity(ids.len());
    for (i, &id) in ids.iter().enumerate() {
        if id == start {
            speaking = false;
        }
        if i > 0 {
            weights.push(if speaking || !conversation { 1.0 } else { CONTEXT_WEIGHT });
        }
        // After `<|im_start|>`, the role and its newline.
        if i >= 2 && ids[i - 2] == start && assistant == Some(ids[i - 1]) {
            speaking = true;
        }
        if id == end {
            speaking = false;
        }
    }
    weights
}

fn report(step: u64, batch: &Batch, forward: &Forward, weight: f32, rate: f64) {
    let weights = batch.f32("weights").unwrap_or_default();
    let full = 0.99 / weight;
    let mean = |wanted: &dyn Fn(f32) -> bool| {
        let chosen: Vec<f32> = forward
            .logprobs
            .iter()
            .zip(weights)
            .filter(|(_, w)| wanted(**w))
            .map(|(lp, _)| -lp)
            .collect();
        chosen.iter().sum::<f32>() / chosen.len().max(1) as f32
    };
    eprintln!(
        "step {step:5}  loss {:.4} (answers) {:.4} (context)  {rate:.0} tokens/s",
        mean(&|w| w > full),
        mean(&|w| w <= full)
    );
}
