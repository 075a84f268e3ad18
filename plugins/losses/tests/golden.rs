//! Every loss against torch autograd in float64: `tests/conformance/losses/run.sh` makes the file.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tinsmith_losses::{Cispo, CrossEntropy, Dpo, DpoConfig, Dro, ImportanceSampling, Ppo};
use tinsmith_plugin_api::{Loss, LossBatch, LossValue};

const GOLDEN: &str = include_str!("../../../tests/fixtures/losses/golden.json");

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn evaluate<L: Loss>(config: &Value, lp: &[f32], inputs: &[&[f32]]) -> (LossValue, Vec<f32>) {
    let loss = L::new(serde_json::from_value(config.clone()).unwrap()).unwrap();
    assert_eq!(inputs.len(), L::INPUTS.len());
    let mut grad = vec![0.0; lp.len()];
    let offsets = [0, 6, lp.len() as u64];
    let batch = LossBatch { logprobs: lp, inputs, offsets: &offsets, groups: &[0, 1] };
    (loss.evaluate(&batch, &mut grad).unwrap(), grad)
}

#[test]
fn values_and_gradients_equal_torch_autograd() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let [lp, old, advantages, weights] =
        ["logprobs", "old", "advantages", "weights"].map(|name| floats(&golden[name]));
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let (name, config) = (case["loss"].as_str().unwrap(), &case["config"]);
        let policy: [&[f32]; 2] = [&old, &advantages];
        let (value, grad) = match name {
            "cross_entropy" => evaluate::<CrossEntropy>(config, &lp, &[&weights]),
            "importance_sampling" => evaluate::<ImportanceSampling>(config, &lp, &policy),
            "ppo" => evaluate::<Ppo>(config, &lp, &policy),
            "cispo" => evaluate::<Cispo>(config, &lp, &policy),
            "dro" => evaluate::<Dro>(config, &lp, &policy),
            other => panic!("no test for {other}"),
        };
        let close = |ours: f64, theirs: f64| {
            assert!(
                (ours - theirs).abs() <= 2e-6 * theirs.abs().max(1.0),
                "{name} {config}: {ours} against torch's {theirs}"
            );
        };
        close(value.sum, case["sum"].as_f64().unwrap());
        for (ours, theirs) in grad.iter().zip(case["grad"].as_array().unwrap()) {
            close(f64::from(*ours), theirs.as_f64().unwrap());
        }
        for (key, metric) in [("ratio_mean", "ratio:mean"), ("kl_mean", "kl:mean")] {
            if let Some(theirs) = case[key].as_f64() {
                close(value.metrics[metric], theirs);
            }
        }
    }
}

/// By tinker-cookbook's own function, times the number of pairs: it takes the mean.
#[test]
fn dpo_equals_the_cookbooks() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let pairs = &golden["pairs"];
    let [lp, reference, weights] =
        ["logprobs", "reference", "weights"].map(|name| floats(&pairs[name]));
    let mut offsets = vec![0];
    for length in pairs["lengths"].as_array().unwrap() {
        offsets.push(offsets[offsets.len() - 1] + length.as_u64().unwrap());
    }
    let inputs: [&[f32]; 2] = [&weights, &reference];
    let groups = [4, 4, 5, 5, 9, 9];
    let batch = LossBatch { logprobs: &lp, inputs: &inputs, offsets: &offsets, groups: &groups };
    for case in pairs["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let config = DpoConfig { beta: number("beta"), label_smoothing: number("label_smoothing") };
        let mut grad = vec![0.0; lp.len()];
        let value = Dpo::new(config).unwrap().evaluate(&batch, &mut grad).unwrap();
        let close = |ours: f64, theirs: f64, what: &str| {
            assert!(
                (ours - theirs).abs() <= 2e-6 * theirs.abs().max(1.0),
                "{what}: {ours}, {theirs}"
            );
        };
        close(value.sum, number("sum"), "sum");
        for (ours, theirs) in grad.iter().zip(case["grad"].as_array().unwrap()) {
            close(f64::from(*ours), theirs.as_f64().unwrap(), "gradient");
        }
        for (ours, theirs) in [
            ("accuracy:mean", "accuracy"),
            ("margin:mean", "margin"),
            ("chosen_reward:mean", "chosen_reward"),
            ("rejected_reward:mean", "rejected_reward"),
        ] {
            close(value.metrics[ours], case["metrics"][theirs].as_f64().unwrap(), ours);
        }
    }
}

/// The defaults the Tinker documentation gives, and what is put on the wire for them.
#[test]
fn defaults_are_those_of_the_tinker_api() {
    fn remote<L: Loss>() -> Value {
        let loss = L::new(serde_json::from_str("{}").unwrap()).unwrap();
        serde_json::to_value(loss.remote().unwrap()).unwrap()
    }
    let ppo = r#"{"name":"ppo","config":{"clip_low_threshold":0.8,"clip_high_threshold":1.2}}"#;
    let cispo = r#"{"name":"cispo","config":{"clip_low_threshold":0.0,"clip_high_threshold":4.0}}"#;
    assert_eq!(remote::<CrossEntropy>().to_string(), r#"{"name":"cross_entropy","config":{}}"#);
    assert_eq!(
        remote::<ImportanceSampling>().to_string(),
        r#"{"name":"importance_sampling","config":{}}"#
    );
    assert_eq!(remote::<Ppo>().to_string(), ppo);
    assert_eq!(remote::<Cispo>().to_string(), cispo);
    assert_eq!(remote::<Dro>().to_string(), r#"{"name":"dro","config":{"beta":0.05}}"#);
}
