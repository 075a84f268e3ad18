//! Makes the quickstart's base model from nothing: corpus, tokenizer, random weights, pretraining.
//!
//! `cargo run --release --example quickstart_base -- [--out DIR] [--work DIR] [--steps N]`
//!
//! `docs/quickstart-base.md` says what it makes and how long it takes. The same CPU features give
//! the same bytes; corpus and tokenizer are the same everywhere.

mod check;
mod corpus;
mod frames;
mod grammar;
mod model;
mod passages;
mod pretrain;
mod rng;
mod stories;
mod tasks;
mod tokenizer;
mod words;

use anyhow::{Context, bail};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use tinsmith_plugin_api::FileSink;

/// Decides corpus and initial weights.
const SEED: u64 = 20_261_124;
/// Optimizer steps.
const STEPS: u64 = 3_000;

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/quickstart");
    let (mut out, mut work, mut steps) = (folder.join("base"), None, STEPS);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().with_context(|| format!("`{flag}` needs a value"))?;
        match flag.as_str() {
            "--out" => out = PathBuf::from(value),
            "--work" => work = Some(PathBuf::from(value)),
            "--steps" => steps = value.parse().context("`--steps` needs a number")?,
            _ => bail!("unknown flag `{flag}`"),
        }
    }
    let temporary = tempfile::tempdir()?;
    let work = work.unwrap_or_else(|| temporary.path().to_owned());
    let base = work.join("base");
    fs::create_dir_all(&base)?;

    let forbidden = check::Forbidden::read(&folder)?;
    let documents = steps * pretrain::DOCUMENTS;
    for i in 0..documents.max(tokenizer::DOCUMENTS.end) {
        let text = corpus::document(SEED, i);
        forbidden.check(&text).with_context(|| format!("document {i} of the corpus"))?;
    }
    eprintln!("{documents} documents hold nothing of the task");

    let tokenizer = tokenizer::train(SEED).map_err(anyhow::Error::from_boxed)?;
    model::write(&base, &tokenizer, SEED)?;
    eprintln!("{} parameters, {} tokens in the vocabulary", model::parameters(), tokenizer::VOCAB);

    let job = pretrain::Job { base: &base, work: &work, tokenizer: &tokenizer, seed: SEED, steps };
    fs::create_dir_all(&out)?;
    pretrain::run(&job, &mut Folder { dir: &out, file: None })?;
    eprintln!("wrote {}", out.display());
    Ok(())
}

/// Writes the files of an export into a folder.
struct Folder<'a> {
    dir: &'a Path,
    file: Option<fs::File>,
}

impl FileSink for Folder<'_> {
    fn start(&mut self, name: &str) -> tinsmith_plugin_api::Result<()> {
        self.file = Some(fs::File::create(self.dir.join(name))?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> tinsmith_plugin_api::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| Ok(file.write_all(bytes)?))
    }

    fn finish(&mut self) -> tinsmith_plugin_api::Result<()> {
        self.file.take().map_or(Ok(()), |file| Ok(file.sync_all()?))
    }
}
