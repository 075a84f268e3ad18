//! A section that names a plugin.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt};

/// A plugin by name, with the keys that it reads itself. In a config, a string stands for
/// `{name: …}`; a map without `name` configures the section's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginRef {
    /// What it is called, or `plugin/name` where two plugins use one name.
    pub name: String,
    /// The other keys, which the plugin validates.
    pub config: Map<String, Value>,
}

impl PluginRef {
    /// A plugin with its own defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), config: Map::new() }
    }

    /// The environment variables that this section names as secrets, with `{env: NAME}`. Only
    /// these may be asked for by [`tinsmith_plugin_api::Services::secret`].
    #[must_use]
    pub fn secret_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for value in self.config.values() {
            collect(value, &mut names);
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => match (map.len(), map.get("env")) {
            (1, Some(Value::String(name))) => names.push(name.clone()),
            _ => map.values().for_each(|v| collect(v, names)),
        },
        Value::Array(items) => items.iter().for_each(|v| collect(v, names)),
        _ => {}
    }
}

impl<'de> Deserialize<'de> for PluginRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMap;
        impl<'de> Visitor<'de> for NameOrMap {
            type Value = PluginRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a plugin, or a map with `name` and the plugin's keys")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<PluginRef, E> {
                Ok(PluginRef::new(name))
            }

            /// A section with nothing in it: the default plugin.
            fn visit_unit<E: de::Error>(self) -> Result<PluginRef, E> {
                Ok(PluginRef::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PluginRef, A::Error> {
                let mut plugin = PluginRef::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "name" {
                        plugin.name = map.next_value()?;
                    } else {
                        plugin.config.insert(key, map.next_value()?);
                    }
                }
                Ok(plugin)
            }
        }
        deserializer.deserialize_any(NameOrMap)
    }
}

impl Serialize for PluginRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.config.len()))?;
        map.serialize_entry("name", &self.name)?;
        for (key, value) in &self.config {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl JsonSchema for PluginRef {
    fn schema_name() -> Cow<'static, str> {
        "PluginRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A plugin: its name, or a map with `name` and the keys of the plugin.",
            "anyOf": [
                { "type": "string" },
                { "type": "object", "properties": { "name": { "type": "string" } } }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_string_is_a_name() {
        let a: PluginRef = serde_json::from_value(json!("chatml")).unwrap();
        let b: PluginRef = serde_json::from_value(json!({"name": "chatml"})).unwrap();
        assert_eq!(a, b);
        assert_eq!(serde_json::to_value(&a).unwrap(), json!({"name": "chatml"}));
    }

    #[test]
    fn secrets_are_named_by_env() {
        let plugin: PluginRef = serde_json::from_value(json!({
            "name": "s3", "key": {"env": "S3_KEY"}, "more": [{"token": {"env": "TOKEN"}}],
            "env": "not a reference", "map": {"env": "X", "other": 1}
        }))
        .unwrap();
        assert_eq!(plugin.secret_names(), ["S3_KEY", "TOKEN"]);
    }
}
