//! What a run has: weights, the gradient gathered since the last step, and the optimizer's memory.

use crate::{
    optimizer::{self, Moments},
    packed::{BatchLoss, Packed},
    weights::Weights,
};
use tinsmith_plugin_api::{Adam, Batch, Error, ErrorKind, Forward, LossRef, Metrics, Result};

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
}

impl State {
    /// A run that starts from these weights and this memory.
    pub fn new(weights: Weights, moments: Moments) -> Self {
        Self { weights, moments, gradient: Vec::new(), gathered: false }
    }

    /// Log-probability of every target.
    pub fn forward(&self, batch: &Batch) -> Result<Forward> {
        let packed = Packed::new(batch, self.weights.base.model.config())?;
        let Weights { base, layout, params, .. } = &self.weights;
        let logprobs = base.model.forward(layout, params, &packed)?;
        Ok(Forward { logprobs, metrics: Metrics::new() })
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
        let Weights { base, layout, params, .. } = &self.weights;
        self.gradient.resize(params.len(), 0.0);
        self.gathered = true;
        let (logprobs, value) = base
            .model
            .forward_backward(layout, params, &mut self.gradient, &packed, &loss)
            // The gradient may hold a part of the batch by now: nothing is `rejected` any more.
            .map_err(|e| match e.kind() {
                ErrorKind::REJECTED => e.with_kind(ErrorKind::OTHER),
                _ => e,
            })?;
        if !value.sum.is_finite() {
            return Err(diverged(format!("the loss is {}", value.sum)));
        }
        let mut metrics = value.metrics;
        metrics.insert("loss:sum".into(), value.sum);
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
        // The second moment is f32: an infinite one would hold its parameter still for ever.
        if !((norm * f64::from(clip)).powi(2) as f32).is_finite() {
            return Err(diverged(format!("the gradient's norm is {norm:.1e}")));
        }
        optimizer::step(&mut self.weights.params, &self.gradient, clip, adam, &mut self.moments);
        self.gradient.fill(0.0);
        self.gathered = false;
        Ok(Metrics::from([
            ("clip_factor".into(), f64::from(clip)),
            ("grad_norm".into(), norm),
            ("step".into(), self.moments.step as f64),
        ]))
    }
}

fn diverged(what: String) -> Error {
    Error::new(ErrorKind::OTHER, what).with_hint(
        "training diverged; go on from the last checkpoint with a lower \
         `optimizer.learning_rate` or with `optimizer.grad_clip_norm: 1.0`",
    )
}
