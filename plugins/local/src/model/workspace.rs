//! Room for the values of a pass, kept from one pass to the next.
//!
//! Fresh memory costs a page fault for every 4 KiB; a step of a small model would spend as long there
//! as in arithmetic.

use super::{Linear, net::Net, project::Group};
use crate::kernels::rope::RopeTable;

/// Buffers of one pass. A pass takes one from the model's pool and puts it back.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// What each block keeps for its backward pass, and after the last block the final hidden state.
    pub saved: Vec<Saved>,
    pub scratch: Scratch,
    pub rope: RopeTable,
}

/// What a block keeps. `T` is the number of tokens of the micro-batch.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// Input of the block, `[T, hidden]`.
    pub x: Vec<f32>,
    /// Rotated queries, rotated keys, values: `[T, qkv_width]`.
    pub qkv: Vec<f32>,
    /// Queries and keys before their norm (Qwen3): `[T, q_width + kv_width]`.
    pub raw: Vec<f32>,
    /// Output of attention, `[T, q_width]`.
    pub context: Vec<f32>,
    /// Logsumexps of attention, `[T · heads]`.
    pub lse: Vec<f32>,
    /// Residual stream between attention and MLP, `[T, hidden]`.
    pub mid: Vec<f32>,
    /// Gate and up, `[T, 2 · intermediate]`; their gradients later.
    pub gate_up: Vec<f32>,
    /// `z` of each group of [`Linear::GROUPS`].
    pub z: [Vec<f32>; 4],
}

/// What no block keeps.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Output of a norm, `[T, hidden]`.
    pub normed: Vec<f32>,
    /// SwiGLU's product, `[T, intermediate]`.
    pub act: Vec<f32>,
    /// Gradient of `act` or of attention's output.
    pub dact: Vec<f32>,
    /// Gradient of `qkv`.
    pub dqkv: Vec<f32>,
    /// Gradient of `normed`.
    pub dnormed: Vec<f32>,
    /// Gradient of the residual stream, `[T, hidden]`.
    pub dx: Vec<f32>,
    /// Gradient of a `z`.
    pub dz: Vec<f32>,
}

impl Saved {
    /// Makes room for `tokens`; the last one of a pass only carries `x`.
    pub(super) fn fit(&mut self, net: &Net<'_>, layer: usize, tokens: usize) {
        let c = net.config;
        fit(&mut self.x, tokens * c.hidden);
        if layer == c.layers {
            return;
        }
        fit(&mut self.qkv, tokens * c.qkv_width());
        if c.qk_norm {
            fit(&mut self.raw, tokens * (c.q_width() + c.kv_width()));
        }
        fit(&mut self.context, tokens * c.q_width());
        fit(&mut self.lse, tokens * c.heads);
        fit(&mut self.mid, tokens * c.hidden);
        fit(&mut self.gate_up, tokens * 2 * c.intermediate);
        for (z, group) in self.z.iter_mut().zip(Linear::GROUPS) {
            fit(z, tokens * Group::of_block(net, layer, group).z_width(net));
        }
    }
}

/// Gives a buffer exactly this length. What it holds is undefined; memory is kept when it shrinks.
pub(super) fn fit(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() > len {
        buffer.truncate(len);
    } else {
        buffer.resize(len, 0.0);
    }
}
