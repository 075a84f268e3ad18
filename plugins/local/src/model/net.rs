//! A model with one run's parameters laid over it: what every pass reads weights through.

use super::{Linear, ModelConfig, Tensors};
use crate::{
    kernels::{Weights, attention::Heads, mat},
    layout::{Layout, LoraSlots, Mode, WeightId},
};
use faer::MatRef;
use std::ops::Range;

/// Base weights, layout and parameters.
#[derive(Clone, Copy)]
pub(super) struct Net<'a> {
    pub config: &'a ModelConfig,
    pub tensors: &'a Tensors,
    pub layout: &'a Layout,
    pub params: &'a [f32],
}

impl<'a> Net<'a> {
    /// The values of a weight: the run's own in full mode, the base's otherwise.
    pub(super) fn weight(&self, id: WeightId) -> Weights<'a> {
        let index = id.index(self.config);
        match self.layout.mode() {
            Mode::Full => Weights::F32(&self.params[self.layout.slots()[index].range.clone()]),
            Mode::Base | Mode::Lora { .. } => self.tensors.get(index),
        }
    }

    /// A norm's weight. Norms are f32 in every mode.
    pub(super) fn norm(&self, id: WeightId) -> &'a [f32] {
        match self.weight(id) {
            Weights::F32(values) => values,
            Weights::Bf16(_) | Weights::F16(_) => &[],
        }
    }

    /// Where the gradient of a weight goes; `None` for a frozen one.
    pub(super) fn weight_range(&self, id: WeightId) -> Option<Range<usize>> {
        let index = id.index(self.config);
        (self.layout.mode() == Mode::Full).then(|| self.layout.slots()[index].range.clone())
    }

    /// The weight of the output head: its own, or the embedding.
    pub(super) fn head(&self) -> WeightId {
        if self.config.tied { WeightId::Embedding } else { WeightId::Head }
    }

    pub(super) fn rank(&self) -> usize {
        match self.layout.mode() {
            Mode::Lora { rank, .. } => rank,
            Mode::Base | Mode::Full => 0,
        }
    }

    /// Adapters of the layers of a group, if they are trained; all or none of a group are.
    pub(super) fn slots(&self, layer: usize, group: &[Linear]) -> Option<Vec<&'a LoraSlots>> {
        let site = &self.layout.sites[layer];
        group.iter().map(|&linear| site[linear as usize].as_ref()).collect()
    }

    /// `B` of an adapter, `[out, rank]`.
    pub(super) fn b(&self, slots: &LoraSlots) -> MatRef<'a, f32> {
        mat(&self.params[slots.b.clone()], self.rank())
    }

    pub(super) fn heads(&self) -> Heads {
        Heads {
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_dim: self.config.head_dim,
        }
    }
}
