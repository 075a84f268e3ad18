//! The JSON Schema of the config, and its keys as a flat list, for hints and the reference page.

use super::Config;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// The JSON Schema (draft 2020-12), for editors.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let mut schema = generator.into_root_schema_for::<Config>();
    schema.insert("title".into(), "tinsmith config".into());
    schema.to_value()
}

/// A key of the config.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its dotted path; items of a list are `[]`.
    pub path: String,
    /// What it takes, in words.
    pub kind: String,
    /// Its default; None: it must be given, or has none.
    pub default: Option<Value>,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    pub doc: String,
    /// Whether it is a section: keys follow below it.
    pub section: bool,
}

/// Every key, sections before their keys, in the order of the types.
#[must_use]
pub fn keys() -> Vec<Key> {
    let root = schema();
    let mut keys = Vec::new();
    walk(&root, &root, "", &mut keys);
    keys
}

fn walk(root: &Value, schema: &Value, prefix: &str, keys: &mut Vec<Key>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_str).collect());
    for (name, property) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let target = resolve(root, property);
        let item = target.get("items").map(|items| resolve(root, items));
        let table = item.unwrap_or(target);
        let section = table.get("properties").is_some();
        keys.push(Key {
            path: path.clone(),
            kind: kind(root, property),
            default: property.get("default").cloned(),
            required: required.contains(&name.as_str()),
            doc: doc(property).or_else(|| doc(target)).unwrap_or_default(),
            section,
        });
        if section {
            walk(root, table, &if item.is_some() { format!("{path}[]") } else { path }, keys);
        }
    }
}

fn doc(schema: &Value) -> Option<String> {
    Some(schema.get("description")?.as_str()?.replace('\n', " "))
}

/// Follows a reference; of several alternatives, the first that is a table, else the first that is
/// not `null`.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return follow(root, reference).map_or(schema, |target| resolve(root, target));
    }
    let any = alternatives(schema);
    let resolved = || any.iter().map(|s| resolve(root, s));
    resolved()
        .find(|s| s.get("properties").is_some_and(is_table))
        .or_else(|| resolved().find(|s| s.get("type").is_none_or(|t| t != "null")))
        .unwrap_or(schema)
}

fn follow<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

fn is_table(properties: &Value) -> bool {
    properties.as_object().is_some_and(|p| p.len() != 1 || !p.contains_key("name"))
}

fn alternatives(schema: &Value) -> &[Value] {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array).map_or(&[], |a| a)
}

/// What a schema takes, in words.
fn kind(root: &Value, schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        if reference.ends_with("/PluginRef") {
            return "plugin".into();
        }
        return kind(root, follow(root, reference).unwrap_or(&Value::Null));
    }
    if let Some(words) = words(schema) {
        return words;
    }
    let any = alternatives(schema);
    if !any.is_empty() {
        let kinds: Vec<String> =
            any.iter().map(|s| kind(root, s)).filter(|k| k != "null").collect();
        return kinds.join(" or ");
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect()
        }
        _ => Vec::new(),
    };
    match types.first().copied() {
        Some("integer") => "whole number",
        Some("boolean") => "true or false",
        Some("string") => "text",
        Some("object") => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => {
                return format!("map of {}", kind(root, values));
            }
            _ => "section",
        },
        Some("array") => {
            let item = schema.get("items").map(|items| kind(root, items)).unwrap_or_default();
            return if item == "section" {
                "list of sections".into()
            } else {
                format!("list of {item}")
            };
        }
        Some(other) => other,
        None => "anything",
    }
    .to_owned()
}

/// The words of an enum: `enum: […]`, or alternatives that are each a `const`.
fn words(schema: &Value) -> Option<String> {
    let one = |value: &Value| Some(format!("`{}`", value.as_str()?));
    let list: Option<Vec<String>> = match schema.get("enum").and_then(Value::as_array) {
        Some(values) => values.iter().filter(|v| !v.is_null()).map(one).collect(),
        None => {
            let any = alternatives(schema);
            let all: Vec<&Map<String, Value>> = any.iter().filter_map(Value::as_object).collect();
            if all.is_empty() {
                return None;
            }
            let mut words = Vec::new();
            for alternative in all {
                if let Some(value) = alternative.get("const") {
                    words.push(one(value)?);
                } else {
                    let values = alternative.get("enum").and_then(Value::as_array)?;
                    for value in values {
                        words.push(one(value)?);
                    }
                }
            }
            Some(words)
        }
    };
    list.map(|words| words.join(", "))
}
