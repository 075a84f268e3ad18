//! What is written of a model.

use crate::{runs, serve::checkpoints};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tinsmith_plugin_api::{AdapterSpec, Error, ErrorKind, Lora, OpenRun};
use tinsmith_tinker_wire::messages::{LoraConfig, ModelCreated, WeightsLoaded};

/// A model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Its id, which is that of its training run.
    pub id: String,
    /// Its base model.
    pub base: String,
    /// Its adapter.
    pub lora: Lora,
    /// What the client wanted to find there again.
    #[serde(default)]
    pub user_metadata: Option<Map<String, Value>>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When something last became of it, RFC 3339.
    pub last_request: String,
    /// The checkpoint it was made from.
    #[serde(default)]
    pub made_from: Option<MadeFrom>,
    /// Whether an operation failed and left it in an unknown state.
    #[serde(default)]
    pub corrupted: bool,
    /// Whether its client was done with it.
    #[serde(default)]
    pub unloaded: bool,
}

impl ModelRecord {
    /// A new one.
    pub fn new(id: String, base: &str, lora: Lora, meta: Option<Map<String, Value>>) -> Self {
        let (created, last_request) = (runs::now(), runs::now());
        let user_metadata = meta;
        let base = base.to_owned();
        let (made_from, corrupted, unloaded) = (None, false, false);
        Self {
            id,
            base,
            lora,
            user_metadata,
            created,
            last_request,
            made_from,
            corrupted,
            unloaded,
        }
    }

    /// Its session.
    pub fn session(&self) -> &str {
        session_of(&self.id)
    }

    /// Where it begins, over a base model that the trainer calls so.
    pub fn from(&self, source: &str) -> OpenRun {
        match &self.made_from {
            Some(MadeFrom { uri, optimizer, .. }) => {
                OpenRun::Saved { uri: uri.clone(), optimizer: *optimizer }
            }
            None => OpenRun::Base {
                model: source.to_owned(),
                adapter: AdapterSpec::Lora(self.lora.clone()),
            },
        }
    }

    /// What its making is answered.
    pub fn made(&self) -> Value {
        let id = self.id.clone();
        let made = match &self.made_from {
            Some(MadeFrom { path, .. }) => serde_json::to_value(WeightsLoaded {
                path: Some(path.clone()),
                model_id: Some(id),
                kind: "load_weights".into(),
            }),
            None => {
                serde_json::to_value(ModelCreated { model_id: id, kind: "create_model".into() })
            }
        };
        made.unwrap_or_default()
    }

    /// What is said of one that is not loaded any more.
    pub fn gone(&self, last: Option<&checkpoints::Record>) -> Error {
        let e = Error::new(
            ErrorKind::LOST,
            format!("the model `{}` is not loaded any more, and its result is gone", self.id),
        );
        e.with_hint(go_on_from(last))
    }
}

/// A checkpoint that a model was made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MadeFrom {
    /// Its path.
    pub path: String,
    /// What the trainer calls it.
    pub uri: String,
    /// Whether the optimizer's state was loaded too.
    pub optimizer: bool,
}

/// What to do with a model that cannot go on.
pub fn go_on_from(last: Option<&checkpoints::Record>) -> String {
    match last {
        Some(last) => format!("go on from its last checkpoint, `{}`", last.path),
        None => "it has no checkpoint: begin again".into(),
    }
}

/// The session of a model, by the model's id.
pub fn session_of(model: &str) -> &str {
    model.split_once(":train:").map_or(model, |(session, _)| session)
}

/// The adapter that a client asked for; `seed` where it gave none.
pub fn adapter(asked: &LoraConfig, alpha: f32, seed: u64) -> Lora {
    Lora {
        rank: asked.rank,
        alpha,
        seed: asked.seed.map_or(seed, i64::cast_unsigned),
        train_attn: asked.train_attn,
        train_mlp: asked.train_mlp,
        train_unembed: asked.train_unembed,
    }
}
