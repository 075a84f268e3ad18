//! Speed and memory of training steps: a random model, adapters on all linear layers or full mode.
//!
//! `step [--threads N] [--steps N] [--dtype f32|bf16] [--small] [--full] [--lengths 256,256,…]`
//! prints one JSON object: median seconds a step, CPU seconds a step (of all threads; a busy machine
//! disturbs them less), tokens a second, peak resident memory. The default shape is SmolLM2-135M's. `tests/bench/local_vs_peft.sh` runs it beside PyTorch.

use half::bf16;
use serde_json::{Value, json};
use std::{fs::File, io::Write, ops::Range, path::Path, time::Instant};
use tinsmith_local::{
    layout::{Layout, WeightId},
    model::{KvCache, Model, ModelConfig},
    packed::{Packed, TokenLoss},
};
use tinsmith_plugin_api::{Batch, Lora, LossScope, LossValue, Result};

/// Mean negative log-likelihood.
struct CrossEntropy(f32);

impl TokenLoss for CrossEntropy {
    fn scope(&self) -> LossScope {
        LossScope::Token
    }

    fn evaluate(&self, _: Range<usize>, logprobs: &[f32], grad: &mut [f32]) -> Result<LossValue> {
        grad.fill(-self.0);
        let sum = logprobs.iter().map(|&l| f64::from(-l * self.0)).sum();
        Ok(LossValue { sum, ..LossValue::default() })
    }
}

struct Options {
    threads: usize,
    steps: usize,
    dtype: String,
    small: bool,
    full: bool,
    decode: usize,
    lengths: Vec<usize>,
}

fn options() -> Options {
    let args: Vec<String> = std::env::args().collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    let value = |name: &str| {
        args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).map(String::as_str)
    };
    let number = |name: &str, default| value(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let lengths = value("--lengths").unwrap_or("256,256,256,256");
    Options {
        threads: number("--threads", 2),
        steps: number("--steps", 5),
        dtype: value("--dtype").unwrap_or("f32").into(),
        small: flag("--small"),
        full: flag("--full"),
        decode: number("--decode", 0),
        lengths: lengths.split(',').filter_map(|v| v.parse().ok()).collect(),
    }
}

fn shape(small: bool) -> Value {
    let [hidden, intermediate, layers, heads, kv_heads, vocab] =
        if small { [192, 512, 6, 6, 2, 4096] } else { [576, 1536, 30, 9, 3, 49_152] };
    json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": hidden,
        "intermediate_size": intermediate, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "vocab_size": vocab,
        "rms_norm_eps": 1e-5, "rope_theta": 100_000.0, "tie_word_embeddings": true,
        "max_position_embeddings": 8192
    })
}

/// Writes a random model tensor by tensor: it must not leave its size in our peak memory.
fn write_model(dir: &Path, config: &ModelConfig, half: bool) -> std::io::Result<()> {
    let width = if half { 2 } else { 4 };
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for id in WeightId::all(config) {
        let [rows, columns] = id.shape(config);
        let shape = if id.is_vector() { vec![columns] } else { vec![rows, columns] };
        let dtype = if half { "BF16" } else { "F32" };
        let start = end;
        end += rows * columns * width;
        header.insert(
            id.name(),
            json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}),
        );
    }
    let mut text = Value::Object(header).to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut file = std::io::BufWriter::new(File::create(dir.join("model.safetensors"))?);
    file.write_all(&(text.len() as u64).to_le_bytes())?;
    file.write_all(text.as_bytes())?;
    let mut state = 1u32;
    for id in WeightId::all(config) {
        let [rows, columns] = id.shape(config);
        for _ in 0..rows * columns {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = ((state >> 8) as f32 / 8_388_608.0 - 1.0) * 0.035;
            let value = if id.is_vector() { 1.0 } else { random };
            if half {
                file.write_all(&bf16::from_f32(value).to_le_bytes())?;
            } else {
                file.write_all(&value.to_le_bytes())?;
            }
        }
    }
    file.flush()
}

/// Peak resident memory in MB, where the system tells.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1e3)
}

/// CPU seconds of this process so far, where the system tells: `/proc` counts in hundredths.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Tokens a second of greedy decoding of 40 prompts together.
fn decode_speed(model: &Model, layout: &Layout, params: &[f32], tokens: usize) -> Result<f64> {
    let mut caches = vec![KvCache::new(); 40];
    let prompt: Vec<i32> = (1..65).collect();
    let start = Instant::now();
    let mut fed = vec![prompt; 40];
    for _ in 0..tokens {
        let mut borrowed: Vec<&mut KvCache> = caches.iter_mut().collect();
        let slices: Vec<&[i32]> = fed.iter().map(Vec::as_slice).collect();
        let logits = model.decode_batch(layout, params, &mut borrowed, &slices)?;
        let vocab = model.config().vocab;
        for (logits, fed) in logits.chunks(vocab).zip(&mut fed) {
            let best = (0..vocab).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
            *fed = vec![best as i32];
        }
    }
    Ok((40 * tokens) as f64 / start.elapsed().as_secs_f64())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options();
    let json = shape(options.small);
    let config = ModelConfig::from_json(&json)?;
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("config.json"), json.to_string())?;
    write_model(dir.path(), &config, options.dtype == "bf16")?;
    let opened = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?;
    let model = pool.install(|| Model::open(dir.path()))?;
    let open_s = opened.elapsed().as_secs_f64();
    let layout = if options.full {
        Layout::full(&config)
    } else {
        let lora = Lora {
            rank: 16,
            alpha: 32.0,
            seed: 0,
            train_attn: true,
            train_mlp: true,
            train_unembed: false,
        };
        Layout::lora(&config, &lora)?
    };
    let params = model.initial_params(&layout, 0);
    let mut grads = vec![0.0f32; layout.len()];
    let total: usize = options.lengths.iter().sum();
    let ids: Vec<i32> = (0..total).map(|i| (i * 7919 % config.vocab) as i32).collect();
    let mut offsets = vec![0];
    offsets.extend(options.lengths.iter().scan(0, |at, len| {
        *at += *len as u64;
        Some(*at)
    }));
    let batch = Batch {
        tokens: ids.clone(),
        targets: ids,
        groups: vec![0; options.lengths.len()],
        offsets,
        columns: Vec::new(),
    };
    let batch = Packed::new(&batch, &config)?;
    let loss = CrossEntropy(1.0 / total as f32);
    let mut seconds = Vec::new();
    let mut value = 0.0;
    let mut cpu_start = None;
    for step in 0..=options.steps {
        let start = Instant::now();
        pool.install(|| -> Result<()> {
            let out = model.forward_backward(&layout, &params, &mut grads, &batch, &loss)?;
            value = out.1.sum;
            Ok(())
        })?;
        if step > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        } else {
            cpu_start = cpu_seconds();
        }
    }
    let cpu = cpu_seconds().zip(cpu_start).map(|(end, start)| (end - start) / options.steps as f64);
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let decode = match options.decode {
        0 => None,
        n => Some(pool.install(|| decode_speed(&model, &layout, &params, n))?),
    };
    let report = json!({
        "engine": "tinsmith-local", "dtype": options.dtype, "threads": options.threads,
        "mode": if options.full { "full" } else { "lora" }, "tokens": total, "loss": value,
        "open_s": open_s, "step_s": median, "cpu_s": cpu, "fastest_s": seconds[0],
        "tokens_per_s": total as f64 / median, "decode_tokens_per_s": decode,
        "peak_rss_mb": peak_mb()
    });
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
