//! A trainer that panics on demand, also on a thread of its own, and echoes what it is given.

use crate::Config;
use std::sync::Arc;
use tinsmith_plugin_api::{
    Adam, Batch, Capabilities, Checkpoint, Done, Error, Export, FileSink, Forward, LossBatch,
    LossRef, Metrics, OpenRun, Outcome, Result, Run, RunId, SampleRequest, Sampled, Sampler,
    Samples, Save, Saved, Services, StopReason, Trainer,
};

pub(crate) struct Bad {
    config: Config,
    services: Services,
}

impl Trainer for Bad {
    const NAME: &'static str = "bad";
    type Config = Config;

    fn new(config: Config, services: Services) -> Result<Self> {
        config.reach("new");
        Ok(Self { config, services })
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.config.reach("capabilities");
        Ok(Capabilities { calls_loss: true, max_in_flight: 2, ..Capabilities::default() })
    }

    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>> {
        self.config.reach("open");
        match from {
            OpenRun::Base { .. } => {
                let (config, services) = (self.config.clone(), self.services.clone());
                Ok(Box::new(BadRun { config, services, kept: None }))
            }
            OpenRun::Saved { uri, .. } => Err(Error::not_found(format!("no checkpoint `{uri}`"))),
        }
    }

    fn sampler(&self, _: &str) -> Result<Box<dyn Sampler>> {
        self.config.reach("sampler");
        Ok(Box::new(BadSampler(self.config.clone())))
    }

    fn checkpoints(&self, run: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        self.config.reach("checkpoints");
        let run = run.cloned().unwrap_or_else(|| RunId("any".to_owned()));
        Ok(vec![Checkpoint {
            run,
            name: "one".to_owned(),
            uri: "bad:one".to_owned(),
            optimizer: true,
            bytes: Some(u64::MAX),
            created: None,
            expires: None,
            public: Some(true),
        }])
    }

    fn delete(&self, _: &str) -> Result<()> {
        self.config.reach("delete");
        Ok(())
    }

    /// Answers what it was told.
    fn publish(&self, uri: &str, public: bool) -> Result<()> {
        self.config.reach("publish");
        Err(Error::not_found(format!("`{uri}`, public: {public}")))
    }

    fn export(&self, uri: &str, _: Export, out: &mut dyn FileSink) -> Result<()> {
        self.config.reach("export");
        out.start("adapter.bin")?;
        out.write(uri.as_bytes())?;
        out.finish()
    }
}

struct BadRun {
    config: Config,
    services: Services,
    /// A promise that is kept for ever, until the run is dropped.
    kept: Option<Done<Metrics>>,
}

impl Run for BadRun {
    fn id(&self) -> RunId {
        self.config.reach("id");
        RunId("bad-run".to_owned())
    }

    /// Answers the logprobs −1, −2, … as a check of order.
    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>) {
        self.config.reach("forward");
        let config = self.config.clone();
        // Its own thread: a panic there drops the promise.
        std::thread::spawn(move || {
            config.reach("own thread");
            let logprobs = (1..=batch.targets.len()).map(|i| -(i as f32)).collect();
            done.finish(Ok(Forward { logprobs, metrics: Metrics::new() }));
        });
    }

    /// Calls the host's loss back and answers its gradient as metrics.
    fn forward_backward(&mut self, batch: Arc<Batch>, loss: LossRef, done: Done<Forward>) {
        self.config.reach("forward_backward");
        done.finish(evaluate(&batch, &loss));
    }

    fn optim_step(&mut self, adam: Adam, mut done: Done<Metrics>) {
        self.config.reach("optim_step");
        if self.config.panic_in == "never" {
            self.kept = Some(done);
            return;
        }
        done.waiting("queued behind others");
        done.finish(Ok([("lr:last".to_owned(), adam.learning_rate)].into()));
    }

    /// Writes through the host's store.
    fn save(&mut self, what: Save, done: Done<Saved>) {
        self.config.reach("save");
        let name = match what {
            Save::State { name, .. } | Save::Sampler { name } => name,
            Save::Ephemeral => "ephemeral".to_owned(),
        };
        let write = || -> Result<Saved> {
            let bytes = self.services.store()?.put(&format!("saved/{name}"), name.as_bytes())?;
            Ok(Saved { uri: format!("bad:{name}"), sha256: None, bytes: Some(bytes) })
        };
        done.finish(write());
    }

    fn close(self: Box<Self>, _: Outcome) -> Result<()> {
        self.config.reach("close");
        Ok(())
    }
}

fn evaluate(batch: &Batch, loss: &LossRef) -> Result<Forward> {
    let call = loss.call.as_ref().ok_or_else(|| Error::rejected("this trainer knows no loss"))?;
    let mut inputs = Vec::new();
    for name in call.inputs() {
        let column = batch.f32(name);
        inputs.push(column.ok_or_else(|| Error::rejected(format!("no column `{name}`")))?);
    }
    let logprobs: Vec<f32> = (1..=batch.targets.len()).map(|i| -(i as f32)).collect();
    let mut gradient = vec![f32::NAN; logprobs.len()];
    let whole = LossBatch {
        logprobs: &logprobs,
        inputs: &inputs,
        offsets: &batch.offsets,
        groups: &batch.groups,
    };
    let value = call.evaluate(&whole, &mut gradient)?;
    let mut metrics = value.metrics;
    metrics.insert("loss:sum".to_owned(), value.sum);
    for (i, g) in gradient.iter().enumerate() {
        metrics.insert(format!("gradient{i}:last"), f64::from(*g));
    }
    Ok(Forward { logprobs, metrics })
}

struct BadSampler(Config);

impl Sampler for BadSampler {
    /// Echoes the prompt backwards, streaming it first.
    fn sample(&self, request: SampleRequest, mut done: Done<Samples>) {
        self.0.reach("sample");
        if done.cancelled() {
            return done.finish(Err(Error::new(
                tinsmith_plugin_api::ErrorKind::CANCELLED,
                "nobody wants it",
            )));
        }
        let tokens: Vec<i32> = request.prompt.iter().rev().copied().collect();
        done.partial(&tokens);
        let logprobs = vec![f32::NEG_INFINITY; tokens.len()];
        // Of the tokens that were asked for, as many as were asked for.
        let top = |k: u32| (0..k as i32).map(|id| (id, -0.5)).collect::<Vec<_>>();
        let topk_logprobs = Some(vec![top(request.topk_sample_logprobs); tokens.len()]);
        let sampled = Sampled { tokens, logprobs, stop_reason: StopReason::Length, topk_logprobs };
        done.finish(Ok(Samples {
            sequences: vec![sampled],
            prompt_logprobs: Some(vec![None, Some(-0.5)]),
            topk_prompt_logprobs: Some(vec![Vec::new(), top(request.topk_prompt_logprobs)]),
            target_prompt_logprobs: request
                .target_prompt_logprobs
                .map(|targets| targets.ids.iter().map(|id| *id as f32).collect()),
        }));
    }
}
