//! A loss's gradient against finite differences.

use crate::{Loss, LossBatch, LossHandle, LossScope, LossValue};
use serde_json::Value;

/// A point at which a gradient is checked.
#[derive(Clone, Debug)]
pub struct GradientCase {
    /// `[T]`, in nats.
    pub logprobs: Vec<f32>,
    /// In the order of the loss's `INPUTS`, each `[T]`.
    pub inputs: Vec<Vec<f32>>,
    /// `[B + 1]`.
    pub offsets: Vec<u64>,
    /// `[B]`.
    pub groups: Vec<u64>,
}

impl GradientCase {
    /// A case with plausible inputs, the same for the same seed: 3 datums of 7, 1 and 9 tokens, the
    /// last two in one group.
    #[must_use]
    pub fn plausible(inputs: &[String], seed: u64) -> Self {
        let mut random = Random(seed);
        let tokens = 17;
        let logprobs: Vec<f32> = (0..tokens).map(|_| random.between(-3.0, -0.1)).collect();
        let column = |name: &String| -> Vec<f32> {
            let mut value = |old: f32| match name.as_str() {
                "weights" | "mask" => random.between(0.0, 2.0).floor(),
                "logprobs" => old + random.between(-0.5, 0.5),
                _ => random.between(-1.0, 1.0),
            };
            logprobs.iter().map(|old| value(*old)).collect()
        };
        let inputs = inputs.iter().map(column).collect();
        Self { logprobs, inputs, offsets: vec![0, 7, 8, 17], groups: vec![0, 1, 1] }
    }

    fn evaluate(&self, loss: &dyn LossHandle) -> (LossValue, Vec<f32>) {
        self.part(loss, 0, self.groups.len())
    }

    /// The datums `first..end` alone.
    fn part(&self, loss: &dyn LossHandle, first: usize, end: usize) -> (LossValue, Vec<f32>) {
        let base = self.offsets[first];
        let range = base as usize..self.offsets[end] as usize;
        let inputs: Vec<&[f32]> = self.inputs.iter().map(|c| &c[range.clone()]).collect();
        let offsets: Vec<u64> = self.offsets[first..=end].iter().map(|o| o - base).collect();
        let batch = LossBatch {
            logprobs: &self.logprobs[range.clone()],
            inputs: &inputs,
            offsets: &offsets,
            groups: &self.groups[first..end],
        };
        let mut gradient = vec![0.0; range.len()];
        match loss.evaluate(&batch, &mut gradient) {
            Ok(value) => (value, gradient),
            Err(e) => panic!("evaluate: {e}"),
        }
    }
}

/// Checks the gradient of a loss at plausible points.
///
/// # Panics
/// Where the gradient is wrong; the message names the token.
pub fn check_gradient<T: Loss>(config: &Value) {
    let loss = match super::loss::<T>(config) {
        Ok(loss) => loss,
        Err(e) => panic!("`new` refused the config: {e}"),
    };
    for seed in 0..8 {
        check_loss(loss.as_ref(), &GradientCase::plausible(loss.inputs(), seed));
    }
}

/// Checks the gradient of a loss at one point: each derivative lies between the two one-sided
/// difference quotients (at a kink they differ), the answer repeats bit for bit, and a loss of
/// scope `token` gives the same for each datum alone.
///
/// # Panics
/// Where the gradient is wrong; the message names the token.
pub fn check_loss(loss: &dyn LossHandle, case: &GradientCase) {
    const STEP: f32 = 1e-3;
    let (value, gradient) = case.evaluate(loss);
    assert!(value.sum.is_finite(), "the loss is {}", value.sum);
    assert_eq!(
        case.evaluate(loss),
        (value.clone(), gradient.clone()),
        "the answer does not repeat"
    );

    for (t, &analytic) in gradient.iter().enumerate() {
        let quotient = |step: f32| {
            let mut moved = case.clone();
            moved.logprobs[t] += step;
            // The step as it is after rounding to f32.
            let step = f64::from(moved.logprobs[t]) - f64::from(case.logprobs[t]);
            (moved.evaluate(loss).0.sum - value.sum) / step
        };
        let (left, right) = (quotient(-STEP), quotient(STEP));
        // f32 arithmetic inside the loss leaves 1e-7 of the value in each of the two sums.
        let tolerance = 2e-3 * (1.0 + left.abs().max(right.abs()));
        let (low, high) = (left.min(right) - tolerance, left.max(right) + tolerance);
        assert!(
            (low..=high).contains(&f64::from(analytic)),
            "token {t}: the gradient is {analytic}, finite differences say {left:.5} to {right:.5}"
        );
    }
    if loss.scope() == LossScope::Token {
        check_parts(loss, case, &value, &gradient);
    }
}

fn check_parts(loss: &dyn LossHandle, case: &GradientCase, whole: &LossValue, gradient: &[f32]) {
    let (mut sum, mut parts) = (0.0, Vec::new());
    for i in 0..case.groups.len() {
        let (value, part) = case.part(loss, i, i + 1);
        sum += value.sum;
        parts.extend(part);
    }
    assert_eq!(parts, gradient, "a loss of scope `token` depends on its neighbours");
    let close = (sum - whole.sum).abs() <= 1e-6 * (1.0 + whole.sum.abs());
    assert!(close, "the sum of the parts is {sum}, the whole {}", whole.sum);
}

/// A small generator (SplitMix64): the kit has no dependency for it.
struct Random(u64);

impl Random {
    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 24) as f32;
        low + (high - low) * unit
    }
}
