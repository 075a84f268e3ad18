//! Linear layers with their adapters, forward and backward.
//!
//! Layers that read the same input (q, k, v; gate, up) are one group: one product with their stacked
//! `A`, one wave of tiles, one gradient by the shared input.
//!
//! y = x·Wᵀ + z·Bᵀ with z = s·x·Aᵀ, s = alpha / rank. With dz = s·dy·B:
//! dB = dyᵀ·z, dA = dzᵀ·x, dx = dy·W + dz·A; in full mode dW = dyᵀ·x.

use super::{Linear, net::Net};
use crate::{
    kernels::{
        Weights, mat, mat_mut,
        product::{Job, Right, Term, product, products},
    },
    layout::{LoraSlots, WeightId},
};
use faer::{Accum, MatMut, MatRef};
use std::ops::Range;

/// Linear layers that read the same input.
pub(super) struct Group<'a> {
    input: usize,
    members: Vec<Member<'a>>,
    /// One for each member, or none at all.
    adapters: Vec<&'a LoraSlots>,
}

struct Member<'a> {
    weights: Weights<'a>,
    /// `[out, in]`.
    shape: [usize; 2],
    /// Where the gradient of the weight goes.
    range: Option<Range<usize>>,
}

impl<'a> Group<'a> {
    /// The group of a block that starts with `group[0]`.
    pub(super) fn of_block(net: &Net<'a>, layer: usize, group: &[Linear]) -> Self {
        let member = |&linear: &Linear| {
            let id = WeightId::Linear { layer, linear };
            let shape = net.config.linear_shape(linear);
            Member { weights: net.weight(id), shape, range: net.weight_range(id) }
        };
        Self {
            input: net.config.linear_shape(group[0])[1],
            members: group.iter().map(member).collect(),
            adapters: net.slots(layer, group).unwrap_or_default(),
        }
    }

    /// The output head, alone.
    pub(super) fn head(net: &Net<'a>) -> Self {
        let id = net.head();
        let shape = [net.config.vocab, net.config.hidden];
        Self {
            input: net.config.hidden,
            members: vec![Member { weights: net.weight(id), shape, range: net.weight_range(id) }],
            adapters: net.layout.head.iter().collect(),
        }
    }

    /// Width of a row of `z`: the ranks of all adapters; 0 without adapters.
    pub(super) fn z_width(&self, net: &Net<'_>) -> usize {
        self.adapters.len() * net.rank()
    }

    /// `y = Wx + …` or `y += Wx + …`, members side by side. `x`: `[T, in]`, `y`: `[T, Σ out]`, `z`:
    /// `[T, z_width]`, kept for the backward pass.
    pub(super) fn forward(
        &self,
        net: &Net<'a>,
        x: MatRef<'_, f32>,
        accum: Accum,
        y: MatMut<'_, f32>,
        z: &mut [f32],
    ) {
        if !self.adapters.is_empty() {
            let a = self.stacked_a(net);
            let z = mat_mut(z, self.z_width(net));
            product(z, Accum::Replace, &[Term::views(x, a.transpose(), net.layout.scale())]);
        }
        let z = &*z;
        let mut jobs = Vec::with_capacity(self.members.len());
        let mut rest = y;
        for (i, member) in self.members.iter().enumerate() {
            let (dst, right) = rest.split_at_col_mut(member.shape[0]);
            rest = right;
            let mut terms = vec![Term::new(x, Right::transposed(member.weights, member.shape))];
            if let Some(slots) = self.adapters.get(i) {
                let b = net.b(slots);
                terms.push(Term::views(self.z_of(net, z, i), b.transpose(), 1.0));
            }
            jobs.push(Job::new(dst, accum, terms));
        }
        products(jobs);
    }

    /// Adds the gradients of the trained matrices to `grads`; writes that of the input to `dx`, if
    /// wanted. `dy`: `[T, Σ out]`; `x` and `z` as in the forward pass; `dz`: room like `z`.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn backward(
        &self,
        net: &Net<'a>,
        x: MatRef<'_, f32>,
        z: &[f32],
        dy: MatRef<'_, f32>,
        dx: Option<MatMut<'_, f32>>,
        dz: &mut [f32],
        grads: &mut [f32],
    ) {
        let mut start = 0;
        let dys: Vec<MatRef<'_, f32>> = self
            .members
            .iter()
            .map(|m| {
                start += m.shape[0];
                dy.subcols(start - m.shape[0], m.shape[0])
            })
            .collect();
        let trained = self.members.iter().filter_map(|m| m.range.clone());
        let mut into: Vec<Term<'_>> = dys
            .iter()
            .zip(&self.members)
            .map(|(dy, m)| Term::new(*dy, Right::weight(m.weights, m.shape)))
            .collect();
        let mut jobs = Vec::new();
        if self.adapters.is_empty() {
            for (dw, dy) in split_ranges(grads, trained).into_iter().zip(&dys) {
                let term = Term::views(dy.transpose(), x, 1.0);
                jobs.push(Job::new(mat_mut(dw, self.input), Accum::Add, vec![term]));
            }
        } else {
            self.backward_adapters(net, &dys, z, dz, grads);
            let dz = mat(dz, self.z_width(net));
            let da = mat_mut(&mut grads[self.stacked_range()], self.input);
            jobs.push(Job::new(da, Accum::Add, vec![Term::views(dz.transpose(), x, 1.0)]));
            into.push(Term::views(dz, self.stacked_a(net), 1.0));
        }
        if let Some(dx) = dx {
            jobs.push(Job::new(dx, Accum::Replace, into));
        }
        products(jobs);
    }

    /// Every dB, and dz.
    fn backward_adapters(
        &self,
        net: &Net<'a>,
        dys: &[MatRef<'_, f32>],
        z: &[f32],
        dz: &mut [f32],
        grads: &mut [f32],
    ) {
        let rank = net.rank();
        let mut jobs = Vec::with_capacity(2 * dys.len());
        let mut rest = mat_mut(dz, self.z_width(net));
        let ranges = self.adapters.iter().map(|slots| slots.b.clone());
        for (i, (dy, db)) in dys.iter().zip(split_ranges(grads, ranges)).enumerate() {
            let (dz, right) = rest.split_at_col_mut(rank);
            rest = right;
            let b = net.b(self.adapters[i]);
            let term = Term::views(*dy, b, net.layout.scale());
            jobs.push(Job::new(dz, Accum::Replace, vec![term]));
            let term = Term::views(dy.transpose(), self.z_of(net, z, i), 1.0);
            jobs.push(Job::new(mat_mut(db, rank), Accum::Add, vec![term]));
        }
        products(jobs);
    }

    /// The columns of `z` that belong to member `i`.
    fn z_of<'z>(&self, net: &Net<'_>, z: &'z [f32], i: usize) -> MatRef<'z, f32> {
        mat(z, self.z_width(net)).subcols(i * net.rank(), net.rank())
    }

    /// Where all `A` of the group lie, end to end.
    fn stacked_range(&self) -> Range<usize> {
        match (self.adapters.first(), self.adapters.last()) {
            (Some(first), Some(last)) => first.a.start..last.a.end,
            _ => 0..0,
        }
    }

    /// All `A` of the group as one matrix, `[z_width, in]`.
    fn stacked_a(&self, net: &Net<'a>) -> MatRef<'a, f32> {
        mat(&net.params[self.stacked_range()], self.input)
    }
}

/// Lends several ranges of one slice at once. They rise and do not overlap.
fn split_ranges(slice: &mut [f32], ranges: impl Iterator<Item = Range<usize>>) -> Vec<&mut [f32]> {
    let (mut rest, mut passed) = (slice, 0);
    let one = |range: Range<usize>| {
        let (_, tail) = std::mem::take(&mut rest).split_at_mut(range.start - passed);
        let (one, tail) = tail.split_at_mut(range.len());
        (rest, passed) = (tail, range.end);
        one
    };
    ranges.map(one).collect()
}
