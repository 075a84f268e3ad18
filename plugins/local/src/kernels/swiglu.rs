//! SwiGLU: silu(gate) · up, with silu(x) = x · σ(x). A row holds gate and up side by side.

use super::{
    by_rows,
    simd::{exp, vectorised},
};

/// `act = silu(gate) · up`. `gate_up`: `[T, 2·width]`, `act`: `[T, width]`.
pub fn forward(gate_up: &[f32], act: &mut [f32], width: usize) {
    by_rows(act, width, |first, act| {
        let start = first * 2 * width;
        forward_rows(&gate_up[start..start + 2 * act.len()], act, width);
    });
}

vectorised! {
    fn forward_rows<'a>(gate_up: &'a [f32], act: &'a mut [f32], width: usize) {
        for (row, act) in gate_up.chunks_exact(2 * width).zip(act.chunks_exact_mut(width)) {
            let (gate, up) = row.split_at(width);
            for ((act, &gate), &up) in act.iter_mut().zip(gate).zip(up) {
                *act = gate * sigmoid(gate) * up;
            }
        }
    }
}

/// Replaces gate and up by their gradients, given that of the product.
///
/// d silu = σ(x)·(1 + x·(1 − σ(x))).
pub fn backward(gate_up: &mut [f32], dact: &[f32], width: usize) {
    by_rows(gate_up, 2 * width, |first, rows| {
        let start = first * width;
        backward_rows(&dact[start..start + rows.len() / 2], rows, width);
    });
}

vectorised! {
    fn backward_rows<'a>(dact: &'a [f32], gate_up: &'a mut [f32], width: usize) {
        for (row, dact) in gate_up.chunks_exact_mut(2 * width).zip(dact.chunks_exact(width)) {
            let (gate, up) = row.split_at_mut(width);
            for ((gate, up), &d) in gate.iter_mut().zip(up).zip(dact) {
                let s = sigmoid(*gate);
                let silu = *gate * s;
                (*gate, *up) = (d * *up * s * (1.0 + *gate - silu), d * silu);
            }
        }
    }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}
