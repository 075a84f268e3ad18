//! What a dataset is read with, from a config or from the flags that stand for its keys.

use crate::{
    Error, Result,
    cli::{
        Ui,
        args::{RenderingArgs, Split},
        tooling::tool_options,
    },
    config::{self, Dedupe, Loaded, PluginRef},
    data::{DataSource, Judge, Limits, Makers, Mapping, resolve},
    training::{Stop, Tools},
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Everything that turns files into examples.
pub struct Opened {
    /// Tokenizer and renderer.
    pub tools: Tools,
    /// The files, as they were named.
    pub sources: Vec<DataSource>,
    /// What is too long.
    pub limits: Limits,
}

impl Opened {
    /// What makes examples of the records.
    pub fn makers(&self) -> Makers<'_> {
        Makers {
            renderer: self.tools.renderer.as_ref(),
            tokenizer: Some(&self.tools.tokenizer),
            prints: self.dedupes(),
        }
    }

    /// What becomes of the examples.
    pub fn judge(&self, limits: Limits) -> Judge {
        Judge::new(limits).dedupe(self.dedupes(), None)
    }

    /// Whether exact copies are left out.
    pub fn dedupes(&self) -> bool {
        self.tools.loaded.config.data.dedupe == Dedupe::Exact
    }
}

/// Loads what `args` name. Flags go before the config; `files` replace its datasets. Without a
/// config, and without `--max-length`, nothing is too long.
///
/// # Errors
/// A usage error with the flag or the place in the config; a data error for a missing file.
pub fn open(
    args: &RenderingArgs,
    files: &[PathBuf],
    output: Option<&Path>,
    ui: &Ui,
) -> Result<Opened> {
    let loaded = load(args, files)?;
    let bounded = args.config.is_some() || args.max_length.is_some();
    // The format and the names that the config (or a `--set`) gives its first dataset go for these files.
    let mapping = loaded.config.datasets.first().map(Mapping::of).unwrap_or_default();
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        let name = file.to_str().ok_or_else(|| {
            Error::usage(format!("the path `{}` is not valid UTF-8", file.display()))
        })?;
        let (path, mapping) = (resolve(name, None, output)?, mapping.clone());
        sources.push(DataSource { path, mapping, limit: None });
    }
    let model = loaded.resolve(&loaded.config.model.base_model);
    let tools = Tools::new(loaded, tool_options(ui, &Stop::default())).map_err(as_typed)?;
    if model.join("config.json").exists() {
        tools.tokenizer.check_fits(&model)?;
    }
    let mut limits = Limits::new(&tools.loaded.config.data, &tools.tokenizer);
    if !bounded {
        limits.max_length = usize::MAX;
    }
    Ok(Opened { tools, sources, limits })
}

fn load(args: &RenderingArgs, files: &[PathBuf]) -> Result<Loaded> {
    let mut sets = args.set.set.clone();
    let mut set = |key: &str, value: &str| sets.push(format!("{key}={}", json!(value)));
    if let Some(renderer) = &args.renderer {
        set("renderer.name", renderer);
    }
    if let Some(mode) = &args.train_on {
        set("data.train_on", mode);
    }
    if let Some(tokenizer) = &args.tokenizer {
        set(if args.config.is_some() { "model.tokenizer" } else { "model.base_model" }, tokenizer);
    }
    if let Some(length) = args.max_length {
        sets.push(format!("data.max_length={length}"));
    }
    let mut loaded = match &args.config {
        Some(path) => config::load(path, &sets)?,
        None if args.tokenizer.is_none() => {
            return Err(Error::usage("which tokenizer?").hint(
                "`--tokenizer DIR` names the folder of a model or tokenizer, \
                 `--config CONFIG` takes everything from a config",
            ));
        }
        None => {
            let first = files.first().map(|f| f.to_string_lossy().into_owned());
            let least = json!({ "datasets": [{ "path": first }] });
            config::load_recorded(&least, Path::new("command line"), Path::new("."), &sets)
                .map_err(as_typed)?
        }
    };
    if let Some(split) = args.split {
        set_split(&mut loaded.config.renderer, split);
    }
    Ok(loaded)
}

/// Flags become `--set`s; errors name what was typed.
fn as_typed(mut error: Error) -> Error {
    for context in &mut error.context {
        for (set, flag) in [
            ("`--set model.base_model=", "--tokenizer"),
            ("`--set model.tokenizer=", "--tokenizer"),
            ("`--set renderer.name=", "--renderer"),
            ("`--set data.train_on=", "--train-on"),
        ] {
            if let Some(value) = context.strip_prefix(set) {
                let value = value.trim_end_matches('`');
                let plain = serde_json::from_str(value).unwrap_or_else(|_| value.to_owned());
                *context = format!("`{flag} {plain}`");
                break;
            }
        }
    }
    error
}

fn set_split(renderer: &mut PluginRef, split: Split) {
    let split = match split {
        Split::Auto => "auto",
        Split::Never => "never",
    };
    renderer.config.insert("split".into(), json!(split));
}
