//! Query and key heads between projection and attention: q/k norm where the model has it, rotation.

use super::ModelConfig;
use crate::kernels::{norm, rope::RopeTable, simd::vectorised};

/// Weights of the q/k norms, `[head_dim]` each.
#[derive(Clone, Copy)]
pub(super) struct QkNorms<'a> {
    pub q: &'a [f32],
    pub k: &'a [f32],
}

vectorised! {
    /// In place, on rows of queries, keys and values. `positions` has at least as many entries as
    /// there are rows.
    pub(super) fn forward_rows<'a>(
        rows: &'a mut [f32],
        positions: &'a [u32],
        config: &'a ModelConfig,
        rope: &'a RopeTable,
        norms: Option<QkNorms<'a>>,
    ) {
        let turned = config.q_width() + config.kv_width();
        for (row, &position) in rows.chunks_exact_mut(config.qkv_width()).zip(positions) {
            if let Some(norms) = norms {
                let (q, k) = row[..turned].split_at_mut(config.q_width());
                norm::heads_forward(q, norms.q, config.norm_eps);
                norm::heads_forward(k, norms.k, config.norm_eps);
            }
            rope.rotate(&mut row[..turned], position as usize);
        }
    }
}

vectorised! {
    /// Gradients, in place. With q/k norm, `raw` holds queries and keys before their norm
    /// (`[T, q_width + kv_width]`), and the gradients of both weights are added to `dw`
    /// (`[2 · head_dim]`).
    pub(super) fn backward_rows<'a>(
        rows: &'a mut [f32],
        raw: &'a [f32],
        positions: &'a [u32],
        config: &'a ModelConfig,
        rope: &'a RopeTable,
        norms: Option<QkNorms<'a>>,
        dw: &'a mut [f32],
    ) {
        let turned = config.q_width() + config.kv_width();
        let rows = rows.chunks_exact_mut(config.qkv_width());
        for (i, (row, &position)) in rows.zip(positions).enumerate() {
            rope.rotate_back(&mut row[..turned], position as usize);
            if let Some(norms) = norms {
                let raw = &raw[i * turned..(i + 1) * turned];
                let (raw_q, raw_k) = raw.split_at(config.q_width());
                let (dq, dk) = row[..turned].split_at_mut(config.q_width());
                let (dw_q, dw_k) = dw.split_at_mut(config.head_dim);
                norm::heads_backward(raw_q, norms.q, config.norm_eps, dq, dw_q);
                norm::heads_backward(raw_k, norms.k, config.norm_eps, dk, dw_k);
            }
        }
    }
}
