//! Decoding with a cache of keys and values: only new tokens pass through the blocks.

use super::{
    block::{Block, Places},
    net::Net,
    project::Group,
    workspace::{Workspace, fit},
};
use crate::{
    kernels::{attention, embedding, mat, mat_mut, norm},
    layout::WeightId,
};
use faer::Accum;

/// Keys and values of the tokens seen so far, of one sequence.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    len: usize,
    /// Of each block: rotated keys and values, `[len, kv_width]` each.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
}

impl KvCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tokens seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if no token was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all but the first `len` tokens: to sample again after the same prompt.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            for (keys, values) in &mut self.layers {
                keys.truncate(keys.len() / self.len * len);
                values.truncate(values.len() / self.len * len);
            }
            self.len = len;
        }
    }
}

/// New tokens of several sequences, packed.
pub(super) struct Step {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    offsets: Vec<usize>,
}

impl Step {
    /// `tokens[i]` follow what `caches[i]` has seen. All are within vocabulary and context.
    pub(super) fn new(caches: &[&mut KvCache], tokens: &[Vec<u32>]) -> Self {
        let mut step = Self { tokens: Vec::new(), positions: Vec::new(), offsets: vec![0] };
        for (cache, tokens) in caches.iter().zip(tokens) {
            step.positions.extend((cache.len..cache.len + tokens.len()).map(|p| p as u32));
            step.tokens.extend(tokens);
            step.offsets.push(step.tokens.len());
        }
        step
    }

    /// Logits after the last new token of each sequence, `[B, vocab]`.
    pub(super) fn run(
        &self,
        net: Net<'_>,
        frequencies: &[f32],
        caches: &mut [&mut KvCache],
        work: &mut Workspace,
    ) -> Vec<f32> {
        let c = net.config;
        let Workspace { saved, scratch, rope } = work;
        let reach = self.positions.iter().max().map_or(0, |&p| p as usize + 1);
        rope.extend(frequencies, reach);
        if saved.len() < 2 {
            saved.resize_with(2, Default::default);
        }
        let (here, next) = saved.split_at_mut(1);
        let (here, next) = (&mut here[0], &mut next[0].x);
        let places = Places { offsets: &self.offsets, positions: &self.positions, rope };
        here.fit(&net, 0, self.tokens.len());
        embedding::gather(net.weight(WeightId::Embedding), &self.tokens, c.hidden, &mut here.x);
        for layer in 0..c.layers {
            here.fit(&net, layer, self.tokens.len());
            fit(next, self.tokens.len() * c.hidden);
            let block = Block::new(net, layer);
            block.project_qkv(places, here, scratch);
            for (i, cache) in caches.iter_mut().enumerate() {
                let rows = self.offsets[i]..self.offsets[i + 1];
                let qkv = &here.qkv[rows.start * c.qkv_width()..rows.end * c.qkv_width()];
                cache.layers.resize_with(c.layers, Default::default);
                let (keys, values) = &mut cache.layers[layer];
                for row in qkv.chunks_exact(c.qkv_width()) {
                    let (k, v) = row[c.q_width()..].split_at(c.kv_width());
                    keys.extend_from_slice(k);
                    values.extend_from_slice(v);
                }
                let context = &mut here.context[rows.start * c.q_width()..rows.end * c.q_width()];
                attention::decode(qkv, keys, values, net.heads(), context);
            }
            block.after_attention(here, scratch, next);
            std::mem::swap(&mut here.x, next);
        }
        for (cache, range) in caches.iter_mut().zip(self.offsets.windows(2)) {
            cache.len += range[1] - range[0];
        }
        self.logits(net, &here.x)
    }

    fn logits(&self, net: Net<'_>, hidden: &[f32]) -> Vec<f32> {
        let c = net.config;
        let sequences = self.offsets.len() - 1;
        let mut last = Vec::with_capacity(sequences * c.hidden);
        for end in &self.offsets[1..] {
            last.extend_from_slice(&hidden[(end - 1) * c.hidden..end * c.hidden]);
        }
        let mut normed = vec![0.0; last.len()];
        norm::forward(&last, net.norm(WeightId::FinalNorm), c.norm_eps, &mut normed);
        let group = Group::head(&net);
        let mut z = vec![0.0; sequences * group.z_width(&net)];
        let mut logits = vec![0.0; sequences * c.vocab];
        let out = mat_mut(&mut logits, c.vocab);
        group.forward(&net, mat(&normed, c.hidden), Accum::Replace, out, &mut z);
        logits
    }
}
