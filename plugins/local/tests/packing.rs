//! A batch is the sum of its sequences, and the number of threads is nobody's business.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use safetensors::Dtype;
use serde_json::json;
use support::engine::{Coupled, Weighted, adapter, batch, llama, masked, open, qwen3, with};
use tinsmith_local::{
    layout::Layout,
    model::Model,
    packed::{Packed, TokenLoss},
};
use tinsmith_plugin_api::LossScope;

fn full(model: &Model) -> (Layout, Vec<f32>) {
    let layout = Layout::full(model.config());
    let params = model.initial_params(&layout, 0);
    (layout, params)
}

/// Sequence `i` of a batch, alone.
fn alone(batch: &Packed, i: usize) -> Packed {
    let range = batch.offsets[i]..batch.offsets[i + 1];
    Packed {
        tokens: batch.tokens[range.clone()].to_vec(),
        targets: batch.targets[range.clone()].to_vec(),
        offsets: vec![0, range.len()],
        positions: batch.positions[range].to_vec(),
    }
}

fn assert_close(a: &[f32], b: &[f32], what: &str) {
    let scale = b.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() < 2e-5 * scale, "{what}[{i}]: {a} {b}");
    }
}

fn packed_equals_alone(
    model: &Model,
    layout: &Layout,
    params: &[f32],
    lengths: &[usize],
    seed: u64,
) {
    let packed = batch(model.config(), lengths, seed);
    let weights = masked(packed.len(), seed);
    let mut grads = vec![0.0; layout.len()];
    let (logprobs, value) = model
        .forward_backward(layout, params, &mut grads, &packed, &Weighted(weights.clone()))
        .unwrap();
    let mut summed = vec![0.0; layout.len()];
    let (mut sum, mut joined) = (0.0, Vec::new());
    for i in 0..lengths.len() {
        let part = Weighted(weights[packed.offsets[i]..packed.offsets[i + 1]].to_vec());
        let (logprobs, value) =
            model.forward_backward(layout, params, &mut summed, &alone(&packed, i), &part).unwrap();
        sum += value.sum;
        joined.extend(logprobs);
    }
    assert_close(&logprobs, &joined, "logprobs");
    assert_close(&grads, &summed, "gradients");
    assert!((value.sum - sum).abs() < 1e-4 * sum.abs().max(1.0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_is_the_sum_of_its_sequences(
        lengths in prop::collection::vec(1usize..90, 1..7),
        seed in 0u64..1000,
        kind in 0usize..3,
    ) {
        let model = open(&if kind == 0 { llama() } else { qwen3() }, Dtype::F32);
        let (layout, params) = if kind == 2 { full(&model) } else { adapter(&model) };
        packed_equals_alone(&model, &layout, &params, &lengths, seed);
    }
}

#[test]
fn more_tokens_than_a_micro_batch() {
    // 400 + 400 | 400 + 1 | 500 …: several micro-batches, and one sequence beyond the block size.
    let model = open(&llama(), Dtype::F32);
    let (layout, params) = adapter(&model);
    packed_equals_alone(&model, &layout, &params, &[400, 400, 400, 1, 500, 512, 512, 3], 4);
}

#[test]
fn scopes_agree_on_a_loss_that_any_of_them_can_judge() {
    // The weighted loss is a sum over tokens: seen whole or in chunks, it is the same loss. Group and
    // batch scope pass the head twice, and with 1,500 tokens the blocks as well.
    struct Whole(Weighted);
    impl TokenLoss for Whole {
        fn scope(&self) -> LossScope {
            LossScope::Batch
        }
        fn evaluate(
            &self,
            tokens: std::ops::Range<usize>,
            logprobs: &[f32],
            grad: &mut [f32],
        ) -> tinsmith_plugin_api::Result<tinsmith_plugin_api::LossValue> {
            self.0.evaluate(tokens, logprobs, grad)
        }
    }
    let model = open(&llama(), Dtype::F32);
    let (layout, params) = full(&model);
    for lengths in [&[20, 30][..], &[500, 500, 500]] {
        let batch = batch(model.config(), lengths, 3);
        let weights = masked(batch.len(), 1);
        let run = |loss: &dyn TokenLoss| {
            let mut grads = vec![0.0; layout.len()];
            let out = model.forward_backward(&layout, &params, &mut grads, &batch, loss).unwrap();
            (grads, out)
        };
        let (chunked, (logprobs, value)) = run(&Weighted(weights.clone()));
        let (whole, (logprobs_whole, value_whole)) = run(&Whole(Weighted(weights)));
        assert_eq!(logprobs, logprobs_whole);
        assert_eq!(value, value_whole);
        assert_close(&chunked, &whole, "gradients");
    }
}

#[test]
fn thread_counts_do_not_change_a_bit() {
    // Large enough that every product and every reduction is cut into several pieces.
    let big = with(
        llama(),
        &json!({"hidden_size": 192, "intermediate_size": 512, "vocab_size": 1100,
            "num_attention_heads": 6, "head_dim": 32}),
    );
    for (config, dtype) in [
        (big.clone(), Dtype::F32),
        (
            with(
                big,
                &json!({
                    "architectures": ["Qwen3ForCausalLM"], "tie_word_embeddings": true
                }),
            ),
            Dtype::BF16,
        ),
    ] {
        let model = open(&config, dtype);
        for (layout, params) in [adapter(&model), full(&model)] {
            let batch = batch(model.config(), &[150, 70, 1, 200], 8);
            let weights = masked(batch.len(), 2);
            let run = |threads: usize, loss: &dyn TokenLoss| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut grads = vec![0.0; layout.len()];
                let out = pool.install(|| {
                    model.forward_backward(&layout, &params, &mut grads, &batch, loss).unwrap()
                });
                (grads, out)
            };
            let losses: [&dyn TokenLoss; 2] =
                [&Weighted(weights.clone()), &Coupled(weights.clone(), LossScope::Batch)];
            for loss in losses {
                let one = run(1, loss);
                for threads in [2, 3, 5] {
                    assert!(one == run(threads, loss), "{threads} threads differ from one");
                }
            }
        }
    }
}

#[test]
fn a_fresh_adapter_changes_nothing() {
    // B starts at zero: the adapted model is the base model, and so is full mode before a step.
    for config in [llama(), qwen3()] {
        let model = open(&config, Dtype::BF16);
        let batch = batch(model.config(), &[40, 9], 3);
        let base = Layout::base(model.config());
        assert!(base.is_empty());
        let expected = model.forward(&base, &[], &batch).unwrap();
        let (adapted, _) = adapter(&model);
        for layout in [adapted, Layout::full(model.config())] {
            let params = model.initial_params(&layout, 42);
            assert_ne!(params, model.initial_params(&Layout::base(model.config()), 42));
            let got = model.forward(&layout, &params, &batch).unwrap();
            assert_close(&got, &expected, "logprobs");
        }
    }
}

#[test]
fn parameters_of_another_layout_are_rejected() {
    let model = open(&llama(), Dtype::F32);
    let (layout, params) = adapter(&model);
    let batch = batch(model.config(), &[4], 3);
    let error = model.forward(&layout, &params[1..], &batch).unwrap_err();
    assert_eq!(error.kind(), tinsmith_plugin_api::ErrorKind::REJECTED);
    let loss = Weighted(vec![1.0; 4]);
    let error = model.forward_backward(&layout, &params, &mut [0.0], &batch, &loss).unwrap_err();
    assert_eq!(error.kind(), tinsmith_plugin_api::ErrorKind::REJECTED);
}
