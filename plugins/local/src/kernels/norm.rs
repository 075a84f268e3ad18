//! RMS norm: y = w · x / √(mean(x²) + eps), over rows or over the heads of a row.

use super::{ROWS, add_parts, by_rows, simd};
use rayon::prelude::*;

/// y = norm(x), row by row. `x` and `y`: `[T, width]`, `w`: `[width]`.
pub fn forward(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let width = w.len();
    by_rows(y, width, |first, rows| {
        for (i, y) in rows.chunks_exact_mut(width).enumerate() {
            let x = &x[(first + i) * width..(first + i + 1) * width];
            let inverse = inverse_rms(x, eps);
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = x * inverse * w;
            }
        }
    });
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
    let wanted = dw.is_some();
    // One partial sum of dw per block of rows, added up in the order of the blocks.
    let blocks = dx.len().div_ceil(ROWS * width);
    let mut parts = vec![0.0; if wanted { blocks * width } else { 0 }];
    let one = |block: usize, dx: &mut [f32], mut part: Option<&mut [f32]>| {
        simd::run(|| {
            for (i, dx) in dx.chunks_exact_mut(width).enumerate() {
                let row = (block * ROWS + i) * width;
                let (x, dy) = (&x[row..row + width], &dy[row..row + width]);
                backward_row(x, w, eps, dy, dx, part.as_deref_mut(), false);
            }
        });
    };
    if wanted {
        dx.par_chunks_mut(ROWS * width)
            .zip(parts.par_chunks_mut(width))
            .enumerate()
            .for_each(|(block, (dx, part))| one(block, dx, Some(part)));
    } else {
        dx.par_chunks_mut(ROWS * width).enumerate().for_each(|(block, dx)| one(block, dx, None));
    }
    if let Some(dw) = dw {
        add_parts(dw, &parts);
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
/// the gradient by w to `dw`. `room` is as wide as a head.
#[inline(always)]
pub fn heads_backward(
    x: &[f32],
    w: &[f32],
    eps: f32,
    d: &mut [f32],
    dw: &mut [f32],
    room: &mut [f32],
) {
    for (x, d) in x.chunks_exact(w.len()).zip(d.chunks_exact_mut(w.len())) {
        room.copy_from_slice(d);
        backward_row(x, w, eps, room, d, Some(&mut *dw), true);
    }
}

#[inline(always)]
fn backward_row(
    x: &[f32],
    w: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    dw: Option<&mut [f32]>,
    replace: bool,
) {
    let inverse = inverse_rms(x, eps);
    let along = simd::dot3(w, dy, x) * inverse * inverse * inverse / x.len() as f32;
    let keep = if replace { 0.0 } else { 1.0 };
    for (((dx, x), w), dy) in dx.iter_mut().zip(x).zip(w).zip(dy) {
        *dx = *dx * keep + (inverse * w * dy - x * along);
    }
    if let Some(dw) = dw {
        for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
            *dw += dy * x * inverse;
        }
    }
}

#[inline(always)]
fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    1.0 / (simd::dot(x, x) / x.len() as f32 + eps).sqrt()
}
