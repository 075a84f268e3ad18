//! AdamW, as `torch.optim.AdamW` computes it: all in f32, `eps` added outside the root, decay
//! decoupled from the gradient.

use rayon::prelude::*;
use tinsmith_plugin_api::{Adam, Error, Result};

/// What AdamW remembers between steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Running mean of the gradient, one number a parameter.
    pub first: Vec<f32>,
    /// Running mean of its square.
    pub second: Vec<f32>,
    /// Steps done.
    pub step: u64,
}

/// Parameters that one task works on. Sums run within a chunk, then over chunks in order, so that
/// results do not depend on the number of threads.
const CHUNK: usize = 1 << 15;

/// Checks the parameters of a step.
///
/// # Errors
/// `rejected`, naming the first that makes no sense.
pub fn check(adam: &Adam) -> Result<()> {
    let at_least_zero = |value: f64| value.is_finite() && value >= 0.0;
    // Not zero in f32 either: a parameter without gradient would become 0 / 0.
    let above_zero = |value: f64| value.is_finite() && value as f32 > 0.0;
    let fraction = |value: f64| (0.0..1.0).contains(&value);
    let checks = [
        ("learning_rate", adam.learning_rate, at_least_zero(adam.learning_rate)),
        ("beta1", adam.beta1, fraction(adam.beta1)),
        ("beta2", adam.beta2, fraction(adam.beta2)),
        ("eps", adam.eps, above_zero(adam.eps)),
        ("weight_decay", adam.weight_decay, at_least_zero(adam.weight_decay)),
        ("grad_clip_norm", adam.grad_clip_norm, at_least_zero(adam.grad_clip_norm)),
    ];
    for (name, value, fits) in checks {
        if !fits {
            let range = match name {
                "beta1" | "beta2" => "in 0..1",
                "eps" => "above 0",
                _ => "at least 0",
            };
            return Err(Error::rejected(format!("must be {range}, is {value}")).at(name));
        }
    }
    Ok(())
}

/// Euclidean norm of the whole gradient. Not finite if any part of it is not.
#[must_use]
pub fn norm(gradient: &[f32]) -> f64 {
    let squares = |chunk: &[f32]| -> f64 {
        let mut lanes = [0.0f64; 8];
        let (blocks, rest) = chunk.as_chunks::<8>();
        for block in blocks {
            for (sum, &g) in lanes.iter_mut().zip(block) {
                *sum += f64::from(g) * f64::from(g);
            }
        }
        lanes.iter().sum::<f64>() + rest.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>()
    };
    let chunks: Vec<f64> = gradient.par_chunks(CHUNK).map(squares).collect();
    chunks.iter().sum::<f64>().sqrt()
}

/// The factor that brings a gradient of this norm down to `limit` (0: no limit), as
/// `torch.nn.utils.clip_grad_norm_` computes it.
#[must_use]
pub fn clip_factor(norm: f64, limit: f64) -> f32 {
    if limit == 0.0 { 1.0 } else { (limit / (norm + 1e-6)).min(1.0) as f32 }
}

/// One step over all parameters; `scale` multiplies the gradient first.
pub fn step(params: &mut [f32], gradient: &[f32], scale: f32, adam: &Adam, state: &mut Moments) {
    state.first.resize(params.len(), 0.0);
    state.second.resize(params.len(), 0.0);
    state.step += 1;
    let steps = state.step as f64;
    let decay = (1.0 - adam.learning_rate * adam.weight_decay) as f32;
    let toward_gradient = (1.0 - adam.beta1) as f32;
    let beta2 = adam.beta2 as f32;
    let toward_square = (1.0 - adam.beta2) as f32;
    let size = -(adam.learning_rate / (1.0 - adam.beta1.powf(steps))) as f32;
    let root_correction = (1.0 - adam.beta2.powf(steps)).sqrt() as f32;
    let eps = adam.eps as f32;
    params
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(state.first.par_chunks_mut(CHUNK).zip(state.second.par_chunks_mut(CHUNK)))
        .for_each(|((params, gradient), (first, second))| {
            for (((p, &g), m), v) in params.iter_mut().zip(gradient).zip(first).zip(second) {
                let g = g * scale;
                *p *= decay;
                *m = lerp(*m, g, toward_gradient);
                *v = *v * beta2 + toward_square * g * g;
                *p += size * *m / (v.sqrt() / root_correction + eps);
            }
        });
}

/// From `a` towards `b`, from whichever end is nearer, so that weight 1 gives exactly `b`.
#[inline(always)]
fn lerp(a: f32, b: f32, weight: f32) -> f32 {
    if weight < 0.5 { a + weight * (b - a) } else { b - (b - a) * (1.0 - weight) }
}
