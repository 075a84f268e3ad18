//! The work that `tests/bench/boundary.sh` counts instructions of: the same plugin, linked or
//! loaded from its shared library, on the same records.
//!
//! `boundary linked|loaded render|loss|load COUNT`

#![allow(clippy::print_stdout)] // Its answer.

use std::{path::PathBuf, process::ExitCode, time::Instant};
use tinsmith::plugins::{Places, PluginOptions, Registry};
use tinsmith_plugin_api::{
    Error, LossBatch, Result,
    testing::{GradientCase, MemoryServices},
};

/// Records of one call, as the host's readers batch them.
const BATCH: usize = 256;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [linkage, work, count] = args.as_slice() else {
        eprintln!("usage: boundary linked|loaded render|loss|load COUNT");
        return ExitCode::from(2);
    };
    match run(linkage == "loaded", work, count.parse().unwrap_or(0)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(loaded: bool, work: &str, count: usize) -> std::result::Result<String, tinsmith::Error> {
    let begin = Instant::now();
    let paths = if loaded { vec![library("chat")?, library("losses")?] } else { Vec::new() };
    let options = PluginOptions { paths, configured: Vec::new() };
    let registry = Registry::load_from(Places::from_env(), &options)?;
    let opened = begin.elapsed();
    let result = match work {
        "render" => render(&registry, count)?,
        "loss" => loss(&registry, count)?,
        _ => format!("opened in {:.2} ms", opened.as_secs_f64() * 1e3),
    };
    Ok(result)
}

/// Where cargo leaves the libraries of an example's dependencies.
fn library(id: &str) -> Result<PathBuf> {
    let example = std::env::current_exe()?;
    let build = example.parent().and_then(|examples| examples.parent());
    let build = build.ok_or_else(|| Error::not_found("no build folder above the example"))?;
    let name = format!("libtinsmith_{id}{}", std::env::consts::DLL_SUFFIX);
    Ok(build.join("deps").join(name))
}

/// Conversations of about 400 bytes, through `role_colon` and a byte tokenizer: the tokenizer does
/// next to nothing, so that the boundary weighs as much as it can.
fn render(registry: &Registry, count: usize) -> std::result::Result<String, tinsmith::Error> {
    let services = MemoryServices::new().services();
    let renderer = registry.renderer("chat/role_colon", &serde_json::Map::new(), services)?;
    let text = |i: usize| {
        format!(
            r#"{{"messages": [{{"role": "user", "content": "{}{i}"}}, {{"role": "assistant", "content": "{}"}}]}}"#,
            "What is to be said about this? ".repeat(6),
            "A sentence that answers it. ".repeat(6)
        )
    };
    let lines: Vec<String> = (0..BATCH).map(text).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (mut tokens, mut left) = (0, count);
    while left > 0 {
        let batch = &lines[..left.min(BATCH)];
        tokens += renderer.render_batch(batch)?.tokens.len();
        left -= batch.len();
    }
    Ok(format!("{count} records, {tokens} tokens"))
}

/// A policy loss over datums of 17 tokens, 16 datums a call.
fn loss(registry: &Registry, count: usize) -> std::result::Result<String, tinsmith::Error> {
    const DATUMS: usize = 16;
    let loss = registry.loss("losses/ppo", &serde_json::Map::new())?;
    let one = GradientCase::plausible(loss.inputs(), 1);
    let logprobs = one.logprobs.repeat(DATUMS);
    let inputs: Vec<Vec<f32>> = one.inputs.iter().map(|column| column.repeat(DATUMS)).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let offsets: Vec<u64> = (0..=DATUMS as u64).map(|i| i * 17).collect();
    let groups: Vec<u64> = (0..DATUMS as u64).collect();
    let batch =
        LossBatch { logprobs: &logprobs, inputs: &inputs, offsets: &offsets, groups: &groups };
    let mut gradient = vec![0.0; logprobs.len()];
    let mut sum = 0.0;
    for _ in 0..count.div_ceil(DATUMS) {
        sum += loss.evaluate(&batch, &mut gradient)?.sum;
    }
    Ok(format!("{count} datums, sum {sum:.6}"))
}
