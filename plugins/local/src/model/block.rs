//! One block: norm, attention, residual, norm, MLP, residual; forward and backward.

use super::{
    Linear,
    net::Net,
    project::Group,
    rotation::{self, QkNorms},
    workspace::{Saved, Scratch, fit},
};
use crate::{
    kernels::{ROWS, add, attention, by_rows, mat, mat_mut, norm, rope::RopeTable, swiglu},
    layout::WeightId,
};
use faer::Accum;
use rayon::prelude::*;

/// One block of a net, at work on packed sequences.
pub(super) struct Block<'a> {
    net: Net<'a>,
    layer: usize,
    qkv: Group<'a>,
    out: Group<'a>,
    gate_up: Group<'a>,
    down: Group<'a>,
}

/// Where tokens stand: what attention and rotation need to know.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// `[B + 1]`.
    pub offsets: &'a [usize],
    /// `[T]`.
    pub positions: &'a [u32],
    pub rope: &'a RopeTable,
}

impl<'a> Block<'a> {
    pub(super) fn new(net: Net<'a>, layer: usize) -> Self {
        let group = |i: usize| Group::of_block(&net, layer, Linear::GROUPS[i]);
        let (qkv, out, gate_up, down) = (group(0), group(1), group(2), group(3));
        Self { net, layer, qkv, out, gate_up, down }
    }

    /// From `saved.x` to `next`, the input of the next block, `[T, hidden]`.
    pub(super) fn forward(
        &self,
        places: Places<'_>,
        saved: &mut Saved,
        scratch: &mut Scratch,
        next: &mut [f32],
    ) {
        let heads = self.net.heads();
        self.project_qkv(places, saved, scratch);
        attention::forward(&saved.qkv, places.offsets, heads, &mut saved.context, &mut saved.lse);
        self.after_attention(saved, scratch, next);
    }

    /// Norm, projections, q/k norm and rotation: `saved.x` to `saved.qkv`.
    pub(super) fn project_qkv(&self, places: Places<'_>, saved: &mut Saved, scratch: &mut Scratch) {
        let c = self.net.config;
        fit(&mut scratch.normed, saved.x.len());
        let weight = self.net.norm(WeightId::AttnNorm(self.layer));
        norm::forward(&saved.x, weight, c.norm_eps, &mut scratch.normed);
        let normed = mat(&scratch.normed, c.hidden);
        let qkv = mat_mut(&mut saved.qkv, c.qkv_width());
        self.qkv.forward(&self.net, normed, Accum::Replace, qkv, &mut saved.z[0]);
        let (width, turned) = (c.qkv_width(), c.q_width() + c.kv_width());
        if c.qk_norm {
            by_rows(&mut saved.raw, turned, |first, rows| {
                for (i, raw) in rows.chunks_exact_mut(turned).enumerate() {
                    raw.copy_from_slice(&saved.qkv[(first + i) * width..][..turned]);
                }
            });
        }
        let norms = self.qk_norms();
        by_rows(&mut saved.qkv, width, |first, rows| {
            let positions = &places.positions[first..];
            rotation::forward_rows(rows, positions, c, places.rope, norms);
        });
    }

    /// Weights of the q/k norms, if the model has them.
    fn qk_norms(&self) -> Option<QkNorms<'a>> {
        self.net.config.qk_norm.then(|| QkNorms {
            q: self.net.norm(WeightId::QNorm(self.layer)),
            k: self.net.norm(WeightId::KNorm(self.layer)),
        })
    }

    /// Output projection, residual and MLP: `saved.context` and `saved.x` to `next`.
    pub(super) fn after_attention(
        &self,
        saved: &mut Saved,
        scratch: &mut Scratch,
        next: &mut [f32],
    ) {
        let c = self.net.config;
        saved.mid.copy_from_slice(&saved.x);
        let context = mat(&saved.context, c.q_width());
        let mid = mat_mut(&mut saved.mid, c.hidden);
        self.out.forward(&self.net, context, Accum::Add, mid, &mut saved.z[1]);
        self.norm_mid(&saved.mid, &mut scratch.normed);
        let normed = mat(&scratch.normed, c.hidden);
        let gate_up = mat_mut(&mut saved.gate_up, 2 * c.intermediate);
        self.gate_up.forward(&self.net, normed, Accum::Replace, gate_up, &mut saved.z[2]);
        fit(&mut scratch.act, saved.gate_up.len() / 2);
        swiglu::forward(&saved.gate_up, &mut scratch.act, c.intermediate);
        next.copy_from_slice(&saved.mid);
        let act = mat(&scratch.act, c.intermediate);
        let next = mat_mut(next, c.hidden);
        self.down.forward(&self.net, act, Accum::Add, next, &mut saved.z[3]);
    }

    fn norm_mid(&self, mid: &[f32], normed: &mut Vec<f32>) {
        fit(normed, mid.len());
        let weight = self.net.norm(WeightId::MlpNorm(self.layer));
        norm::forward(mid, weight, self.net.config.norm_eps, normed);
    }

    /// Turns `scratch.dx` from the gradient of the block's output into that of its input, and adds
    /// the gradients of what is trained. The input's gradient is left out where nobody reads it.
    pub(super) fn backward(
        &self,
        places: Places<'_>,
        saved: &mut Saved,
        scratch: &mut Scratch,
        grads: &mut [f32],
        input_wanted: bool,
    ) {
        self.backward_mlp(saved, scratch, grads);
        self.backward_attention(places, saved, scratch, grads, input_wanted);
    }

    fn backward_mlp(&self, saved: &mut Saved, s: &mut Scratch, grads: &mut [f32]) {
        let (net, c) = (&self.net, self.net.config);
        fit(&mut s.act, saved.gate_up.len() / 2);
        swiglu::forward(&saved.gate_up, &mut s.act, c.intermediate);
        fit(&mut s.dact, s.act.len());
        fit(&mut s.dz, saved.z[3].len());
        let dact = mat_mut(&mut s.dact, c.intermediate);
        let (act, dx) = (mat(&s.act, c.intermediate), mat(&s.dx, c.hidden));
        self.down.backward(net, act, &saved.z[3], dx, Some(dact), &mut s.dz, grads);
        swiglu::backward(&mut saved.gate_up, &s.dact, c.intermediate);
        self.norm_mid(&saved.mid, &mut s.normed);
        fit(&mut s.dnormed, s.normed.len());
        fit(&mut s.dz, saved.z[2].len());
        let dgate_up = mat(&saved.gate_up, 2 * c.intermediate);
        let dnormed = mat_mut(&mut s.dnormed, c.hidden);
        let normed = mat(&s.normed, c.hidden);
        self.gate_up.backward(net, normed, &saved.z[2], dgate_up, Some(dnormed), &mut s.dz, grads);
        self.backward_norm(WeightId::MlpNorm(self.layer), &saved.mid, s, grads);
    }

    fn backward_attention(
        &self,
        places: Places<'_>,
        saved: &mut Saved,
        s: &mut Scratch,
        grads: &mut [f32],
        input_wanted: bool,
    ) {
        let (net, c) = (&self.net, self.net.config);
        fit(&mut s.dact, saved.context.len());
        fit(&mut s.dz, saved.z[1].len());
        let dcontext = mat_mut(&mut s.dact, c.q_width());
        let (context, dx) = (mat(&saved.context, c.q_width()), mat(&s.dx, c.hidden));
        self.out.backward(net, context, &saved.z[1], dx, Some(dcontext), &mut s.dz, grads);
        fit(&mut s.dqkv, saved.qkv.len());
        attention::backward(
            &saved.qkv,
            places.offsets,
            net.heads(),
            &saved.context,
            &saved.lse,
            &s.dact,
            &mut s.dqkv,
        );
        self.backward_rotation(places, saved, &mut s.dqkv, grads);
        fit(&mut s.normed, saved.x.len());
        let weight = net.norm(WeightId::AttnNorm(self.layer));
        norm::forward(&saved.x, weight, c.norm_eps, &mut s.normed);
        fit(&mut s.dnormed, s.normed.len());
        fit(&mut s.dz, saved.z[0].len());
        let dnormed = input_wanted.then(|| mat_mut(&mut s.dnormed, c.hidden));
        let (normed, dqkv) = (mat(&s.normed, c.hidden), mat(&s.dqkv, c.qkv_width()));
        self.qkv.backward(net, normed, &saved.z[0], dqkv, dnormed, &mut s.dz, grads);
        if input_wanted {
            self.backward_norm(WeightId::AttnNorm(self.layer), &saved.x, s, grads);
        }
    }

    /// Adds to `s.dx` what flows back through a norm of `x`.
    fn backward_norm(&self, id: WeightId, x: &[f32], s: &mut Scratch, grads: &mut [f32]) {
        let dw = self.net.weight_range(id).map(|range| &mut grads[range]);
        let (weight, eps) = (self.net.norm(id), self.net.config.norm_eps);
        norm::backward(x, weight, eps, &s.dnormed, &mut s.dx, dw);
    }

    /// Turns the gradients of rotated queries and keys into those of the projections' outputs.
    fn backward_rotation(
        &self,
        places: Places<'_>,
        saved: &Saved,
        dqkv: &mut [f32],
        grads: &mut [f32],
    ) {
        let (net, c) = (&self.net, self.net.config);
        let (width, turned) = (c.qkv_width(), c.q_width() + c.kv_width());
        let norms = self.qk_norms();
        if norms.is_none() {
            return by_rows(dqkv, width, |first, rows| {
                let positions = &places.positions[first..];
                rotation::backward_rows(rows, &[], positions, c, places.rope, None, &mut []);
            });
        }
        // Gradients of both norm weights: one part per block of rows, summed in their order.
        let both = 2 * c.head_dim;
        let mut parts = vec![0.0; places.positions.len().div_ceil(ROWS) * both];
        dqkv.par_chunks_mut(ROWS * width).zip(parts.par_chunks_mut(both)).enumerate().for_each(
            |(block, (rows, part))| {
                let raw = &saved.raw[block * ROWS * turned..];
                let positions = &places.positions[block * ROWS..];
                rotation::backward_rows(rows, raw, positions, c, places.rope, norms, part);
            },
        );
        for (id, place) in
            [(WeightId::QNorm(self.layer), 0), (WeightId::KNorm(self.layer), c.head_dim)]
        {
            if let Some(range) = net.weight_range(id) {
                for part in parts.chunks_exact(both) {
                    add(&mut grads[range.clone()], &part[place..place + c.head_dim]);
                }
            }
        }
    }
}
