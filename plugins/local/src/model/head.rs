//! The output head and the loss, fused: logits exist for a few hundred rows at a time.
//!
//! Rows whose dL/dlogprob is zero (a prompt's tokens) take part in the forward product only.

use super::{net::Net, project::Group, workspace::fit};
use crate::{
    kernels::{mat, mat_mut, norm, softmax},
    layout::WeightId,
};
use faer::Accum;
use std::ops::Range;
use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// Rows whose logits exist at the same time.
const ROWS: usize = 256;

/// Logits are also bounded in memory: at most so many at a time (64 MiB), whatever the vocabulary.
const MAX_LOGITS: usize = 1 << 24;

/// Buffers of the head.
#[derive(Debug, Default)]
pub(super) struct HeadRoom {
    /// Norm of the final hidden state, and its gradient: `[T, hidden]`.
    normed: Vec<f32>,
    dnormed: Vec<f32>,
    /// Of the rows at hand: input, gradient of the input, adapter's inner values, logits.
    x: Vec<f32>,
    dx: Vec<f32>,
    z: Vec<f32>,
    dz: Vec<f32>,
    logits: Vec<f32>,
    lse: Vec<f32>,
    targets: Vec<u32>,
}

/// The head at work on the final hidden state of some tokens.
pub(super) struct Head<'a, 'b> {
    net: Net<'a>,
    group: Group<'a>,
    room: &'b mut HeadRoom,
    /// Final hidden state, `[T, hidden]`.
    hidden: &'b [f32],
    targets: &'b [u32],
}

impl<'a, 'b> Head<'a, 'b> {
    /// Norms the hidden state.
    pub(super) fn new(
        net: Net<'a>,
        room: &'b mut HeadRoom,
        hidden: &'b [f32],
        targets: &'b [u32],
    ) -> Self {
        fit(&mut room.normed, hidden.len());
        let weight = net.norm(WeightId::FinalNorm);
        norm::forward(hidden, weight, net.config.norm_eps, &mut room.normed);
        let group = Group::head(&net);
        Self { net, group, room, hidden, targets }
    }

    /// Makes room for the gradient of the normed state, filled with zeros.
    pub(super) fn begin_backward(&mut self) {
        fit(&mut self.room.dnormed, self.hidden.len());
        self.room.dnormed.fill(0.0);
    }

    /// Ranges of tokens whose logits fit in memory together, from the token `first` on.
    pub(super) fn chunks(&self, first: usize) -> Vec<Range<usize>> {
        let total = self.targets.len();
        let rows = (MAX_LOGITS / self.net.config.vocab).clamp(1, ROWS);
        (first..total).step_by(rows).map(|start| start..(start + rows).min(total)).collect()
    }

    /// Logits of the rows that [`Head::logprobs`] saw last, and the logsumexp of each.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[f32], f32)> {
        self.room.logits.chunks_exact(self.net.config.vocab).zip(self.room.lse.iter().copied())
    }

    /// Log-probabilities of the targets of those tokens.
    pub(super) fn logprobs(&mut self, tokens: &[usize], logprobs: &mut [f32]) -> Result<()> {
        let c = self.net.config;
        let room = &mut *self.room;
        fit(&mut room.x, tokens.len() * c.hidden);
        for (x, &t) in room.x.chunks_exact_mut(c.hidden).zip(tokens) {
            x.copy_from_slice(&room.normed[t * c.hidden..(t + 1) * c.hidden]);
        }
        room.targets.clear();
        room.targets.extend(tokens.iter().map(|&t| self.targets[t]));
        fit(&mut room.logits, tokens.len() * c.vocab);
        fit(&mut room.z, tokens.len() * self.group.z_width(&self.net));
        let logits = mat_mut(&mut room.logits, c.vocab);
        self.group.forward(&self.net, mat(&room.x, c.hidden), Accum::Replace, logits, &mut room.z);
        fit(&mut room.lse, tokens.len());
        softmax::logprobs(&room.logits, c.vocab, &room.targets, logprobs, &mut room.lse);
        match logprobs.iter().position(|p| !p.is_finite()) {
            None => Ok(()),
            Some(_) => Err(not_finite("a log-probability")),
        }
    }

    /// The backward pass of the rows that [`Head::logprobs`] saw last, given dL/dlogprob of each.
    pub(super) fn backward(&mut self, tokens: &[usize], dlogprobs: &[f32], grads: &mut [f32]) {
        let c = self.net.config;
        let z_width = self.group.z_width(&self.net);
        let room = &mut *self.room;
        let kept: Vec<usize> = (0..tokens.len()).filter(|&i| dlogprobs[i] != 0.0).collect();
        if kept.is_empty() {
            return;
        }
        for (to, &from) in kept.iter().enumerate().filter(|&(to, &from)| to != from) {
            let row = |width: usize| from * width..(from + 1) * width;
            room.logits.copy_within(row(c.vocab), to * c.vocab);
            room.x.copy_within(row(c.hidden), to * c.hidden);
            room.z.copy_within(row(z_width), to * z_width);
            room.lse[to] = room.lse[from];
            room.targets[to] = room.targets[from];
        }
        let rows = kept.len();
        let d: Vec<f32> = kept.iter().map(|&i| dlogprobs[i]).collect();
        let logits = &mut room.logits[..rows * c.vocab];
        softmax::backward(logits, c.vocab, &room.targets[..rows], &room.lse[..rows], &d);
        fit(&mut room.dx, rows * c.hidden);
        fit(&mut room.dz, rows * z_width);
        self.group.backward(
            &self.net,
            mat(&room.x[..rows * c.hidden], c.hidden),
            &room.z[..rows * z_width],
            mat(logits, c.vocab),
            Some(mat_mut(&mut room.dx, c.hidden)),
            &mut room.dz,
            grads,
        );
        for (dx, &i) in room.dx.chunks_exact(c.hidden).zip(&kept) {
            let at = tokens[i] * c.hidden;
            room.dnormed[at..at + c.hidden].copy_from_slice(dx);
        }
    }

    /// The gradient of the hidden state, in `dx`; adds that of the final norm's weight.
    pub(super) fn finish(self, dx: &mut Vec<f32>, grads: &mut [f32]) {
        fit(dx, self.hidden.len());
        dx.fill(0.0);
        let id = WeightId::FinalNorm;
        let dw = self.net.weight_range(id).map(|range| &mut grads[range]);
        let (weight, eps) = (self.net.norm(id), self.net.config.norm_eps);
        norm::backward(self.hidden, weight, eps, &self.room.dnormed, dx, dw);
    }
}

/// Training went wrong: `what` is infinite or not a number.
pub(super) fn not_finite(what: &str) -> Error {
    Error::new(ErrorKind::OTHER, format!("{what} is not finite: training has diverged"))
        .with_hint("lower the learning rate or set `optimizer.grad_clip_norm`")
}
