//! RMS norm: y = w · x / √(mean(x²) + eps), over rows or over the heads of a row.

use super::{
    ROWS, add_parts, by_rows,
    simd::{self, vectorised},
};
use rayon::prelude::*;

/// y = norm(x), row by row. `x` and `y`: `[T, width]`, `w`: `[width]`.
pub fn forward(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let width = w.len();
    by_rows(y, width, |first, y| {
        forward_rows(&x[first * width..first * width + y.len()], w, eps, y);
    });
}

vectorised! {
    fn forward_rows<'a>(x: &'a [f32], w: &'a [f32], eps: f32, y: &'a mut [f32]) {
        for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
            let inverse = inverse_rms(x, eps);
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = x * inverse * w;
            }
        }
    }
}

/// Adds the gradient by x to `dx`, and the gradient by w to `dw` if wanted.
///
/// With r = 1/√(mean(x²) + eps): dx = r·w·dy − x · r³/width · Σ(w·dy·x), dw = Σ_rows dy·x·r.
pub fn backward(
    x: &[f32],
    w: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    dw: Option<&mut [f32]>,
) {
    let width = w.len();
    let one = |block: usize, dx: &mut [f32], part: &mut [f32]| {
        let rows = block * ROWS * width..block * ROWS * width + dx.len();
        backward_rows(&x[rows.clone()], w, eps, &dy[rows], dx, part);
    };
    let Some(dw) = dw else {
        return dx
            .par_chunks_mut(ROWS * width)
            .enumerate()
            .for_each(|(block, dx)| one(block, dx, &mut []));
    };
    // One partial sum of dw per block of rows, added up in the order of the blocks.
    let mut parts = vec![0.0; dx.len().div_ceil(ROWS * width) * width];
    dx.par_chunks_mut(ROWS * width)
        .zip(parts.par_chunks_mut(width))
        .enumerate()
        .for_each(|(block, (dx, part))| one(block, dx, part));
    add_parts(dw, &parts);
}

vectorised! {
    /// `dw` may be empty: nobody wants it then.
    fn backward_rows<'a>(
        x: &'a [f32],
        w: &'a [f32],
        eps: f32,
        dy: &'a [f32],
        dx: &'a mut [f32],
        dw: &'a mut [f32],
    ) {
        let rows = x.chunks_exact(w.len()).zip(dy.chunks_exact(w.len()));
        for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(w.len())) {
            let gradient = Gradient::new(x, w, eps, dy);
            for (((dx, x), w), dy) in dx.iter_mut().zip(x).zip(w).zip(dy) {
                *dx += gradient.by_x(*x, *w, *dy);
            }
            gradient.by_w(x, dy, dw);
        }
    }
}

/// Norms the heads of one row in place: `row`: `[heads · width]`, `w`: `[width]`.
#[inline(always)]
pub fn heads_forward(row: &mut [f32], w: &[f32], eps: f32) {
    for head in row.chunks_exact_mut(w.len()) {
        let inverse = inverse_rms(head, eps);
        for (x, w) in head.iter_mut().zip(w) {
            *x = *x * inverse * w;
        }
    }
}

/// Turns the gradient of [`heads_forward`]'s result into that of its input `x`, in place, and adds
/// the gradient by w to `dw`.
#[inline(always)]
pub fn heads_backward(x: &[f32], w: &[f32], eps: f32, d: &mut [f32], dw: &mut [f32]) {
    for (x, d) in x.chunks_exact(w.len()).zip(d.chunks_exact_mut(w.len())) {
        let gradient = Gradient::new(x, w, eps, d);
        gradient.by_w(x, d, dw);
        for ((d, x), w) in d.iter_mut().zip(x).zip(w) {
            *d = gradient.by_x(*x, *w, *d);
        }
    }
}

/// What the gradients of a row share.
struct Gradient {
    /// 1/√(mean(x²) + eps).
    inverse: f32,
    /// r³/width · Σ(w·dy·x).
    along: f32,
}

impl Gradient {
    #[inline(always)]
    fn new(x: &[f32], w: &[f32], eps: f32, dy: &[f32]) -> Self {
        let inverse = inverse_rms(x, eps);
        let along = simd::dot3(w, dy, x) * inverse * inverse * inverse / x.len() as f32;
        Self { inverse, along }
    }

    #[inline(always)]
    fn by_x(&self, x: f32, w: f32, dy: f32) -> f32 {
        self.inverse * w * dy - x * self.along
    }

    #[inline(always)]
    fn by_w(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
            *dw += dy * x * self.inverse;
        }
    }
}

#[inline(always)]
fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    1.0 / (simd::dot(x, x) / x.len() as f32 + eps).sqrt()
}
