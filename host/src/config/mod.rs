/*!
The config: one typed tree from YAML or TOML, `--set` and the environment.

```text
file ──yaml | toml──▶ positioned tree ──environment, --set──▶ tree ──decode──▶ Config ──check──▶ Loaded
```

Precedence is flag, environment, file, default. [`Loaded`] keeps the tree beside the [`Config`], so
that whatever is found wrong later, also by a plugin in its own section, is told by its place.
*/

mod check;
mod data;
mod dataset;
mod decode;
mod explain;
mod model;
mod names;
mod plugin_ref;
mod read;
mod run;
mod scalar;
mod schema;
mod secret;
mod serve;
mod set;
mod show;
mod toml;
mod training;
mod tree;
mod yaml;

pub use data::{Data, Dedupe, EvalSplit, OnBadRecord, Overlong};
pub use dataset::{Dataset, Fields, Format};
pub use model::{Lora, Model};
pub use plugin_ref::PluginRef;
pub use run::{Checkpoint, Checks, Eval, Limits, Price, Prices, Tracking};
pub use schema::{Key, keys, schema};
pub use serve::{ApiKey, Serve};
pub use training::{Curve, LastBatch, Mode, Normalization, Optimizer, Schedule, Training};

use crate::{
    Error, Result, env,
    error::{Place, printable},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tree::{Node, Origin};

/// The renderer of a config that names none: the one of the model's family where that is known, else
/// `template` where the model has a chat template, else `role_colon`.
pub const DEFAULT_RENDERER: &str = "auto";
/// The trainer of a config that names none.
pub const DEFAULT_TRAINER: &str = "local";
/// The loss of a config that names none.
pub const DEFAULT_LOSS: &str = "cross_entropy";

/// A training run, as its config describes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The base model.
    pub model: Model,
    /// The adapter.
    #[serde(default)]
    pub lora: Lora,
    /// Turns records into tokens and weights; a plugin. `auto` is the renderer of the model's family,
    /// known by the model's name or its chat template; else the chat template itself, if there is
    /// one; else `role_colon`.
    #[serde(default = "default_renderer")]
    pub renderer: PluginRef,
    /// What is trained on, at least one.
    #[schemars(length(min = 1))]
    pub datasets: Vec<Dataset>,
    /// How records become examples.
    #[serde(default)]
    pub data: Data,
    /// Batches, length and loss of the run.
    #[serde(default)]
    pub training: Training,
    /// AdamW.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// The learning rate over the run.
    #[serde(default, deserialize_with = "training::schedule")]
    #[schemars(schema_with = "training::schedule_schema")]
    pub schedule: Schedule,
    /// Evaluation on what is held out.
    #[serde(default)]
    pub eval: Eval,
    /// When checkpoints are saved.
    #[serde(default)]
    pub checkpoint: Checkpoint,
    /// What computes; a plugin.
    #[serde(default = "default_trainer")]
    pub trainer: PluginRef,
    /// Where checkpoints go: a URI such as `file:///data/runs`, or a plugin named by its scheme with
    /// its keys. Default: files in the output folder.
    #[serde(default)]
    pub storage: Option<PluginRef>,
    /// Folder of runs and adapters, relative to the config. Default: `models/adapters/tinker` below
    /// the current folder.
    #[serde(default)]
    pub output: Option<String>,
    /// A name for the run: `status`, `download` and the others know the run by it as by its id.
    #[serde(default)]
    pub run_name: Option<String>,
    /// Where metrics go besides the run record.
    #[serde(default)]
    pub tracking: Tracking,
    /// Where the run stops by itself.
    #[serde(default)]
    pub limits: Limits,
    /// The server of `tinsmith serve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<Serve>,
    /// Files or folders of plugins to load, relative to the config.
    #[serde(default)]
    pub plugins: Vec<String>,
}

fn default_renderer() -> PluginRef {
    PluginRef::new(DEFAULT_RENDERER)
}

fn default_trainer() -> PluginRef {
    PluginRef::new(DEFAULT_TRAINER)
}

/// A config and where each of its values comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values, defaults filled in.
    pub config: Config,
    /// Folder of the file: relative paths in the config resolve against it.
    pub base_dir: PathBuf,
    /// The file.
    path: PathBuf,
    /// What was written, without defaults.
    tree: Node,
}

/// Reads a config file, lays the environment and the `--set`s (`key=value`) over it, decodes and
/// checks it.
///
/// # Errors
/// A usage error with the place and a hint.
pub fn load(path: &Path, sets: &[String]) -> Result<Loaded> {
    read_and_check(path, sets, |_| {}).map_err(tellable)
}

/// As [`load`], for a server: what only training needs may be missing, and the first model of
/// `serve.models` stands in for `model`.
///
/// # Errors
/// As [`load`].
pub fn load_serving(path: &Path, sets: &[String]) -> Result<Loaded> {
    read_and_check(path, sets, tree::complete_for_serving).map_err(tellable)
}

/// Keys and values come from the file and may hold anything.
fn tellable(mut e: Error) -> Error {
    let tell = |text: &str| secret::redact(&printable(text));
    e.message = tell(&e.message);
    e.field = e.field.as_deref().map(tell);
    e.hint = e.hint.as_deref().map(tell);
    e.context.iter_mut().for_each(|text| *text = tell(text));
    e
}

fn read_and_check(path: &Path, sets: &[String], complete: fn(&mut Node)) -> Result<Loaded> {
    let mut tree = read::read(path)?;
    if let Some(output) = env::output() {
        let output = output.into_os_string().into_string().map_err(|_| {
            Error::usage(format!("environment: `{}` is not valid UTF-8", env::TINSMITH_OUTPUT))
        })?;
        set::from_env(&mut tree, "output", &output, env::TINSMITH_OUTPUT);
    }
    for text in sets {
        set::apply(&mut tree, text)?;
    }
    complete(&mut tree);
    let base_dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    finish(tree, path, base_dir)
}

/// Takes a config out of a run record, as [`Loaded::resolved_json`] put it there, and lays `--set`s
/// over it.
///
/// # Errors
/// As [`load`]; the place is the record.
pub fn load_recorded(
    config: &serde_json::Value,
    record: &Path,
    base_dir: &Path,
    sets: &[String],
) -> Result<Loaded> {
    // JSON is YAML.
    let read = || {
        let mut tree = yaml::read(&config.to_string())
            .map_err(|e| e.context(format!("read the config of `{}`", record.display())))?;
        for text in sets {
            set::apply(&mut tree, text)?;
        }
        finish(tree, record, base_dir.to_owned())
    };
    read().map_err(tellable)
}

fn finish(mut tree: Node, path: &Path, base_dir: PathBuf) -> Result<Loaded> {
    set::anchor_paths(&mut tree);
    let mut config: Config = decode::decode(&tree).map_err(|p| explain::explain(p, path))?;
    config.fill_names();
    let loaded = Loaded { config, base_dir, path: path.to_owned(), tree };
    check::check(&loaded)?;
    Ok(loaded)
}

impl Config {
    /// A plugin section without `name` configures the default of its section.
    fn fill_names(&mut self) {
        for (plugin, name) in [
            (&mut self.renderer, DEFAULT_RENDERER),
            (&mut self.training.loss, DEFAULT_LOSS),
            (&mut self.trainer, DEFAULT_TRAINER),
        ] {
            if plugin.name.is_empty() {
                name.clone_into(&mut plugin.name);
            }
        }
        // A URI is a storage with its scheme's name.
        if let Some(storage) = &mut self.storage
            && storage.config.is_empty()
            && let Some((scheme, _)) = storage.name.split_once(':')
        {
            let scheme = scheme.to_owned();
            let uri = std::mem::replace(&mut storage.name, scheme);
            storage.config.insert("uri".into(), uri.into());
        }
    }
}

impl Loaded {
    /// The config file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path of the config, relative to the config's folder.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        // Not `././base`: it is shown to people.
        let path = path.strip_prefix("./").unwrap_or(path);
        match self.base_dir == Path::new(".") && !path.is_empty() {
            true => PathBuf::from(path),
            false => self.base_dir.join(path),
        }
    }

    /// The folder of runs that the config or the environment names.
    #[must_use]
    pub fn output(&self) -> Option<PathBuf> {
        self.config.output.as_deref().map(|o| self.resolve(o))
    }

    /// Adds to an error where the key stands that it is about: file, line and column, or the flag
    /// or variable that set it. The key is `section`, or `section` and the error's own field, as
    /// plugins report it: both `error_at("renderer", e)` and `error_at("renderer.prefix", e)` work
    /// for an error whose field is `prefix`.
    #[must_use]
    pub fn error_at(&self, section: &str, mut error: Error) -> Error {
        let key = match error.field.take() {
            Some(field) if section == field || section.ends_with(&format!(".{field}")) => {
                section.to_owned()
            }
            Some(field) if field.starts_with('[') => format!("{section}{field}"),
            Some(field) => format!("{section}.{field}"),
            None => section.to_owned(),
        };
        error.place = None;
        match self.tree.origin_of(&key).map(|found| found.origin) {
            Some(Origin::File { line, column }) => {
                let (line, column) = (Some(*line), Some(*column));
                error.place = Some(Place { path: self.path.clone(), line, column });
            }
            Some(Origin::Set(text)) => error.context.push(format!("`--set {text}`")),
            Some(Origin::Env(name)) => error.context.push(format!("environment: `{name}`")),
            None => {
                error.place = Some(Place { path: self.path.clone(), line: None, column: None });
            }
        }
        error.field = Some(key);
        error
    }

    /// Where a value comes from, such as `run.yaml:3:9`, `--set lora.rank=4` or `TINSMITH_OUTPUT`.
    /// None: it is the default.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<String> {
        let found = self.tree.origin_of(key).filter(|found| found.exact)?;
        Some(match found.origin {
            Origin::File { line, column } => format!("{}:{line}:{column}", self.path.display()),
            other => other.to_string(),
        })
    }

    /// Every value, defaults filled in, as the run record keeps it. References to secrets stay
    /// references; a config that spells a secret out is not loaded.
    #[must_use]
    pub fn resolved_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.config).unwrap_or_default()
    }

    /// The origin of every single value that is not its default, by its key, as
    /// [`Loaded::origin`] tells it.
    #[must_use]
    pub fn origins(&self) -> Vec<(String, String)> {
        let mut origins = Vec::new();
        self.collect_origins(&self.resolved_json(), "", &mut origins);
        origins
    }

    fn collect_origins(
        &self,
        value: &serde_json::Value,
        path: &str,
        origins: &mut Vec<(String, String)>,
    ) {
        use serde_json::Value;
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.collect_origins(value, &path, origins);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (i, item) in items.iter().enumerate() {
                    self.collect_origins(item, &format!("{path}[{i}]"), origins);
                }
            }
            _ => origins.extend(self.origin(path).map(|origin| (path.to_owned(), origin))),
        }
    }

    /// The values that came from a `--set` or the environment, by key: what a reader of the file
    /// does not see.
    #[must_use]
    pub fn overrides(&self) -> Vec<(String, String)> {
        let mut all = self.origins();
        all.retain(|(key, _)| {
            let found = self.tree.origin_of(key);
            found.is_some_and(|found| !matches!(found.origin, Origin::File { .. }))
        });
        all
    }

    /// The config as YAML, every value with its origin. It loads again.
    #[must_use]
    pub fn show(&self) -> String {
        show::show(self)
    }
}
