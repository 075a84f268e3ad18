//! What a plugin says about each thing it provides, without building one.

use crate::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};

/// The four things a plugin can provide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A [`crate::DatasetRenderer`].
    Renderer,
    /// A [`crate::Loss`].
    Loss,
    /// A [`crate::StorageBackend`].
    Storage,
    /// A [`crate::Trainer`].
    Trainer,
}

impl Kind {
    /// All of them, in the order of listings.
    pub const ALL: [Self; 4] = [Self::Renderer, Self::Loss, Self::Storage, Self::Trainer];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Renderer => "renderer",
            Self::Loss => "loss",
            Self::Storage => "storage",
            Self::Trainer => "trainer",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| Error::config(format!("`{text}` is no kind of plugin")))
    }
}

/// One thing that a plugin provides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The name a config file uses; for storage, the scheme.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// One sentence.
    #[serde(default)]
    pub summary: String,
    /// JSON Schema of its config section.
    #[serde(default)]
    pub config_schema: Value,
    /// Keys of the section that have a default, with it.
    #[serde(default)]
    pub defaults: Map<String, Value>,
    /// Columns that a loss reads.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// What a loss must see at once: `token`, `group` or `batch`.
    #[serde(default)]
    pub scope: Option<String>,
}

impl Description {
    pub(super) fn new<C: JsonSchema>(kind: Kind, name: &str, summary: &str) -> Self {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<C>().to_value();
        Self {
            name: name.to_owned(),
            kind,
            summary: summary.to_owned(),
            defaults: defaults(&schema),
            config_schema: schema,
            inputs: Vec::new(),
            scope: None,
        }
    }
}

fn defaults(schema: &Value) -> Map<String, Value> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Map::new();
    };
    let with_default = properties.iter().filter_map(|(k, v)| Some((k, v.get("default")?)));
    with_default.map(|(key, value)| (key.clone(), value.clone())).collect()
}
