//! Decoding with a cache gives what the forward pass over the whole sequence gives.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used, clippy::needless_range_loop)]

mod support;

use safetensors::Dtype;
use support::engine::{adapter, batch, llama, open, qwen3};
use tinsmith_local::{model::KvCache, packed::Packed};
use tinsmith_plugin_api::ErrorKind;

fn log_softmax(logits: &[f32], at: usize) -> f32 {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - max).exp()).sum();
    logits[at] - max - sum.ln() as f32
}

fn tokens(batch: &Packed, range: std::ops::Range<usize>) -> Vec<i32> {
    batch.tokens[range].iter().map(|&t| t as i32).collect()
}

#[test]
fn one_token_at_a_time_equals_the_forward_pass() {
    for config in [llama(), qwen3()] {
        let model = open(&config, Dtype::F32);
        let (layout, params) = adapter(&model);
        let batch = batch(model.config(), &[90], 1);
        let expected = model.forward(&layout, &params, &batch).unwrap();
        let mut cache = KvCache::new();
        // A prompt longer than a block, then single tokens.
        let prompt = 70;
        for at in prompt - 1..batch.len() {
            let fed = if at == prompt - 1 { 0..prompt } else { at..at + 1 };
            let logits = model.decode(&layout, &params, &mut cache, &tokens(&batch, fed)).unwrap();
            let got = log_softmax(&logits, batch.targets[at] as usize);
            assert!((got - expected[at]).abs() < 1e-4, "token {at}: {got} {}", expected[at]);
        }
        assert_eq!(cache.len(), 90);
    }
}

#[test]
fn sequences_together_equal_sequences_alone() {
    let model = open(&llama(), Dtype::F32);
    let (layout, params) = adapter(&model);
    let batch = batch(model.config(), &[30, 5, 12], 1);
    let prompts: Vec<Vec<i32>> =
        batch.offsets.windows(2).map(|w| tokens(&batch, w[0]..w[1])).collect();
    let mut caches = vec![KvCache::new(); 3];
    let mut alone = vec![KvCache::new(); 3];
    let mut fed = prompts.clone();
    for _ in 0..6 {
        let vocab = model.config().vocab;
        let mut borrowed: Vec<&mut KvCache> = caches.iter_mut().collect();
        let slices: Vec<&[i32]> = fed.iter().map(Vec::as_slice).collect();
        let together = model.decode_batch(&layout, &params, &mut borrowed, &slices).unwrap();
        for (i, logits) in together.chunks(vocab).enumerate() {
            let one = model.decode(&layout, &params, &mut alone[i], &fed[i]).unwrap();
            for (a, b) in logits.iter().zip(&one) {
                assert!((a - b).abs() < 1e-4, "{a} {b}");
            }
            let best = (0..vocab).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            fed[i] = vec![best as i32];
        }
    }
}

#[test]
fn a_truncated_cache_goes_on_from_there() {
    let model = open(&qwen3(), Dtype::F32);
    let (layout, params) = adapter(&model);
    let mut cache = KvCache::new();
    model.decode(&layout, &params, &mut cache, &[1, 2, 3]).unwrap();
    let first = model.decode(&layout, &params, &mut cache, &[4, 5]).unwrap();
    cache.truncate(3);
    let again = model.decode(&layout, &params, &mut cache, &[4, 5]).unwrap();
    assert_eq!(first, again);
}

#[test]
fn bad_tokens_are_rejected_and_change_nothing() {
    let model = open(&llama(), Dtype::F32);
    let (layout, params) = adapter(&model);
    let mut cache = KvCache::new();
    for bad in [&[][..], &[-1], &[50], &[0; 513]] {
        let error = model.decode(&layout, &params, &mut cache, bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::REJECTED);
        assert!(cache.is_empty());
    }
}
