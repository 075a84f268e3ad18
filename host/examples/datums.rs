//! From a file of conversations to datums, once, by the very steps that `tinsmith train` takes before
//! its first batch: the Rust side of `tests/bench/encode.sh` that stands beside tinker-cookbook.
//!
//! `datums TOKENIZER_DIR CHATS.jsonl RENDERER THREADS`

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};
use tinsmith::{
    config::{self, Normalization},
    data::{DataJob, prepare},
    plan::{Shift, StepBatch},
    training::{ToolOptions, Tools},
};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().context("datums TOKENIZER_DIR CHATS RENDERER THREADS");
    let (tokenizer, chats, renderer) = (next()?, next()?, next()?);
    let threads = next()?.parse()?;
    let begin = Instant::now();
    let config = json!({
        "model": { "base_model": tokenizer },
        "datasets": [{ "path": chats }],
        "renderer": renderer,
        "data": { "train_on": "all_assistant_messages", "max_length": 32768 },
    });
    let loaded = config::load_recorded(&config, Path::new("datums"), Path::new("."), &[])?;
    let tools = Tools::new(
        loaded,
        ToolOptions {
            plugins: Vec::new(),
            threads,
            cancel: Arc::new(AtomicBool::new(false)),
            log: Arc::new(|_, line| eprintln!("{line}")),
        },
    )?;
    let load = begin.elapsed().as_secs_f64();

    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    let prepared = prepare(&DataJob {
        loaded: &tools.loaded,
        renderer: Arc::clone(&tools.renderer),
        tokenizer: Arc::clone(&tools.tokenizer),
        threads,
        progress: None,
    })?;
    // One datum each, with weights that sum to 1, as `conversation_to_datum` makes them.
    let shift = Shift { inputs: vec!["weights".into()], normalization: Normalization::Example };
    let set = &prepared.train;
    let datums = (0..set.len())
        .map(|i| shift.batch(set, &[u32::try_from(i)?]).map_err(Into::into))
        .collect::<Result<Vec<StepBatch>>>()?;
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);

    // To compare with the other side's: inputs, targets, and which targets are trained.
    let (mut hash, mut tokens) = (Sha256::new(), 0);
    for datum in &datums {
        let ids = datum.batch.tokens.iter().chain(&datum.batch.targets);
        ids.for_each(|id| hash.update(id.to_le_bytes()));
        datum
            .batch
            .f32("weights")
            .context("weights")?
            .iter()
            .for_each(|w| hash.update([u8::from(*w != 0.0)]));
        tokens += datum.tokens();
    }
    let line = json!({"load": load, "wall": wall, "cpu": cpu, "tokens": tokens,
        "datums": datums.len(), "hash": format!("{:x}", hash.finalize())});
    #[allow(clippy::print_stdout, reason = "the result")]
    {
        println!("{line}");
    }
    Ok(())
}

/// Seconds that this process has computed, with the threads that have ended (Linux).
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may hold anything: user and system time are fields 14 and 15.
    let fields = stat.rsplit(')').next().context("stat")?.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    // Linux tells programs of 100 ticks a second, whatever the kernel's own.
    Ok(ticks as f64 / 100.0)
}
