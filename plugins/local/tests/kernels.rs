//! Gradients of each kernel by its input against central differences of its forward function.
//!
//! The function differenced is Σ probe · output with a fixed random probe, so that the probe is the
//! gradient by the output.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use support::engine::Random;
use tinsmith_local::kernels::{
    attention::{self, Heads},
    embedding, norm,
    rope::RopeTable,
    softmax, swiglu,
};

fn weighted(probe: &[f32], output: &[f32]) -> f64 {
    probe.iter().zip(output).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Compares a gradient with differences of fourth order in every coordinate.
fn check(what: &str, at: &[f32], gradient: &[f32], f: impl Fn(&[f32]) -> f64) {
    let step = 0.02f32;
    let scale = gradient.iter().fold(0.0f32, |m, g| m.max(g.abs()));
    assert!(scale > 1e-3, "{what}: nothing to test");
    for i in 0..at.len() {
        let moved = |h: f32| {
            let mut x = at.to_vec();
            x[i] += h;
            f(&x)
        };
        let near = moved(step) - moved(-step);
        let far = moved(2.0 * step) - moved(-2.0 * step);
        let measured = (8.0 * near - far) / (12.0 * f64::from(step));
        let error = (measured - f64::from(gradient[i])).abs();
        assert!(error < 1e-3 * f64::from(scale), "{what}[{i}]: {} {measured}", gradient[i]);
    }
}

#[test]
fn norm_by_input_and_weight() {
    // More rows than one block, so that parts of dw are summed.
    let (rows, width, eps) = (35, 6, 1e-5);
    let mut random = Random(1);
    let x = random.vec(rows * width, 1.5);
    let w = random.vec(width, 1.0);
    let probe = random.vec(rows * width, 1.0);
    let forward = |x: &[f32], w: &[f32]| {
        let mut y = vec![0.0; x.len()];
        norm::forward(x, w, eps, &mut y);
        weighted(&probe, &y)
    };
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; width]);
    norm::backward(&x, &w, eps, &probe, &mut dx, Some(&mut dw));
    check("dx", &x, &dx, |x| forward(x, &w));
    check("dw", &w, &dw, |w| forward(&x, w));
    let mut without = vec![0.0; x.len()];
    norm::backward(&x, &w, eps, &probe, &mut without, None);
    assert_eq!(dx, without);
}

#[test]
fn head_norm_by_input_and_weight() {
    let (heads, width, eps) = (3, 8, 1e-6);
    let mut random = Random(2);
    let x = random.vec(heads * width, 1.5);
    let w = random.vec(width, 1.0);
    let probe = random.vec(heads * width, 1.0);
    let forward = |x: &[f32], w: &[f32]| {
        let mut y = x.to_vec();
        norm::heads_forward(&mut y, w, eps);
        weighted(&probe, &y)
    };
    let (mut dx, mut dw) = (probe.clone(), vec![0.0; width]);
    norm::heads_backward(&x, &w, eps, &mut dx, &mut dw);
    check("dx", &x, &dx, |x| forward(x, &w));
    check("dw", &w, &dw, |w| forward(&x, w));
}

#[test]
fn rotation_turns_pairs_and_back() {
    let frequencies = [1.0, 0.1, 0.01];
    let mut table = RopeTable::default();
    table.extend(&frequencies, 3);
    table.extend(&frequencies, 12);
    let mut random = Random(3);
    let x = random.vec(12, 1.0);
    let probe = random.vec(12, 1.0);
    let mut y = x.clone();
    table.rotate(&mut y, 11);
    for head in 0..2 {
        for (i, frequency) in frequencies.iter().enumerate() {
            let (sin, cos) = (11.0 * f64::from(*frequency)).sin_cos();
            let (a, b) = (f64::from(x[head * 6 + i]), f64::from(x[head * 6 + i + 3]));
            assert!((f64::from(y[head * 6 + i]) - (a * cos - b * sin)).abs() < 1e-6);
            assert!((f64::from(y[head * 6 + i + 3]) - (b * cos + a * sin)).abs() < 1e-6);
        }
    }
    let mut dx = probe.clone();
    table.rotate_back(&mut dx, 11);
    check("dx", &x, &dx, |x| {
        let mut y = x.to_vec();
        table.rotate(&mut y, 11);
        weighted(&probe, &y)
    });
}

#[test]
fn swiglu_by_gate_and_up() {
    let (rows, width) = (40, 3);
    let mut random = Random(4);
    let gate_up = random.vec(rows * 2 * width, 4.0);
    let probe = random.vec(rows * width, 1.0);
    let forward = |gate_up: &[f32]| {
        let mut act = vec![0.0; rows * width];
        swiglu::forward(gate_up, &mut act, width);
        act
    };
    let silu = |x: f32| f64::from(x) / (1.0 + f64::from(-x).exp());
    for (i, act) in forward(&gate_up).iter().enumerate() {
        let row = i / width * 2 * width + i % width;
        let exact = silu(gate_up[row]) * f64::from(gate_up[row + width]);
        assert!((f64::from(*act) - exact).abs() < 1e-5);
    }
    let mut gradient = gate_up.clone();
    swiglu::backward(&mut gradient, &probe, width);
    check("dgate_up", &gate_up, &gradient, |x| weighted(&probe, &forward(x)));
}

/// Attention by its definition, in f64.
fn reference(qkv: &[f32], offsets: &[usize], heads: Heads) -> Vec<f64> {
    let (d, share) = (heads.head_dim, heads.heads / heads.kv_heads);
    let row = (heads.heads + 2 * heads.kv_heads) * d;
    let at = |t: usize, column: usize| f64::from(qkv[t * row + column]);
    let mut out = vec![0.0; qkv.len() / row * heads.heads * d];
    for range in offsets.windows(2) {
        for t in range[0]..range[1] {
            for h in 0..heads.heads {
                let k = (heads.heads + h / share) * d;
                let v = k + heads.kv_heads * d;
                let score = |s: usize| {
                    (0..d).map(|i| at(t, h * d + i) * at(s, k + i)).sum::<f64>() / (d as f64).sqrt()
                };
                let p: Vec<f64> = (range[0]..=t).map(|s| score(s).exp()).collect();
                let total: f64 = p.iter().sum();
                for i in 0..d {
                    out[(t * heads.heads + h) * d + i] =
                        (range[0]..=t).map(|s| p[s - range[0]] / total * at(s, v + i)).sum();
                }
            }
        }
    }
    out
}

#[test]
fn attention_with_grouped_heads_over_packed_sequences() {
    for (heads, kv_heads) in [(4, 2), (2, 2), (3, 1)] {
        let heads = Heads { heads, kv_heads, head_dim: 4 };
        let row = (heads.heads + 2 * kv_heads) * 4;
        // One token, a few, and more than a block of 64.
        let offsets = [0, 1, 6, 72];
        let tokens = 72;
        let mut random = Random(5);
        let qkv = random.vec(tokens * row, 1.0);
        let probe = random.vec(tokens * heads.heads * 4, 1.0);
        let run = |qkv: &[f32]| {
            let mut context = vec![0.0; tokens * heads.heads * 4];
            let mut lse = vec![0.0; tokens * heads.heads];
            attention::forward(qkv, &offsets, heads, &mut context, &mut lse);
            (context, lse)
        };
        let (context, lse) = run(&qkv);
        for (got, want) in context.iter().zip(reference(&qkv, &offsets, heads)) {
            assert!((f64::from(*got) - want).abs() < 1e-5);
        }
        let mut dqkv = vec![f32::NAN; qkv.len()];
        attention::backward(&qkv, &offsets, heads, &context, &lse, &probe, &mut dqkv);
        check("dqkv", &qkv, &dqkv, |x| weighted(&probe, &run(x).0));
    }
}

#[test]
fn logprobs_by_logits() {
    let (rows, vocab) = (3, 37);
    let targets = [0u32, 36, 11];
    let mut random = Random(6);
    let logits = random.vec(rows * vocab, 3.0);
    let probe = [0.7, -1.3, 0.2];
    let run = |logits: &[f32]| {
        let (mut logprobs, mut lse) = ([0.0; 3], [0.0; 3]);
        softmax::logprobs(logits, vocab, &targets, &mut logprobs, &mut lse);
        (logprobs, lse)
    };
    let (logprobs, lse) = run(&logits);
    for (i, logprob) in logprobs.iter().enumerate() {
        let row = &logits[i * vocab..(i + 1) * vocab];
        let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
        let exact = f64::from(row[targets[i] as usize]) - sum.ln();
        assert!((f64::from(*logprob) - exact).abs() < 1e-5);
    }
    let mut gradient = logits.clone();
    softmax::backward(&mut gradient, vocab, &targets, &lse, &probe);
    check("dlogits", &logits, &gradient, |x| weighted(&probe, &run(x).0));
}

#[test]
fn embedding_gathers_and_scatters() {
    let (vocab, width) = (9, 5);
    let tokens = [3u32, 8, 3, 0, 3, 8];
    let mut random = Random(7);
    let table = random.vec(vocab * width, 1.0);
    let probe = random.vec(tokens.len() * width, 1.0);
    let gather = |table: &[f32]| {
        let mut x = vec![0.0; tokens.len() * width];
        let weights = tinsmith_local::kernels::Weights::F32(table);
        embedding::gather(weights, &tokens, width, &mut x);
        x
    };
    for (t, row) in gather(&table).chunks(width).enumerate() {
        assert_eq!(row, &table[tokens[t] as usize * width..][..width]);
    }
    let mut gradient = vec![0.0; table.len()];
    embedding::scatter(&mut gradient, &tokens, width, &probe);
    check("dtable", &table, &gradient, |x| weighted(&probe, &gather(x)));
}
