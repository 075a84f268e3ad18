//! What is sampled from: a run's checkpoint, the folder of an adapter, or that of a model.

use crate::{
    Error, Result,
    cli::{
        Ui,
        args::SampleArgs,
        download::choose_checkpoint,
        tooling::{tool_options, tools_of_run},
    },
    config::{Loaded, load_recorded},
    runs::{RunFolder, RunRecord},
    training::{Stop, Tools},
};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tinsmith_plugin_api::Sampler;

/// Samplers and what turns text into tokens for them.
pub struct Source {
    /// Tokenizer and renderer.
    pub tools: Tools,
    /// The base model, where it is asked for.
    pub base: Option<Box<dyn Sampler>>,
    /// The result.
    pub tuned: Box<dyn Sampler>,
}

impl Source {
    /// Opens what the command line names.
    pub fn open(args: &SampleArgs, ui: &Ui, stop: &Stop) -> Result<Self> {
        let path = Path::new(&args.source);
        let config = path.join("adapter_config.json");
        let loaded = if config.is_file() {
            Some(of_adapter(path, &config, args)?)
        } else if path.join("config.json").is_file() {
            Some(of_model(path, args)?)
        } else {
            None
        };
        if let Some(loaded) = loaded {
            let tools = Tools::new(loaded, tool_options(ui, stop))?;
            let trainer = tools.trainer(None)?;
            let absolute = path.canonicalize().map_err(|e| Error::io("read", path, &e))?;
            let tuned = trainer.sampler(&absolute.to_string_lossy())?;
            let base =
                args.base.then(|| trainer.sampler(&tools.base_model()?).map_err(Error::from));
            return Ok(Self { base: base.transpose()?, tuned, tools });
        }
        let folder = RunFolder::find(&args.output.dir(None), &args.source)?;
        let record = RunRecord::read(&folder.record())?;
        let checkpoint = choose_checkpoint(&folder, &record, args.checkpoint.as_deref())?;
        let (tools, trainer) = tools_of_run(&folder, &record, &args.set, ui, stop)?;
        let tuned = trainer.sampler(&checkpoint.uri)?;
        let base = args.base.then(|| trainer.sampler(&record.base_model).map_err(Error::from));
        Ok(Self { base: base.transpose()?, tuned, tools })
    }
}

/// A config for a whole model that no run record describes.
fn of_model(folder: &Path, args: &SampleArgs) -> Result<Loaded> {
    let base = folder.canonicalize().map_err(|e| Error::io("read", folder, &e))?;
    let written = json!({"model": {"base_model": base}, "datasets": [{"path": "-"}]});
    load_recorded(&written, &folder.join("config.json"), folder, &args.set)
}

/// A config for an adapter that no run record describes: its base model, everything else default.
fn of_adapter(folder: &Path, config: &Path, args: &SampleArgs) -> Result<Loaded> {
    let bytes = fs::read(config).map_err(|e| Error::io("read", config, &e))?;
    let peft: Value = serde_json::from_slice(&bytes).map_err(|e| {
        Error::failed(format!("not JSON: {e}")).place(
            config,
            Some(e.line() as u64),
            Some(e.column() as u64),
        )
    })?;
    let base = peft["base_model_name_or_path"].as_str().ok_or_else(|| {
        Error::usage("is missing").field("base_model_name_or_path").place(config, None, None)
    })?;
    let written = json!({"model": {"base_model": base}, "datasets": [{"path": "-"}]});
    load_recorded(&written, config, folder, &args.set)
}
