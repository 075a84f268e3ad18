//! Encodes the texts of a file once and says how long that took: the Rust side of
//! `tests/bench/encode.sh`. Each line of the file is a JSON string.

use anyhow::{Context, Result};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::{path::Path, time::Instant};
use tinsmith::{services::ServicesBuilder, tokenizer::Tokenizer};
use tinsmith_plugin_api::Special;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().context("encode TOKENIZER TEXTS THREADS");
    let (tokenizer, texts, threads) = (next()?, next()?, next()?.parse()?);
    let texts: Vec<String> = std::fs::read_to_string(texts)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;

    let start = Instant::now();
    let tokenizer = Tokenizer::load(Path::new(&tokenizer))?;
    let load = start.elapsed().as_secs_f64();
    if let Some((_, line)) = tokenizer.notice() {
        eprintln!("{line}");
    }
    let services = ServicesBuilder::new().tokenizer(tokenizer).build();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let (start, cpu) = (Instant::now(), cpu_seconds()?);
    let ids: Vec<Vec<i32>> = pool.install(|| {
        texts
            .par_iter()
            .map(|text| services.encode_with(text, Special::Parse))
            .collect::<tinsmith_plugin_api::Result<_>>()
    })?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds()? - cpu);

    // To compare with the other side's.
    let mut hash = Sha256::new();
    ids.iter().flatten().for_each(|id| hash.update(id.to_le_bytes()));
    let tokens: usize = ids.iter().map(Vec::len).sum();
    let line = serde_json::json!({"load": load, "wall": wall, "cpu": cpu, "tokens": tokens,
        "hash": format!("{:x}", hash.finalize())});
    #[allow(clippy::print_stdout, reason = "the result")]
    {
        println!("{line}");
    }
    Ok(())
}

/// Seconds that all threads of this process have computed (Linux).
fn cpu_seconds() -> Result<f64> {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += stat.split(' ').next().context("schedstat")?.parse::<f64>()? / 1e9;
    }
    Ok(total)
}
