//! The passes over a batch: forward, and forward with backward.
//!
//! A batch is run in micro-batches of whole sequences, so that memory depends on the longest sequence
//! and not on the batch. A loss that judges each token alone is evaluated chunk by chunk within the
//! head; one that must see more gets all log-probabilities first, and the head is passed twice.

use super::{
    block::{Block, Places},
    head::{Head, HeadRoom, not_finite},
    net::Net,
    workspace::{Workspace, fit},
};
use crate::{
    kernels::embedding,
    layout::WeightId,
    packed::{Packed, TokenLoss},
};
use std::ops::Range;
use tinsmith_plugin_api::{LossScope, LossValue, Result};

/// Tokens of a micro-batch, unless a single sequence is longer. Enough rows for the products to run
/// at full speed.
const MICRO_TOKENS: usize = 1024;

/// A net at work on a batch.
pub(super) struct Pass<'a, 'b> {
    net: Net<'a>,
    batch: &'b Packed,
    work: &'b mut Workspace,
    room: &'b mut HeadRoom,
}

/// Some whole sequences of a batch.
struct Micro<'b> {
    /// Their tokens within the batch.
    range: Range<usize>,
    /// From 0.
    offsets: Vec<usize>,
    tokens: &'b [u32],
    targets: &'b [u32],
    positions: &'b [u32],
}

/// Where dL/dlogprob comes from.
enum Gradient<'l> {
    /// Evaluated chunk by chunk.
    Loss(&'l dyn TokenLoss),
    /// Known for the whole batch, `[T]`.
    Known(&'l [f32]),
}

impl<'a, 'b> Pass<'a, 'b> {
    pub(super) fn new(
        net: Net<'a>,
        batch: &'b Packed,
        frequencies: &[f32],
        work: &'b mut Workspace,
        room: &'b mut HeadRoom,
    ) -> Self {
        let longest = batch.offsets.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
        work.rope.extend(frequencies, longest);
        Self { net, batch, work, room }
    }

    /// Log-probability of every target.
    pub(super) fn forward(&mut self) -> Result<Vec<f32>> {
        let mut logprobs = vec![0.0; self.batch.len()];
        for micro in micro_batches(self.batch) {
            self.blocks_forward(&micro, false);
            self.head_forward(&micro, false, &mut logprobs[micro.range.clone()])?;
        }
        Ok(logprobs)
    }

    /// As [`Pass::forward`], of the tokens from `first` on. Shows `see` the logits of each and their
    /// logsumexp.
    pub(super) fn forward_seeing(
        &mut self,
        first: usize,
        see: &mut dyn FnMut(usize, &[f32], f32),
    ) -> Result<Vec<f32>> {
        let mut logprobs = vec![0.0; self.batch.len()];
        for micro in micro_batches(self.batch) {
            let start = micro.range.start;
            if first >= micro.range.end {
                continue;
            }
            self.blocks_forward(&micro, false);
            let hidden = &self.work.saved[self.hidden(false)].x;
            let mut head = Head::new(self.net, self.room, hidden, micro.targets);
            for chunk in head.chunks(first.saturating_sub(start)) {
                let tokens: Vec<usize> = chunk.clone().collect();
                let out = &mut logprobs[start + chunk.start..start + chunk.end];
                head.logprobs(&tokens, out)?;
                let rows = (start + chunk.start..).zip(head.rows());
                rows.for_each(|(token, (logits, lse))| see(token, logits, lse));
            }
        }
        Ok(logprobs)
    }

    /// As [`Pass::forward`]; adds the gradient of the loss to `grads`.
    pub(super) fn forward_backward(
        &mut self,
        grads: &mut [f32],
        loss: &dyn TokenLoss,
    ) -> Result<(Vec<f32>, LossValue)> {
        let mut logprobs = vec![0.0; self.batch.len()];
        let mut dlogprobs = vec![0.0; self.batch.len()];
        let micros = micro_batches(self.batch);
        if loss.scope() == LossScope::Token {
            for micro in &micros {
                let out = &mut logprobs[micro.range.clone()];
                self.blocks_forward(micro, true);
                self.backward(micro, &Gradient::Loss(loss), out, grads)?;
            }
            // Gradients were taken chunk by chunk; the value and its figures are the whole batch's.
            let value = loss.evaluate(0..logprobs.len(), &logprobs, &mut dlogprobs)?;
            return Ok((logprobs, value));
        }
        let alone = micros.len() == 1;
        for micro in &micros {
            self.blocks_forward(micro, alone);
            self.head_forward(micro, alone, &mut logprobs[micro.range.clone()])?;
        }
        let value = loss.evaluate(0..logprobs.len(), &logprobs, &mut dlogprobs)?;
        let mut again = vec![0.0; logprobs.len()];
        for micro in &micros {
            let out = &mut again[micro.range.clone()];
            if dlogprobs[micro.range.clone()].iter().all(|&d| d == 0.0) {
                continue;
            }
            if !alone {
                self.blocks_forward(micro, true);
            }
            self.backward(micro, &Gradient::Known(&dlogprobs), out, grads)?;
        }
        Ok((logprobs, value))
    }

    /// All blocks. With `keep`, what they need for the backward pass stays in the workspace.
    fn blocks_forward(&mut self, micro: &Micro<'_>, keep: bool) {
        let (net, layers) = (self.net, self.net.config.layers);
        let Workspace { saved, scratch, rope } = &mut *self.work;
        let slots = if keep { layers + 1 } else { 2 };
        if saved.len() < slots {
            saved.resize_with(slots, Default::default);
        }
        let places = Places { offsets: &micro.offsets, positions: micro.positions, rope };
        saved[0].fit(&net, 0, micro.tokens.len());
        let table = net.weight(WeightId::Embedding);
        embedding::gather(table, micro.tokens, net.config.hidden, &mut saved[0].x);
        for layer in 0..layers {
            let at = if keep { layer } else { 0 };
            let (here, next) = saved[at..].split_at_mut(1);
            here[0].fit(&net, layer, micro.tokens.len());
            fit(&mut next[0].x, micro.tokens.len() * net.config.hidden);
            Block::new(net, layer).forward(places, &mut here[0], scratch, &mut next[0].x);
            if !keep {
                std::mem::swap(&mut here[0].x, &mut next[0].x);
            }
        }
    }

    /// Where [`Pass::blocks_forward`] left the final hidden state.
    fn hidden(&self, kept: bool) -> usize {
        if kept { self.net.config.layers } else { 0 }
    }

    fn head_forward(&mut self, micro: &Micro<'_>, kept: bool, out: &mut [f32]) -> Result<()> {
        let hidden = self.hidden(kept);
        let mut head = Head::new(self.net, self.room, &self.work.saved[hidden].x, micro.targets);
        for chunk in head.chunks(0) {
            let tokens: Vec<usize> = chunk.clone().collect();
            head.logprobs(&tokens, &mut out[chunk])?;
        }
        Ok(())
    }

    /// Head and blocks, backward. `out` receives the log-probabilities of the tokens passed.
    fn backward(
        &mut self,
        micro: &Micro<'_>,
        gradient: &Gradient<'_>,
        out: &mut [f32],
        grads: &mut [f32],
    ) -> Result<()> {
        let (net, layers) = (self.net, self.net.config.layers);
        let hidden = self.hidden(true);
        let Workspace { saved, scratch, rope } = &mut *self.work;
        let mut head = Head::new(net, self.room, &saved[hidden].x, micro.targets);
        head.begin_backward();
        let mut any = false;
        for chunk in head.chunks(0) {
            let tokens: Vec<usize> = match gradient {
                Gradient::Loss(_) => chunk.clone().collect(),
                Gradient::Known(d) => {
                    chunk.clone().filter(|&t| d[micro.range.start + t] != 0.0).collect()
                }
            };
            if tokens.is_empty() {
                continue;
            }
            let mut logprobs = vec![0.0; tokens.len()];
            head.logprobs(&tokens, &mut logprobs)?;
            let mut d = vec![0.0; tokens.len()];
            match gradient {
                Gradient::Loss(loss) => {
                    let at = micro.range.start + chunk.start..micro.range.start + chunk.end;
                    loss.evaluate(at, &logprobs, &mut d)?;
                    out[chunk].copy_from_slice(&logprobs);
                }
                Gradient::Known(all) => {
                    for (d, &t) in d.iter_mut().zip(&tokens) {
                        *d = all[micro.range.start + t];
                    }
                }
            }
            if d.iter().any(|d| !d.is_finite()) {
                return Err(not_finite("the loss's gradient"));
            }
            any |= d.iter().any(|&d| d != 0.0);
            head.backward(&tokens, &d, grads);
        }
        if !any {
            return Ok(());
        }
        head.finish(&mut scratch.dx, grads);
        if !net.layout.trains_blocks {
            return Ok(());
        }
        let places = Places { offsets: &micro.offsets, positions: micro.positions, rope };
        let embedding_range = net.weight_range(WeightId::Embedding);
        for layer in (0..layers).rev() {
            let wanted = layer > 0 || embedding_range.is_some();
            Block::new(net, layer).backward(places, &mut saved[layer], scratch, grads, wanted);
        }
        if let Some(range) = embedding_range {
            embedding::scatter(&mut grads[range], micro.tokens, net.config.hidden, &scratch.dx);
        }
        Ok(())
    }
}

/// Cuts a batch between sequences, in order: a function of the batch alone.
fn micro_batches(batch: &Packed) -> Vec<Micro<'_>> {
    let mut out = Vec::new();
    let mut first = 0;
    for i in 1..batch.offsets.len() {
        let last = i + 1 == batch.offsets.len();
        if last || batch.offsets[i + 1] - batch.offsets[first] > MICRO_TOKENS {
            let range = batch.offsets[first]..batch.offsets[i];
            out.push(Micro {
                offsets: batch.offsets[first..=i].iter().map(|o| o - range.start).collect(),
                tokens: &batch.tokens[range.clone()],
                targets: &batch.targets[range.clone()],
                positions: &batch.positions[range.clone()],
                range,
            });
            first = i;
        }
    }
    out
}
