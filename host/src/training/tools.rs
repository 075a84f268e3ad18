//! What a config names, built: tokenizer, renderer, loss, storage and trainer.

use crate::{
    Error, Result,
    config::{DEFAULT_RENDERER, Loaded, PluginRef},
    plugins::{Kind, PluginOptions, Registry},
    runs::{self, Fingerprints, RunFolder},
    services::ServicesBuilder,
    tokenizer::Tokenizer,
    training::auto,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};
use tinsmith_plugin_api::{
    Capabilities, ErrorKind, Level, LossHandle, RendererHandle, Secret, Services, StorageHandle,
    TrainerHandle,
};

/// The key of renderers that write a date (`YYYY-MM-DD`).
const CURRENT_DATE: &str = "current_date";

/// The key of renderers that make several examples of a conversation.
const SPLIT: &str = "split";

/// Where plugins' log lines go.
pub type Log = Arc<dyn Fn(Level, &str) + Send + Sync>;

/// What the command line adds to a config.
#[derive(Clone)]
pub struct ToolOptions {
    /// Plugins named by `--plugin`.
    pub plugins: Vec<PathBuf>,
    /// The thread budget.
    pub threads: usize,
    /// Set once the user asked to stop.
    pub cancel: Arc<AtomicBool>,
    /// Where plugins' log lines go.
    pub log: Log,
}

impl std::fmt::Debug for ToolOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolOptions").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// A config's tools.
pub struct Tools {
    /// The config.
    pub loaded: Loaded,
    /// All plugins.
    pub registry: Registry,
    /// The model's tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// The renderer.
    pub renderer: Arc<dyn RendererHandle>,
    /// Services with the tokenizer and without a store.
    pub services: Services,
    renderer_ref: PluginRef,
    options: ToolOptions,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Tools {
    /// Builds what rendering needs; the rest is built when it is asked for.
    ///
    /// # Errors
    /// `usage` with the place of the key that is wrong.
    pub fn new(mut loaded: Loaded, options: ToolOptions) -> Result<Self> {
        let configured = loaded.config.plugins.iter().map(|path| loaded.resolve(path)).collect();
        let wanted = PluginOptions { paths: options.plugins.clone(), configured };
        let registry = Registry::load(&wanted).map_err(|e| match e.field.clone() {
            Some(key) if key.starts_with("plugins[") => loaded.error_at(&key, e),
            _ => e,
        })?;
        registry.notices().iter().for_each(|line| (options.log)(Level::Info, line));
        let place = loaded.resolve(loaded.config.model.tokenizer());
        let key = match loaded.config.model.tokenizer {
            Some(_) => "model.tokenizer",
            None => "model.base_model",
        };
        let tokenizer = Tokenizer::load(&place).map_err(|e| match e.place {
            Some(_) => e,
            None => loaded.error_at(key, e),
        })?;
        if let Some((level, line)) = tokenizer.notice() {
            (options.log)(level, &line);
        }
        let builder = |plugin: &PluginRef| {
            builder(&options, plugin).tokenizer(Arc::clone(&tokenizer)).build()
        };
        let renderer_ref = resolve_renderer(&registry, &mut loaded, &tokenizer)?;
        let services = builder(&renderer_ref);
        let renderer = registry
            .renderer(&renderer_ref.name, &renderer_ref.config, services.clone())
            .map_err(|e| {
                // The host put it there.
                let lent = e.field.as_deref() == Some("train_on")
                    && !loaded.config.renderer.config.contains_key("train_on");
                match lent {
                    true => loaded.error_at("data.train_on", Error { field: None, ..e }),
                    false => loaded.error_at("renderer", e),
                }
            })?;
        Ok(Self { registry, tokenizer, renderer, services, renderer_ref, options, loaded })
    }

    /// The name of the renderer, `auto` resolved.
    #[must_use]
    pub fn renderer_name(&self) -> &str {
        &self.renderer_ref.name
    }

    /// The base model as the trainer is told: an absolute folder, or a name.
    ///
    /// # Errors
    /// `usage` for a path that leads nowhere.
    pub fn base_model(&self) -> Result<String> {
        let named = &self.loaded.config.model.base_model;
        let path = self.loaded.resolve(named);
        if path.exists() {
            let absolute = path.canonicalize().map_err(|e| Error::io("read", &path, &e))?;
            return absolute.into_os_string().into_string().map_err(|path| {
                let path = path.to_string_lossy().into_owned();
                Error::usage(format!("the path `{path}` is not valid UTF-8"))
            });
        }
        if named.starts_with(['.', '/', '~']) {
            let e = Error::usage(format!("there is no folder `{}`", path.display()))
                .hint("paths of a config are relative to its own folder");
            return Err(self.loaded.error_at("model.base_model", e));
        }
        Ok(named.clone())
    }

    /// The loss.
    ///
    /// # Errors
    /// `usage` with the place of the key that is wrong.
    pub fn loss(&self) -> Result<Arc<dyn LossHandle>> {
        let loss = &self.loaded.config.training.loss;
        let built = self.registry.loss(&loss.name, &loss.config);
        built.map_err(|e| self.loaded.error_at("training.loss", e))
    }

    /// Where checkpoints of a run go: the config's storage, else files beside the run record.
    ///
    /// # Errors
    /// `usage` with the place of the key that is wrong.
    pub fn store(&self, folder: &RunFolder) -> Result<Arc<dyn StorageHandle>> {
        let files = || {
            let uri = folder.store().to_string_lossy().into_owned();
            let config = Map::from_iter([("uri".to_owned(), json!(uri))]);
            PluginRef { name: "file".into(), config }
        };
        let storage = match &self.loaded.config.storage {
            Some(named) => within_run(&self.loaded, named, folder.id()),
            None => files(),
        };
        let services = builder(&self.options, &storage).build();
        let opened = self.registry.storage(&storage.name, &storage.config, services);
        opened.map_err(|e| self.loaded.error_at("storage", e))
    }

    /// The trainer. Without a store it can tell what it can do, and sample from a base model.
    ///
    /// # Errors
    /// `usage` with the place of the key that is wrong.
    pub fn trainer(&self, store: Option<Arc<dyn StorageHandle>>) -> Result<Arc<dyn TrainerHandle>> {
        let trainer = &self.loaded.config.trainer;
        let mut services = builder(&self.options, trainer).tokenizer(Arc::clone(&self.tokenizer));
        if let Some(store) = store {
            services = services.store(store);
        }
        let built = self.registry.trainer(&trainer.name, &trainer.config, services.build());
        built.map_err(|e| self.loaded.error_at("trainer", e))
    }

    /// What a trainer can do.
    ///
    /// # Errors
    /// Those of the trainer; what is the config's fault is told with its place there.
    pub fn capabilities(&self, trainer: &dyn TrainerHandle) -> Result<Capabilities> {
        trainer.capabilities().map_err(|e| match e.kind() {
            ErrorKind::CONFIG => self.loaded.error_at("trainer", e.into()),
            _ => e.into(),
        })
    }

    /// What must not change between the parts of a run. `data` is the fingerprint of the datasets,
    /// `examples` that of what they were rendered to,
    /// `order` that of the batches.
    ///
    /// # Errors
    /// `failed` if a plugin does not describe itself.
    pub fn fingerprints(&self, data: &str, examples: &str, order: &str) -> Result<Fingerprints> {
        let config = &self.loaded.config;
        let trainer = self.registry.describe(Kind::Trainer, &config.trainer.name)?;
        let loss = self.registry.describe(Kind::Loss, &config.training.loss.name)?;
        let renderer = self.registry.describe(Kind::Renderer, &self.renderer_ref.name)?;
        let plugins = [&trainer, &loss, &renderer].map(|found| {
            let built_in = || format!("built-in {}", found.version);
            (found.plugin.clone(), found.sha256.clone().unwrap_or_else(built_in))
        });
        // The order in which keys were written does not matter.
        let mut settings = Value::Object(self.renderer_ref.config.clone());
        settings.sort_all_objects();
        Ok(Fingerprints {
            data: data.into(),
            examples: examples.into(),
            tokenizer: self.tokenizer.info().fingerprint.clone(),
            renderer: format!(
                "{}/{} {:x}",
                renderer.plugin,
                self.renderer_ref.name,
                Sha256::digest(settings.to_string())
            ),
            plugins: plugins.into_iter().collect(),
            order: order.into(),
            order_seed: config.data.seed,
        })
    }
}

/// Services for one plugin: only the secrets that its own config names.
fn builder(options: &ToolOptions, plugin: &PluginRef) -> ServicesBuilder {
    let secret = |name: String| {
        let value = std::env::var(&name).ok().map(Secret::new);
        (name, value)
    };
    ServicesBuilder::new()
        .threads(options.threads)
        .cancel(Arc::clone(&options.cancel))
        .log(Arc::clone(&options.log))
        .secrets(plugin.secret_names().into_iter().map(secret).collect())
}

/// A storage whose URI gets the run's id as its last part. A relative folder is relative to the
/// config, as all paths of a config are.
fn within_run(loaded: &Loaded, named: &PluginRef, id: &str) -> PluginRef {
    let mut storage = named.clone();
    if let Some(Value::String(uri)) = storage.config.get_mut("uri") {
        let relative = uri.strip_prefix("file:").unwrap_or(uri);
        if named.name == "file" && !relative.starts_with('/') && !relative.is_empty() {
            *uri = loaded.resolve(relative).to_string_lossy().into_owned();
        }
        *uri = format!("{}/{id}", uri.trim_end_matches('/'));
    }
    storage
}

/// Lays the date of a recorded run over a config that names none.
pub fn keep_date(loaded: &mut Loaded, recorded: &Value) {
    if let Some(date) = recorded["renderer"].get(CURRENT_DATE) {
        let config = &mut loaded.config.renderer.config;
        config.entry(CURRENT_DATE).or_insert_with(|| date.clone());
    }
}

/// The renderer that `auto` stands for, with `data.train_on` under `train_on` where it has that
/// setting.
fn resolve_renderer(
    registry: &Registry,
    loaded: &mut Loaded,
    tokenizer: &Tokenizer,
) -> Result<PluginRef> {
    let mut renderer = loaded.config.renderer.clone();
    if renderer.name == DEFAULT_RENDERER {
        let template = tokenizer.info().chat_template.as_deref();
        renderer.name = auto::renderer(&loaded.config.model.base_model, template).into();
    }
    let described = registry
        .describe(Kind::Renderer, &renderer.name)
        .map_err(|e| loaded.error_at("renderer.name", e))?;
    let settings = &described.item.config_schema["properties"];
    if settings.get("train_on").is_some() && !renderer.config.contains_key("train_on") {
        renderer.config.insert("train_on".into(), json!(loaded.config.data.train_on));
    }
    // What a renderer without the setting does anyway.
    if settings.get(SPLIT).is_none() && renderer.config.get(SPLIT) == Some(&json!("never")) {
        renderer.config.remove(SPLIT);
    }
    // A run that goes on tomorrow renders what it rendered today: the date is of the run, and its
    // record keeps it.
    if settings.get(CURRENT_DATE).is_some() && !renderer.config.contains_key(CURRENT_DATE) {
        let today = json!(runs::now()[..10]);
        renderer.config.insert(CURRENT_DATE.into(), today.clone());
        loaded.config.renderer.config.insert(CURRENT_DATE.into(), today);
    }
    Ok(renderer)
}
