//! Gradients of whole models against central differences of their own forward pass.
//!
//! For every slot the derivative is measured along its gradient: a gradient that is too long, too
//! short or turned gives a different number. A random direction is measured as well.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use safetensors::Dtype;
use serde_json::{Value, json};
use std::sync::Arc;
use support::engine::{Coupled, Random, Weighted, batch, llama, masked, model_dir, qwen3, with};
use tinsmith_local::{
    layout::Layout,
    model::Model,
    packed::{Packed, TokenLoss},
};
use tinsmith_plugin_api::{Lora, LossScope};

struct Case {
    model: Arc<Model>,
    layout: Layout,
    params: Vec<f32>,
    batch: Packed,
}

impl Case {
    fn new(config: &Value, layout: impl Fn(&Model) -> Layout) -> Self {
        let dir = model_dir(config, Dtype::F32);
        let model = Model::open(dir.path()).unwrap();
        let layout = layout(&model);
        let mut params = model.initial_params(&layout, 3);
        // B starts at zero, where half of an adapter's gradient vanishes.
        let mut random = Random(11);
        for slot in layout.slots().iter().filter(|s| s.name.contains("lora_B")) {
            params[slot.range.clone()].iter_mut().for_each(|p| *p = 0.3 * random.unit());
        }
        let batch = batch(model.config(), &[5, 1, 70, 12], 5);
        Self { model, layout, params, batch }
    }

    fn value(&self, params: &[f32], loss: &dyn TokenLoss) -> f64 {
        let logprobs = self.model.forward(&self.layout, params, &self.batch).unwrap();
        loss.evaluate(0..logprobs.len(), &logprobs, &mut vec![0.0; logprobs.len()]).unwrap().sum
    }

    /// Derivative along `direction` (of length 1) by a difference of fourth order.
    fn measured(&self, at: usize, direction: &[f32], loss: &dyn TokenLoss) -> f64 {
        let step = 0.01f32;
        let at_offset = |h: f32| {
            let mut params = self.params.clone();
            for (p, d) in params[at..].iter_mut().zip(direction) {
                *p += h * d;
            }
            self.value(&params, loss)
        };
        let near = at_offset(step) - at_offset(-step);
        let far = at_offset(2.0 * step) - at_offset(-2.0 * step);
        (8.0 * near - far) / (12.0 * f64::from(step))
    }

    fn check(&self, loss: &dyn TokenLoss) {
        let mut grads = vec![0.0; self.layout.len()];
        let (_, value) = self
            .model
            .forward_backward(&self.layout, &self.params, &mut grads, &self.batch, loss)
            .unwrap();
        assert!((value.sum - self.value(&self.params, loss)).abs() < 1e-3 * value.sum.abs());
        let mut random = Random(23);
        for slot in self.layout.slots() {
            let grad = &grads[slot.range.clone()];
            let norm = grad.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 1e-4, "{}: the gradient is zero, nothing is tested", slot.name);
            let along: Vec<f32> = grad.iter().map(|&g| (f64::from(g) / norm) as f32).collect();
            let measured = self.measured(slot.range.start, &along, loss);
            assert!(
                (measured - norm).abs() < 3e-3 * norm + 2e-3,
                "{}: along the gradient {norm}, measured {measured}",
                slot.name
            );
            let mut other = random.vec(grad.len(), 1.0);
            let length = other.iter().map(|v| v * v).sum::<f32>().sqrt();
            other.iter_mut().for_each(|v| *v /= length);
            let expected: f64 =
                grad.iter().zip(&other).map(|(&g, &d)| f64::from(g) * f64::from(d)).sum();
            let measured = self.measured(slot.range.start, &other, loss);
            assert!(
                (measured - expected).abs() < 3e-3 * norm + 2e-3,
                "{}: along a random direction {expected}, measured {measured}",
                slot.name
            );
        }
    }

    fn weights(&self) -> Vec<f32> {
        masked(self.batch.len(), 9)
    }
}

fn lora(attn: bool, mlp: bool, unembed: bool) -> impl Fn(&Model) -> Layout {
    move |model| {
        let lora = Lora {
            rank: 3,
            alpha: 5.0,
            seed: 0,
            train_attn: attn,
            train_mlp: mlp,
            train_unembed: unembed,
        };
        Layout::lora(model.config(), &lora).unwrap()
    }
}

fn full(model: &Model) -> Layout {
    Layout::full(model.config())
}

#[test]
fn llama_every_weight() {
    let case = Case::new(&llama(), full);
    case.check(&Weighted(case.weights()));
}

#[test]
fn llama_tied_every_weight() {
    let case = Case::new(&with(llama(), &json!({"tie_word_embeddings": true})), full);
    case.check(&Weighted(case.weights()));
}

#[test]
fn llama_with_scaled_rotation() {
    let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32});
    let case = Case::new(&with(llama(), &json!({"rope_scaling": scaling})), full);
    case.check(&Weighted(case.weights()));
}

#[test]
fn qwen3_every_weight() {
    let case = Case::new(&qwen3(), full);
    case.check(&Weighted(case.weights()));
}

#[test]
fn llama_adapters() {
    let case = Case::new(&llama(), lora(true, true, true));
    case.check(&Weighted(case.weights()));
}

#[test]
fn llama_adapters_of_one_kind() {
    for (attn, mlp, unembed) in [(true, false, false), (false, true, false), (false, false, true)] {
        let case = Case::new(&llama(), lora(attn, mlp, unembed));
        case.check(&Weighted(case.weights()));
    }
}

#[test]
fn qwen3_adapters_with_a_tied_head() {
    let case = Case::new(&qwen3(), lora(true, true, true));
    case.check(&Weighted(case.weights()));
}

#[test]
fn losses_that_see_more_than_a_token() {
    for scope in [LossScope::Group, LossScope::Batch] {
        let case = Case::new(&llama(), lora(true, true, true));
        case.check(&Coupled(case.weights(), scope));
        let case = Case::new(&qwen3(), full);
        case.check(&Coupled(case.weights(), scope));
    }
}
