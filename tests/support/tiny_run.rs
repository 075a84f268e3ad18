//! A training run small enough for a test: tiny base model, a few conversations, a config.

use crate::{cli::Sandbox, tiny_model::tiny_llama};
use serde_json::json;
use std::{fs, path::PathBuf};

/// Writes `base/`, `chats.jsonl` with so many conversations, and `run.yaml`. Runs go to `out/`, a
/// batch is one conversation, and `more` is added to the config as it stands.
///
/// # Panics
/// If a file cannot be written.
pub fn write(sandbox: &Sandbox, conversations: usize, more: &str) {
    tiny_llama(&sandbox.path().join("base"), 7).unwrap_or_else(|e| panic!("write the base: {e}"));
    let line = |i: usize| {
        let messages = json!([
            {"role": "user", "content": format!("say number {i}")},
            {"role": "assistant", "content": format!("number {} it is", i * 7 % 10)},
        ]);
        format!("{}\n", json!({ "messages": messages }))
    };
    sandbox.write("chats.jsonl", (0..conversations).map(line).collect::<String>());
    let config = "model: {base_model: ./base}\n\
        lora: {rank: 2, seed: 3}\n\
        datasets: [{path: chats.jsonl}]\n\
        optimizer: {learning_rate: 1.0e-2}\n\
        output: out\n";
    sandbox.write("run.yaml", format!("{config}{more}"));
}

/// The same for a server of the Tinker API, whose model is called `base`: only its tokenizer is here, in
/// `tokenizer/`. `trainer` is the section's further keys, such as `base_url: "http://127.0.0.1:1"`.
///
/// # Panics
/// As [`write()`].
pub fn write_on(sandbox: &Sandbox, conversations: usize, trainer: &str, more: &str) {
    write(sandbox, conversations, &format!("{more}trainer: {{name: tinker, {trainer}}}\n"));
    let (base, tokenizer) = (sandbox.path().join("base"), sandbox.path().join("tokenizer"));
    fs::rename(&base, &tokenizer).unwrap_or_else(|e| panic!("rename the base: {e}"));
    let model = "{base_model: base, tokenizer: ./tokenizer}";
    sandbox.write("run.yaml", sandbox.read("run.yaml").replace("{base_model: ./base}", model));
}

/// The id of the newest run below `out/`.
///
/// # Panics
/// If the folder cannot be read.
#[must_use]
pub fn latest(sandbox: &Sandbox) -> Option<String> {
    let entries = fs::read_dir(sandbox.path().join("out/runs")).ok()?;
    let names = entries.map(|entry| {
        let entry = entry.unwrap_or_else(|e| panic!("read out/runs: {e}"));
        entry.file_name().to_string_lossy().into_owned()
    });
    let ids = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    ids.filter(|id| !id.starts_with('.')).max()
}

/// The files of the newest run's adapter, by name.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn adapter(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    let id = latest(sandbox).unwrap_or_else(|| panic!("there is no run"));
    let folder: PathBuf = sandbox.path().join("out").join(id).join("adapter");
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.unwrap_or_else(|e| panic!("read the adapter: {e}")).path();
            let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    files.sort();
    files
}
