//! Gradients by finite differences, and inputs that no formula can take.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tinsmith_losses::{
    Cispo, CispoConfig, CrossEntropy, Dpo, DpoConfig, Dro, DroConfig, ImportanceSampling, NoConfig,
    Ppo, PpoConfig,
};
use tinsmith_plugin_api::{ErrorKind, Loss, LossBatch, LossValue, Result};

fn evaluate<L: Loss>(loss: &L, lp: &[f32], inputs: &[&[f32]]) -> Result<(LossValue, Vec<f32>)> {
    let mut grad = vec![0.0; lp.len()];
    let offsets = [0, lp.len() as u64];
    let batch = LossBatch { logprobs: lp, inputs, offsets: &offsets, groups: &[0] };
    loss.evaluate(&batch, &mut grad).map(|value| (value, grad))
}

/// The central difference of the value at every token must be the gradient there.
fn check_slope<L: Loss>(loss: &L, lp: &[f32], inputs: &[&[f32]]) {
    let (_, grad) = evaluate(loss, lp, inputs).unwrap();
    let step = 1.0 / 512.0;
    for i in 0..lp.len() {
        let at = |delta: f32| {
            let mut moved = lp.to_vec();
            moved[i] += delta;
            evaluate(loss, &moved, inputs).unwrap().0.sum
        };
        let slope = (at(step) - at(-step)) / f64::from(2.0 * step);
        let tolerance = 2e-3 * f64::from(grad[i].abs().max(1.0));
        assert!((slope - f64::from(grad[i])).abs() < tolerance, "token {i}: {slope}, {}", grad[i]);
    }
}

/// Ratios inside, below and above ppo's interval, each with both signs of the advantage, and far
/// enough from its ends that a step does not cross them.
const LP: [f32; 8] = [-1.0, -0.25, -3.0, -0.5, -2.0, -1.5, -0.75, -4.0];
const OLD: [f32; 8] = [-1.0625, -0.25, -2.0, -1.5, -1.0, -2.5, 0.0, -4.125];
const ADVANTAGES: [f32; 8] = [1.0, -1.0, 2.0, 0.5, -0.5, -2.0, 0.0, 0.25];

#[test]
fn gradients_are_the_slope_of_the_value() {
    let none = || NoConfig::default();
    let inputs: [&[f32]; 2] = [&OLD, &ADVANTAGES];
    check_slope(&CrossEntropy::new(none()).unwrap(), &LP, &[&ADVANTAGES]);
    check_slope(&ImportanceSampling::new(none()).unwrap(), &LP, &inputs);
    check_slope(&Ppo::new(PpoConfig::default()).unwrap(), &LP, &inputs);
    check_slope(&Dro::new(DroConfig::default()).unwrap(), &LP, &inputs);
    check_slope(&Dro::new(DroConfig { beta: 2.0 }).unwrap(), &LP, &inputs);
}

/// cispo stops the gradient through its weight, so the slope is that of a cross-entropy whose
/// weights are the clipped ratios times the advantages.
#[test]
fn cispo_is_cross_entropy_with_its_own_weights() {
    let config = CispoConfig { clip_low_threshold: 0.5, clip_high_threshold: 2.0 };
    let cispo = Cispo::new(config).unwrap();
    let (value, grad) = evaluate(&cispo, &LP, &[&OLD, &ADVANTAGES]).unwrap();
    let weights: Vec<f32> =
        (0..LP.len()).map(|i| (LP[i] - OLD[i]).exp().clamp(0.5, 2.0) * ADVANTAGES[i]).collect();
    let twin = CrossEntropy::new(NoConfig::default()).unwrap();
    let (twin_value, twin_grad) = evaluate(&twin, &LP, &[&weights]).unwrap();
    assert!((value.sum - twin_value.sum).abs() < 1e-5);
    for (a, b) in grad.iter().zip(twin_grad) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn clip_fraction_counts_the_tokens_that_lost_their_gradient() {
    let ppo = Ppo::new(PpoConfig::default()).unwrap();
    let (value, grad) = evaluate(&ppo, &LP, &[&OLD, &ADVANTAGES]).unwrap();
    // By hand: of the 7 tokens with an advantage, 3 (ratio 2.7, positive) and 4 (0.37, negative).
    assert_eq!(grad[3], 0.0);
    assert_eq!(grad[4], 0.0);
    assert_eq!(value.metrics["active_tokens:sum"], 7.0);
    assert!((value.metrics["clip_fraction:mean"] - 2.0 / 7.0).abs() < 1e-9);
}

#[test]
fn positions_that_are_not_trained_may_hold_impossible_tokens() {
    let lp = [f32::NEG_INFINITY, -1.0];
    let ce = CrossEntropy::new(NoConfig::default()).unwrap();
    assert_eq!(evaluate(&ce, &lp, &[&[0.0, 1.0]]).unwrap().0.sum, 1.0);
    let ppo = Ppo::new(PpoConfig::default()).unwrap();
    let (value, grad) = evaluate(&ppo, &lp, &[&[0.0, -1.0], &[0.0, 1.0]]).unwrap();
    assert_eq!((value.sum, grad), (-1.0, vec![0.0, -1.0]));
}

#[test]
fn what_is_not_finite_is_named() {
    let ce = CrossEntropy::new(NoConfig::default()).unwrap();
    let e = evaluate(&ce, &[-1.0, f32::NAN], &[&[1.0, 0.0]]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::DATA);
    assert!(e.message().contains("token 1"), "{e}");
    let e = evaluate(&ce, &[-1.0, -1.0], &[&[1.0, f32::INFINITY]]).unwrap_err();
    assert_eq!(e.to_string(), "`weights[1]`: is inf");
    let sampling = ImportanceSampling::new(NoConfig::default()).unwrap();
    let e = evaluate(&sampling, &[-1.0], &[&[-200.0], &[1.0]]).unwrap_err();
    assert!(e.to_string().contains("the sampler had -200"), "{e}");
    let e = evaluate(&sampling, &[-1.0], &[&[f32::NAN], &[1.0]]).unwrap_err();
    assert_eq!(e.to_string(), "`logprobs[0]`: is NaN");
}

#[test]
fn columns_of_another_length_are_refused() {
    let ce = CrossEntropy::new(NoConfig::default()).unwrap();
    let e = evaluate(&ce, &[-1.0, -2.0], &[&[1.0]]).unwrap_err();
    assert_eq!(e.field(), Some("weights"));
    assert!(evaluate(&ce, &[-1.0], &[]).is_err());
}

proptest! {
    /// Token scope means that a batch may be cut anywhere: the parts add up, gradients are equal.
    #[test]
    fn parts_add_up(
        rows in prop::collection::vec((-6.0_f32..0.0, -6.0_f32..0.0, -3.0_f32..3.0), 2..1500),
        cut in 0.0_f64..1.0,
    ) {
        let lp: Vec<f32> = rows.iter().map(|r| r.0).collect();
        let old: Vec<f32> = rows.iter().map(|r| r.1).collect();
        let advantages: Vec<f32> = rows.iter().map(|r| r.2).collect();
        let cut = (cut * rows.len() as f64) as usize;
        let ppo = Ppo::new(PpoConfig::default()).unwrap();
        let (whole, grad) = evaluate(&ppo, &lp, &[&old, &advantages]).unwrap();
        let (a, grad_a) = evaluate(&ppo, &lp[..cut], &[&old[..cut], &advantages[..cut]]).unwrap();
        let (b, grad_b) = evaluate(&ppo, &lp[cut..], &[&old[cut..], &advantages[cut..]]).unwrap();
        prop_assert!((whole.sum - a.sum - b.sum).abs() <= 1e-4 * (1.0 + whole.sum.abs()));
        prop_assert_eq!(grad, [grad_a, grad_b].concat());
    }
}

/// The kit's own check, through the boundary. Not `cispo`: its gradient is not a slope.
#[test]
fn the_testing_kit_agrees() {
    use tinsmith_plugin_api::testing::check_gradient;
    let none = serde_json::json!({});
    check_gradient::<CrossEntropy>(&none);
    check_gradient::<ImportanceSampling>(&none);
    check_gradient::<Ppo>(&none);
    check_gradient::<Dro>(&none);
}

#[test]
fn dpo_compares_pairs_and_nothing_else() {
    let dpo = Dpo::new(DpoConfig::default()).unwrap();
    let of = |lp: &[f32], groups: &[u64]| {
        let mut grad = vec![0.0; 8];
        let inputs: [&[f32]; 2] = [&[1.0; 8], &OLD];
        let offsets = [0, 2, 4, 6, 8];
        let batch = LossBatch { logprobs: lp, inputs: &inputs, offsets: &offsets, groups };
        dpo.evaluate(&batch, &mut grad).map(|value| (value, grad))
    };
    let (value, grad) = of(&LP, &[0, 0, 1, 1]).unwrap();
    assert!(value.sum > 0.0);
    for (i, slope) in grad.iter().enumerate() {
        assert_eq!(
            *slope < 0.0,
            i / 2 % 2 == 0,
            "the chosen answers become likelier, the others less"
        );
    }
    // A margin that no exponential function can take.
    let mut far = LP;
    far[0] = -1e6;
    let (value, grad) = of(&far, &[0, 0, 1, 1]).unwrap();
    assert!((value.sum - 1e5).abs() < 1e3 && grad.iter().all(|g| g.is_finite()), "{}", value.sum);
    for groups in [[0, 0, 0, 0], [0, 1, 2, 3], [0, 0, 0, 1]] {
        let e = of(&LP, &groups).unwrap_err();
        assert!(e.hint().is_some_and(|hint| hint.contains("chosen")), "{e}");
    }
    far[0] = f32::NAN;
    assert_eq!(of(&far, &[0, 0, 1, 1]).unwrap_err().kind(), ErrorKind::DATA);
    for (beta, label_smoothing, field) in
        [(0.0, 0.0, "beta"), (f64::NAN, 0.0, "beta"), (0.1, 0.5, "label_smoothing")]
    {
        let e = Dpo::new(DpoConfig { beta, label_smoothing }).unwrap_err();
        assert_eq!(e.field(), Some(field));
    }
}
