//! What a run has: weights, the gradient gathered since the last step, and the optimizer's memory.

use super::{
    metrics,
    micro::{self, KnownGradient, PartLoss},
};
use crate::{
    optimizer::{self, Moments},
    packed::{BatchLoss, Packed, TokenLoss},
    weights::Weights,
};
use std::ops::Range;
use tinsmith_plugin_api::{
    Adam, Batch, Error, ErrorKind, Forward, LossRef, LossScope, LossValue, Metrics, Result,
};

/// The state of one run. Its methods compute on the rayon pool they are called in.
#[derive(Debug)]
pub struct State {
    /// The weights under training.
    pub weights: Weights,
    /// AdamW's memory.
    pub moments: Moments,
    gradient: Vec<f32>,
    /// Whether anything was added to the gradient since the last step.
    gathered: bool,
    /// Most tokens that go through the model at once.
    micro_batch_tokens: usize,
}

impl State {
    /// A run that starts from these weights and this memory.
    pub fn new(weights: Weights, moments: Moments, micro_batch_tokens: usize) -> Self {
        Self { weights, moments, gradient: Vec::new(), gathered: false, micro_batch_tokens }
    }

    /// Log-probability of every target.
    pub fn forward(&self, batch: &Batch) -> Result<Forward> {
        let packed = Packed::new(batch, self.weights.base.model.config())?;
        let parts = micro::plan(&packed.offsets, self.micro_batch_tokens);
        let logprobs = self.logprobs(&packed, &parts)?;
        Ok(Forward { logprobs, metrics: figures(&parts) })
    }

    /// As [`State::forward`]; adds the gradient of the loss. Everything that can be refused is
    /// refused before the gradient is touched.
    pub fn forward_backward(&mut self, batch: &Batch, loss: &LossRef) -> Result<Forward> {
        let packed = Packed::new(batch, self.weights.base.model.config())?;
        let Some(call) = loss.call.as_deref() else {
            return Err(Error::rejected(format!(
                "the local trainer knows no loss `{}` of its own and was given none to call",
                loss.name
            )));
        };
        let loss = BatchLoss::new(call, batch)?;
        let parts = micro::plan(&packed.offsets, self.micro_batch_tokens);
        self.gradient.resize(self.weights.params.len(), 0.0);
        self.gathered = true;
        let (logprobs, value) = if call.scope() == LossScope::Token || parts.len() == 1 {
            self.by_parts(&packed, &parts, &loss)
        } else {
            self.in_two_passes(&packed, &parts, &loss)
        }
        // From here on the gradient may hold a part of the batch: nothing is `rejected` any more.
        .map_err(|e| match e.kind() {
            ErrorKind::REJECTED => e.with_kind(ErrorKind::OTHER),
            _ => e,
        })?;
        if !value.sum.is_finite() {
            return Err(diverged(format!("the loss is {}", value.sum)));
        }
        let mut metrics = value.metrics;
        metrics.insert("loss:sum".into(), value.sum);
        metrics.extend(figures(&parts));
        Ok(Forward { logprobs, metrics })
    }

    /// One AdamW step with the gathered gradient, which is then empty.
    pub fn optim_step(&mut self, adam: &Adam) -> Result<Metrics> {
        optimizer::check(adam)?;
        if !self.gathered {
            return Err(Error::rejected("no gradient was gathered since the last step")
                .with_hint("call forward_backward before optim_step"));
        }
        let norm = optimizer::norm(&self.gradient);
        if !norm.is_finite() {
            return Err(diverged("the gradient is not finite".into()));
        }
        let clip = optimizer::clip_factor(norm, adam.grad_clip_norm);
        optimizer::step(&mut self.weights.params, &self.gradient, clip, adam, &mut self.moments);
        self.gradient.fill(0.0);
        self.gathered = false;
        Ok(Metrics::from([
            ("clip_factor".into(), f64::from(clip)),
            ("grad_norm".into(), norm),
            ("step".into(), self.moments.step as f64),
        ]))
    }

    fn logprobs(&self, packed: &Packed, parts: &[Range<usize>]) -> Result<Vec<f32>> {
        let Weights { base, layout, params, .. } = &self.weights;
        let mut logprobs = Vec::with_capacity(packed.len());
        for part in parts {
            logprobs.extend(base.model.forward(layout, params, &micro::cut(packed, part))?);
        }
        Ok(logprobs)
    }

    /// A loss that may be evaluated part by part.
    fn by_parts(
        &mut self,
        packed: &Packed,
        parts: &[Range<usize>],
        loss: &BatchLoss<'_>,
    ) -> Result<(Vec<f32>, LossValue)> {
        if parts.len() == 1 {
            return self.backward(packed, loss);
        }
        let mut logprobs = Vec::with_capacity(packed.len());
        let mut sum = 0.0;
        let mut figures = Vec::with_capacity(parts.len());
        for part in parts {
            let seen = PartLoss { loss, start: packed.offsets[part.start] };
            let (of_part, value) = self.backward(&micro::cut(packed, part), &seen)?;
            logprobs.extend(of_part);
            sum += value.sum;
            figures.push((value.metrics, part.len()));
        }
        Ok((logprobs, LossValue { sum, metrics: metrics::join(&figures) }))
    }

    /// A loss that must see more than a part: one pass for all log-probabilities, then one with the
    /// loss's derivative. Costs a forward pass more, but no memory.
    fn in_two_passes(
        &mut self,
        packed: &Packed,
        parts: &[Range<usize>],
        loss: &BatchLoss<'_>,
    ) -> Result<(Vec<f32>, LossValue)> {
        let logprobs = self.logprobs(packed, parts)?;
        let mut gradient = vec![0.0; logprobs.len()];
        let value = loss.evaluate(0..packed.len(), &logprobs, &mut gradient)?;
        for part in parts {
            let tokens = packed.offsets[part.start]..packed.offsets[part.end];
            let known = KnownGradient { gradient: &gradient[tokens] };
            self.backward(&micro::cut(packed, part), &known)?;
        }
        Ok((logprobs, value))
    }

    fn backward(&mut self, packed: &Packed, loss: &dyn TokenLoss) -> Result<(Vec<f32>, LossValue)> {
        let Weights { base, layout, params, .. } = &self.weights;
        base.model.forward_backward(layout, params, &mut self.gradient, packed, loss)
    }
}

fn figures(parts: &[Range<usize>]) -> Metrics {
    Metrics::from([("micro_batches:sum".into(), parts.len() as f64)])
}

fn diverged(what: String) -> Error {
    Error::new(ErrorKind::OTHER, what).with_hint(
        "training diverged; go on from the last checkpoint with a lower \
         `optimizer.learning_rate` or with `optimizer.grad_clip_norm: 1.0`",
    )
}
