//! AdamW against `torch.optim.AdamW`: `tests/fixtures/local/adamw.json`, made by
//! `tests/conformance/local_peft/adamw.py`.

#![allow(clippy::unwrap_used)] // the lint's own exception covers test functions only

use serde::Deserialize;
use tinsmith_local::optimizer::{Moments, clip_factor, norm, step};
use tinsmith_plugin_api::Adam;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    start: Vec<f32>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(flatten)]
    adam: Adam,
    gradient: Vec<f32>,
    norm: f64,
    params: Vec<f32>,
    exp_avg: Vec<f32>,
    exp_avg_sq: Vec<f32>,
}

/// Within a few roundings of f32; sums of opposite signs lose some more.
#[track_caller]
fn close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let scale = b.abs().max(1e-12);
        assert!((a - b).abs() <= 2e-6 * scale, "{what}[{i}]: {a} instead of {b}");
    }
}

#[test]
fn steps_are_torchs_steps() {
    let golden: Golden =
        serde_json::from_str(include_str!("../../../tests/fixtures/local/adamw.json")).unwrap();
    for case in golden.cases {
        let mut params = case.start;
        let mut moments = Moments::default();
        for (i, expected) in case.steps.into_iter().enumerate() {
            let what = |part: &str| format!("{} step {i} {part}", case.name);
            let found = norm(&expected.gradient);
            assert!((found / expected.norm - 1.0).abs() < 1e-12, "{}", what("norm"));
            let scale = clip_factor(found, expected.adam.grad_clip_norm);
            step(&mut params, &expected.gradient, scale, &expected.adam, &mut moments);
            close(&moments.first, &expected.exp_avg, &what("exp_avg"));
            close(&moments.second, &expected.exp_avg_sq, &what("exp_avg_sq"));
            close(&params, &expected.params, &what("params"));
        }
        assert_eq!(moments.step, 5);
    }
}

/// The norm is summed in chunks of a fixed size: the same at any number of threads.
#[test]
fn the_norm_does_not_depend_on_the_number_of_threads() {
    let gradient: Vec<f32> =
        (0..200_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 1e5 - 80.0).collect();
    let norms = [1, 2, 7].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| norm(&gradient))
    });
    assert_eq!(norms[0].to_bits(), norms[1].to_bits());
    assert_eq!(norms[0].to_bits(), norms[2].to_bits());
    let plain = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    assert!((norms[0] / plain - 1.0).abs() < 1e-12);
}
