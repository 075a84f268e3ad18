//! The base models a server offers, each with a trainer of its own: what a trainer is lent, the
//! tokenizer above all, belongs to one model.

use super::disk::Disk;
use crate::{
    Error, Result,
    config::{Loaded, Model},
    plan::{Rates, rates},
    tokenizer::context_length,
    training::{LossPath, ToolOptions, Tools},
};
use serde_json::{Map, Value, json};
use std::{path::Path, sync::Arc};
use tinsmith_plugin_api::{
    Capabilities, Error as PluginError, EvaluateLoss, LossRef, Result as PluginResult,
    TrainerHandle,
};
use tinsmith_tinker_wire::messages::{AdamParams, LoraConfig};

/// A base model.
pub struct Base {
    /// The name that clients give.
    pub name: String,
    /// What the trainer is told: an absolute folder, or a name.
    pub source: String,
    /// What trains on it.
    pub trainer: Arc<dyn TrainerHandle>,
    /// What that can do.
    pub can: Capabilities,
    /// Longest input, in tokens.
    pub context: Option<u64>,
    /// The scale of adapters, which no client gives.
    pub alpha: f32,
    /// What its tokens cost.
    pub rates: Rates,
    tools: Tools,
}

impl Base {
    /// Opens a model under a name. It is read when something is done with it.
    ///
    /// # Errors
    /// `usage` for a model that is not there, or that the trainer cannot train.
    pub fn open(
        name: &str,
        folder: &str,
        loaded: &Loaded,
        disk: &Disk,
        options: &ToolOptions,
    ) -> Result<Self> {
        let mut loaded = loaded.clone();
        let tokenizer = (loaded.config.model.base_model == folder)
            .then(|| loaded.config.model.tokenizer.take())
            .flatten();
        loaded.config.model = Model { base_model: folder.into(), tokenizer };
        let tools = Tools::new(loaded, options.clone()).map_err(|e| at(e, name))?;
        let source = tools.base_model().map_err(|e| at(e, name))?;
        let store = disk.store(name);
        let config =
            Map::from_iter([("uri".to_owned(), json!(store.to_string_lossy().into_owned()))]);
        let store = tools.registry.storage("file", &config, tools.services.clone())?;
        let trainer = tools.trainer(Some(store))?;
        let can = tools.capabilities(trainer.as_ref()).map_err(|e| at(e, name))?;
        let known = can.models.iter().find(|model| model.name == source);
        let context = known.and_then(|model| model.max_context_length);
        let context = context.or_else(|| context_length(Path::new(&source)));
        let alpha = tools.loaded.config.lora.alpha;
        let rates = rates(&tools.loaded.config);
        Ok(Self { name: name.into(), source, trainer, can, context, alpha, rates, tools })
    }

    /// A loss by the name and config of a request: how it meets the trainer, and the loss itself, if
    /// it is known here.
    ///
    /// # Errors
    /// `usage` for one that neither the trainer nor a plugin knows, or for a wrong config.
    pub fn loss(&self, name: &str, config: &Map<String, Value>) -> Result<Loss> {
        let built = self.tools.registry.loss(name, config);
        let own = self.can.native_losses.iter().any(|known| known == name);
        match built {
            Err(_) if own => {
                let config = Value::Object(config.clone());
                let path = LossPath::Trainer(LossRef { name: name.into(), config, call: None });
                Ok(Loss { path, call: None })
            }
            Err(e) => Err(e),
            Ok(loss) => {
                let trainer = &self.tools.loaded.config.trainer.name;
                let call: Arc<dyn EvaluateLoss> = Arc::clone(&loss) as _;
                let path = LossPath::choose(name, loss, trainer, &self.can)?;
                Ok(Loss { path, call: Some(call) })
            }
        }
    }

    /// Refuses an adapter with a setting that the trainer would ignore. The scale and the rank are no
    /// wish of the client's alone: a trainer that has its own says so when the model is made.
    ///
    /// # Errors
    /// `rejected` that names the setting.
    pub fn honours_lora(&self, asked: &LoraConfig) -> PluginResult<()> {
        let asked = [
            ("seed", asked.seed.is_some()),
            ("train_attn", !asked.train_attn),
            ("train_mlp", !asked.train_mlp),
            ("train_unembed", !asked.train_unembed),
        ];
        honours(&self.can.lora_keys, "lora_config", &asked)
    }

    /// Refuses a step with a setting that the trainer would ignore.
    ///
    /// # Errors
    /// As [`Base::honours_lora`].
    pub fn honours_adam(&self, asked: &AdamParams) -> PluginResult<()> {
        let usual = AdamParams::default();
        let asked = [
            ("beta1", asked.beta1 != usual.beta1),
            ("beta2", asked.beta2 != usual.beta2),
            ("weight_decay", asked.weight_decay != usual.weight_decay),
            ("grad_clip_norm", asked.grad_clip_norm != usual.grad_clip_norm),
        ];
        honours(&self.can.adam_keys, "adam_params", &asked)
    }

    /// What turns messages into tokens.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Where clients find the tokenizer: a name that a model hub knows, else the folder.
    pub fn tokenizer_id(&self) -> &str {
        if self.name.contains('/') && !self.name.starts_with(['/', '.']) {
            &self.name
        } else {
            &self.source
        }
    }

    /// The family of the model, as its `config.json` says.
    pub fn arch(&self) -> Option<String> {
        let text = std::fs::read(Path::new(&self.source).join("config.json")).ok()?;
        let config: Value = serde_json::from_slice(&text).ok()?;
        config["model_type"].as_str().map(str::to_owned)
    }
}

/// A loss of a request.
#[derive(Clone)]
pub struct Loss {
    /// How it meets the trainer.
    pub path: LossPath,
    /// The loss itself, if it is known here.
    pub call: Option<Arc<dyn EvaluateLoss>>,
}

fn honours(known: &[String], section: &str, asked: &[(&str, bool)]) -> PluginResult<()> {
    let ignored = asked.iter().find(|(key, asked)| *asked && !known.iter().any(|k| k == key));
    match ignored {
        Some((key, _)) => {
            let e = PluginError::rejected("the trainer behind this server does not honour it");
            Err(e.at(*key).within(section).with_hint("leave it at its default"))
        }
        None => Ok(()),
    }
}

fn at(e: Error, name: &str) -> Error {
    e.context(format!("open the model `{name}`"))
}
