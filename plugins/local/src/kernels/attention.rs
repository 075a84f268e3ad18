//! Causal attention of packed sequences, in blocks of query rows.
//!
//! Of the probabilities only each row's logsumexp is kept; the backward pass computes them again. A
//! row of `qkv` holds query heads, key heads and value heads side by side; query head `h` reads key
//! and value head `h / (heads / kv_heads)`.

use super::{
    mat, mat_mut,
    simd::{self, vectorised},
};
use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul, prelude::ReborrowMut};
use rayon::prelude::*;
use std::{cell::RefCell, ops::Range};

/// Query rows of a block.
const BLOCK: usize = 64;

/// How heads lie in a row.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads.
    pub heads: usize,
    /// Key heads, and value heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
}

impl Heads {
    fn q_width(self) -> usize {
        self.heads * self.head_dim
    }

    fn kv_width(self) -> usize {
        self.kv_heads * self.head_dim
    }

    fn row(self) -> usize {
        self.q_width() + 2 * self.kv_width()
    }

    /// Query heads that share a key head.
    fn share(self) -> usize {
        self.heads / self.kv_heads
    }

    fn scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// Queries of head `h`, then keys and values of the key head it reads.
    fn views<'a>(self, qkv: &'a [f32], tokens: &Range<usize>, h: usize) -> [MatRef<'a, f32>; 3] {
        let kv = self.q_width() + h / self.share() * self.head_dim;
        [h * self.head_dim, kv, kv + self.kv_width()].map(|column| {
            mat(qkv, self.row()).submatrix(tokens.start, column, tokens.len(), self.head_dim)
        })
    }
}

/// Attention's output and logsumexps.
///
/// `qkv`: `[T, row]`, rotated; `context`: `[T, heads · head_dim]`; `lse`: for each sequence
/// `[heads, tokens]`, end to end.
pub fn forward(qkv: &[f32], offsets: &[usize], heads: Heads, context: &mut [f32], lse: &mut [f32]) {
    let outputs = split(mat_mut(context, heads.q_width()), offsets, heads.head_dim);
    let tasks: Vec<_> = outputs.into_iter().zip(split_lse(lse, offsets, heads.heads)).collect();
    tasks.into_par_iter().with_max_len(1).enumerate().for_each(|(task, (mut out, lse))| {
        let (sequence, head) = (task / heads.heads, task % heads.heads);
        let tokens = offsets[sequence]..offsets[sequence + 1];
        let [q, k, v] = heads.views(qkv, &tokens, head);
        for start in (0..tokens.len()).step_by(BLOCK) {
            let rows = BLOCK.min(tokens.len() - start);
            attend(
                q.subrows(start, rows),
                k.subrows(0, start + rows),
                v.subrows(0, start + rows),
                heads.scale(),
                out.rb_mut().subrows_mut(start, rows),
                &mut lse[start..start + rows],
            );
        }
    });
}

/// Attention of the last rows of a sequence: `q`: `[M, d]`; `k`, `v`: `[past + M, d]`.
fn attend(
    q: MatRef<'_, f32>,
    k: MatRef<'_, f32>,
    v: MatRef<'_, f32>,
    scale: f32,
    out: MatMut<'_, f32>,
    lse: &mut [f32],
) {
    let (rows, keys) = (q.nrows(), k.nrows());
    with_scratch(rows * keys, |scores, _| {
        matmul(mat_mut(scores, keys), Accum::Replace, q, k.transpose(), 1.0, Par::Seq);
        softmax_rows(scores, keys, scale, lse);
        matmul(out, Accum::Replace, mat(scores, keys), v, 1.0, Par::Seq);
    });
}

vectorised! {
    /// Scores to probabilities, in place; row `i` of the last `lse.len()` rows sees the keys up to its
    /// own.
    fn softmax_rows<'a>(scores: &'a mut [f32], keys: usize, scale: f32, lse: &'a mut [f32]) {
        let rows = lse.len();
        for (i, (row, lse)) in scores.chunks_exact_mut(keys).zip(lse).enumerate() {
            let (seen, hidden) = row.split_at_mut(keys - rows + i + 1);
            let max = simd::max(seen) * scale;
            let sum = simd::exp_in_place(seen, scale, max);
            *lse = max + sum.ln();
            let inverse = 1.0 / sum;
            for p in seen {
                *p *= inverse;
            }
            hidden.fill(0.0);
        }
    }
}

/// Gradient by `qkv`, given that by `context`. All of `dqkv` is overwritten.
///
/// With probabilities P: dV = Pᵀ·dO, dP = dO·Vᵀ, dS = P ∘ (dP − Σ(dO ∘ O)), dQ = scale·dS·K,
/// dK = scale·dSᵀ·Q. One task per key head, which sums over the query heads that read it.
pub fn backward(
    qkv: &[f32],
    offsets: &[usize],
    heads: Heads,
    context: &[f32],
    lse: &[f32],
    dcontext: &[f32],
    dqkv: &mut [f32],
) {
    let (dq, rest) = mat_mut(dqkv, heads.row()).split_at_col_mut(heads.q_width());
    let (dk, dv) = rest.split_at_col_mut(heads.kv_width());
    let tasks: Vec<_> = split(dq, offsets, heads.share() * heads.head_dim)
        .into_iter()
        .zip(split(dk, offsets, heads.head_dim))
        .zip(split(dv, offsets, heads.head_dim))
        .collect();
    tasks.into_par_iter().with_max_len(1).enumerate().for_each(|(task, ((dq, dk), dv))| {
        let (sequence, kv_head) = (task / heads.kv_heads, task % heads.kv_heads);
        let tokens = offsets[sequence]..offsets[sequence + 1];
        let saved = Saved { qkv, context, lse, dcontext, tokens, heads };
        saved.backward(kv_head, dq, dk, dv);
    });
}

/// What the backward pass of one sequence reads.
struct Saved<'a> {
    qkv: &'a [f32],
    context: &'a [f32],
    lse: &'a [f32],
    dcontext: &'a [f32],
    tokens: Range<usize>,
    heads: Heads,
}

impl Saved<'_> {
    fn backward(
        &self,
        kv_head: usize,
        mut dq: MatMut<'_, f32>,
        mut dk: MatMut<'_, f32>,
        mut dv: MatMut<'_, f32>,
    ) {
        dk.fill(0.0);
        dv.fill(0.0);
        let share = self.heads.share();
        let width = self.heads.head_dim;
        for i in 0..share {
            let mut dq = dq.rb_mut().subcols_mut(i * width, width);
            for start in (0..self.tokens.len()).step_by(BLOCK) {
                let rows = start..(start + BLOCK).min(self.tokens.len());
                let dq = dq.rb_mut().subrows_mut(start, rows.len());
                let dk = dk.rb_mut().subrows_mut(0, rows.end);
                let dv = dv.rb_mut().subrows_mut(0, rows.end);
                self.block(kv_head * share + i, rows, dq, dk, dv);
            }
        }
    }

    fn block(
        &self,
        head: usize,
        rows: Range<usize>,
        dq: MatMut<'_, f32>,
        dk: MatMut<'_, f32>,
        dv: MatMut<'_, f32>,
    ) {
        let heads = self.heads;
        let (width, q_width, scale) = (heads.head_dim, heads.q_width(), heads.scale());
        let [q, k, v] = heads.views(self.qkv, &self.tokens, head);
        let (q, k, v) =
            (q.subrows(rows.start, rows.len()), k.subrows(0, rows.end), v.subrows(0, rows.end));
        let first = self.tokens.start + rows.start;
        let dout = mat(self.dcontext, q_width).submatrix(first, head * width, rows.len(), width);
        // Logsumexps of a sequence are stored head by head.
        let lse = self.tokens.start * heads.heads + head * self.tokens.len() + rows.start;
        let keys = rows.end;
        with_scratch(rows.len() * keys, |p, ds| {
            matmul(mat_mut(p, keys), Accum::Replace, q, k.transpose(), 1.0, Par::Seq);
            matmul(mat_mut(ds, keys), Accum::Replace, dout, v.transpose(), 1.0, Par::Seq);
            for i in 0..rows.len() {
                let at = (first + i) * q_width + head * width;
                let row = i * keys..(i + 1) * keys;
                score_gradient(
                    &mut p[row.clone()],
                    &mut ds[row],
                    rows.start + i + 1,
                    scale,
                    self.lse[lse + i],
                    &self.context[at..at + width],
                    &self.dcontext[at..at + width],
                );
            }
            matmul(dv, Accum::Add, mat(p, keys).transpose(), dout, 1.0, Par::Seq);
            matmul(dk, Accum::Add, mat(ds, keys).transpose(), q, 1.0, Par::Seq);
            matmul(dq, Accum::Replace, mat(ds, keys), k, 1.0, Par::Seq);
        });
    }
}

vectorised! {
    /// One row: scores to probabilities in `p`, dP to dS in `ds`. Keys from `seen` on are hidden.
    fn score_gradient<'a>(
        p: &'a mut [f32],
        ds: &'a mut [f32],
        seen: usize,
        scale: f32,
        lse: f32,
        out: &'a [f32],
        dout: &'a [f32],
    ) {
        let along = simd::dot(out, dout);
        p[seen..].fill(0.0);
        ds[seen..].fill(0.0);
        simd::exp_in_place(&mut p[..seen], scale, lse);
        for (ds, p) in ds[..seen].iter_mut().zip(&p[..seen]) {
            *ds = p * (*ds - along) * scale;
        }
    }
}

/// Attention of new tokens over a cache. `q`: `[M, row]` rows of `qkv` of the new tokens; `keys` and
/// `values`: `[past + M, kv_heads · head_dim]`, the new tokens' own included; `context`: `[M, …]`.
pub fn decode(qkv: &[f32], keys: &[f32], values: &[f32], heads: Heads, context: &mut [f32]) {
    let new = qkv.len() / heads.row();
    let total = keys.len() / heads.kv_width();
    let past = total - new;
    let outputs = split(mat_mut(context, heads.q_width()), &[0, new], heads.head_dim);
    let one = |(head, mut out): (usize, MatMut<'_, f32>)| {
        let [q, _, _] = heads.views(qkv, &(0..new), head);
        let column = head / heads.share() * heads.head_dim;
        let k = mat(keys, heads.kv_width()).subcols(column, heads.head_dim);
        let v = mat(values, heads.kv_width()).subcols(column, heads.head_dim);
        for start in (0..new).step_by(BLOCK) {
            let rows = BLOCK.min(new - start);
            attend(
                q.subrows(start, rows),
                k.subrows(0, past + start + rows),
                v.subrows(0, past + start + rows),
                heads.scale(),
                out.rb_mut().subrows_mut(start, rows),
                &mut [0.0; BLOCK][..rows],
            );
        }
    };
    if new * total < BLOCK * BLOCK {
        outputs.into_iter().enumerate().for_each(one);
    } else {
        outputs.into_par_iter().enumerate().for_each(one);
    }
}

/// Cuts a matrix into blocks: rows by sequence, columns by `width`; sequence by sequence.
fn split<'a>(m: MatMut<'a, f32>, offsets: &[usize], width: usize) -> Vec<MatMut<'a, f32>> {
    let blocks = m.ncols() / width;
    let mut out = Vec::with_capacity((offsets.len() - 1) * blocks);
    let mut rest = m;
    for range in offsets.windows(2) {
        let (mut band, below) = rest.split_at_row_mut(range[1] - range[0]);
        rest = below;
        for _ in 0..blocks {
            let (one, right) = band.split_at_col_mut(width);
            band = right;
            out.push(one);
        }
    }
    out
}

fn split_lse<'a>(lse: &'a mut [f32], offsets: &[usize], heads: usize) -> Vec<&'a mut [f32]> {
    let mut out = Vec::with_capacity((offsets.len() - 1) * heads);
    let mut rest = lse;
    for range in offsets.windows(2) {
        for _ in 0..heads {
            let (one, tail) = rest.split_at_mut(range[1] - range[0]);
            rest = tail;
            out.push(one);
        }
    }
    out
}

/// Lends two slices of `len` floats that live as long as the thread.
fn with_scratch(len: usize, f: impl FnOnce(&mut [f32], &mut [f32])) {
    type Pair = (Vec<f32>, Vec<f32>);
    thread_local!(static SCRATCH: RefCell<Pair> = const { RefCell::new((Vec::new(), Vec::new())) });
    SCRATCH.with_borrow_mut(|(a, b)| {
        for v in [&mut *a, &mut *b] {
            if v.len() < len {
                v.resize(len, 0.0);
            }
        }
        f(&mut a[..len], &mut b[..len]);
    });
}
