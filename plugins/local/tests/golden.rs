//! Against PyTorch, transformers and PEFT.
//!
//! `tests/conformance/local_peft/run.sh` made the models and the expected values; `golden.json` beside
//! them says with which versions. Sequences of 7, 1, 66 and 13 tokens, a third of the weights masked.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

use safetensors::{Dtype, SafeTensors};
use std::{collections::BTreeMap, path::PathBuf};
use tinsmith_local::{
    layout::Layout,
    model::Model,
    optimizer::{self, Moments},
    packed::{BatchLoss, Packed},
};
use tinsmith_plugin_api::{
    Adam, Batch, Column, ColumnData, EvaluateLoss, Lora, LossBatch, LossScope, LossValue, Result,
};

struct Golden(BTreeMap<String, Vec<f32>>);

impl Golden {
    fn read(case: &str) -> (PathBuf, Self) {
        let dir =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/local").join(case);
        let bytes = std::fs::read(dir.join("golden.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let values = file.tensors().into_iter().map(|(name, tensor)| {
            let numbers = tensor.data().as_chunks::<4>().0.iter();
            let numbers = match tensor.dtype() {
                Dtype::I32 => numbers.map(|&b| i32::from_le_bytes(b) as f32).collect(),
                _ => numbers.map(|&b| f32::from_le_bytes(b)).collect(),
            };
            (name, numbers)
        });
        (dir, Self(values.collect()))
    }

    fn ids(&self, name: &str) -> Vec<i32> {
        self.0[name].iter().map(|&v| v as i32).collect()
    }

    fn batch(&self) -> Batch {
        let mut offsets = vec![0];
        for len in &self.0["lengths"] {
            offsets.push(offsets[offsets.len() - 1] + *len as u64);
        }
        Batch {
            tokens: self.ids("tokens"),
            targets: self.ids("targets"),
            groups: (0..offsets.len() as u64 - 1).collect(),
            offsets,
            columns: vec![Column {
                name: "weights".into(),
                data: ColumnData::F32(self.0["weights"].clone()),
            }],
        }
    }

    /// The largest difference in a tensor, relative to its largest value.
    fn compare(&self, name: &str, got: &[f32], tolerance: f32) {
        let want = self.0.get(name).unwrap_or_else(|| panic!("no reference value for `{name}`"));
        assert_eq!(want.len(), got.len(), "{name}");
        let scale = want.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let worst = want.iter().zip(got).fold(0.0f32, |m, (w, g)| m.max((w - g).abs()));
        assert!(worst <= tolerance * scale, "{name}: off by {worst} of {scale}");
    }
}

/// −Σ weights · logprobs, as the script has it.
struct CrossEntropy([String; 1]);

impl EvaluateLoss for CrossEntropy {
    fn inputs(&self) -> &[String] {
        &self.0
    }

    fn scope(&self) -> LossScope {
        LossScope::Token
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let mut sum = 0.0;
        for ((grad, w), l) in grad.iter_mut().zip(batch.inputs[0]).zip(batch.logprobs) {
            *grad = -w;
            sum -= f64::from(w * l);
        }
        Ok(LossValue { sum, ..LossValue::default() })
    }
}

const STEPS: usize = 5;
const CLIP: f64 = 0.5;
const ADAM: Adam = Adam {
    learning_rate: 3e-3,
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weight_decay: 0.1,
    grad_clip_norm: CLIP,
};

fn follow(golden: &Golden, model: &Model, layout: &Layout, mut params: Vec<f32>, prefix: &str) {
    let batch = golden.batch();
    let packed = Packed::new(&batch, model.config()).unwrap();
    let loss = CrossEntropy(["weights".into()]);
    let loss = BatchLoss::new(&loss, &batch).unwrap();
    let mut moments = Moments::default();
    for step in 0..STEPS {
        let mut grads = vec![0.0; layout.len()];
        let (logprobs, value) =
            model.forward_backward(layout, &params, &mut grads, &packed, &loss).unwrap();
        if step == 0 {
            golden.compare(&format!("{prefix}.logprobs"), &logprobs, 5e-6);
            golden.compare(&format!("{prefix}.loss"), &[value.sum as f32], 5e-6);
            for slot in layout.slots() {
                let name = format!("{prefix}.grad.{}", slot.name);
                golden.compare(&name, &grads[slot.range.clone()], 2e-5);
            }
        }
        let scale = optimizer::clip_factor(optimizer::norm(&grads), CLIP);
        optimizer::step(&mut params, &grads, scale, &ADAM, &mut moments);
    }
    for slot in layout.slots() {
        let name = format!("{prefix}.after.{}", slot.name);
        golden.compare(&name, &params[slot.range.clone()], 5e-5);
    }
    let compared = 2 * layout.slots().len();
    let given = golden.0.keys().filter(|k| {
        k.starts_with(&format!("{prefix}.grad.")) || k.starts_with(&format!("{prefix}.after."))
    });
    assert_eq!(compared, given.count(), "every reference tensor has a slot of that name");
}

fn adapters(case: &str, unembed: bool) {
    let (dir, golden) = Golden::read(case);
    let model = Model::open(&dir).unwrap();
    let lora = Lora {
        rank: 4,
        alpha: 6.0,
        seed: 0,
        train_attn: true,
        train_mlp: true,
        train_unembed: unembed,
    };
    let layout = Layout::lora(model.config(), &lora).unwrap();
    let mut params = vec![0.0; layout.len()];
    for slot in layout.slots() {
        let start = &golden.0[&format!("lora.start.{}", slot.name)];
        params[slot.range.clone()].copy_from_slice(start);
    }
    follow(&golden, &model, &layout, params, "lora");
}

fn full(case: &str) {
    let (dir, golden) = Golden::read(case);
    let model = Model::open(&dir).unwrap();
    let layout = Layout::full(model.config());
    let params = model.initial_params(&layout, 0);
    follow(&golden, &model, &layout, params, "full");
}

#[test]
fn llama_adapters_and_head() {
    adapters("llama_f32", true);
}

#[test]
fn llama_every_weight() {
    full("llama_f32");
}

#[test]
fn qwen3_adapters() {
    adapters("qwen3_tied", false);
}

#[test]
fn qwen3_every_weight() {
    full("qwen3_tied");
}

#[test]
fn bf16_weights() {
    adapters("llama_bf16", false);
}
