//! Tools as Harmony declares them: functions in something like TypeScript.

use crate::{
    python::{self, DUMPS},
    schema::Tool,
};
use serde_json::Value;

/// What the system is told where there are tools.
pub(super) const ROUTING: &str =
    "Calls to these tools must go to the commentary channel: 'functions'.";

/// The declarations, as the developer gives them.
pub(super) fn declare(tools: &[Tool]) -> String {
    let functions: Vec<String> = tools.iter().map(|tool| function(&tool.function)).collect();
    let functions = functions.join("\n\n");
    format!(
        "# Tools\n\n## functions\n\nnamespace functions {{\n\n{functions}\n\n}} // namespace \
         functions"
    )
}

fn function(tool: &Value) -> String {
    let mut text = String::new();
    if truthy(&tool["description"]) {
        text += &format!("// {}\n", python::display(&tool["description"]));
    }
    let name = python::display(&tool["name"]);
    text + &format!("type {name} = {} => any;", parameters(&tool["parameters"]))
}

fn parameters(schema: &Value) -> String {
    if schema["type"] != "object" || !truthy(&schema["properties"]) {
        return "()".to_owned();
    }
    let mut lines = vec!["(_:".to_owned()];
    if truthy(&schema["description"]) {
        lines[0] += &format!(" // {}", python::display(&schema["description"]));
    }
    lines.push("{".to_owned());
    for (name, property) in fields(&schema["properties"]) {
        lines.extend(comments(property).into_iter().map(|comment| format!("// {comment}")));
        let default = match property.get("default") {
            Some(default) => format!(" // default: {}", python::json(default, DUMPS)),
            None => String::new(),
        };
        lines.push(format!("{name}{}: {},{default}", optional(schema, name), kind(property)));
    }
    lines.push("})".to_owned());
    lines.join("\n")
}

fn comments(property: &Value) -> Vec<String> {
    let mut comments = Vec::new();
    if truthy(&property["title"]) {
        comments.push(python::display(&property["title"]));
        comments.push(String::new());
    }
    if truthy(&property["description"]) {
        comments.push(python::display(&property["description"]));
    }
    let examples = property["examples"].as_array().map_or(&[][..], Vec::as_slice);
    if !examples.is_empty() {
        comments.push("Examples:".to_owned());
        comments.extend(examples.iter().map(|e| format!("- {}", python::json(e, DUMPS))));
    }
    comments
}

/// The type of a schema.
fn kind(schema: &Value) -> String {
    let either = |kinds: Vec<String>| kinds.join(" | ");
    for key in ["oneOf", "anyOf"] {
        if let Some(schemas) = schema[key].as_array() {
            return either(schemas.iter().map(kind).collect());
        }
    }
    let base = match &schema["type"] {
        Value::Array(kinds) => {
            let alone = |kind_of: &Value| kind(&serde_json::json!({ "type": kind_of }));
            return either(kinds.iter().map(alone).collect());
        }
        Value::String(name) => match name.as_str() {
            "string" => match schema["enum"].as_array() {
                Some(values) => {
                    return either(values.iter().map(|v| python::json(v, DUMPS)).collect());
                }
                None => "string".to_owned(),
            },
            "number" | "integer" => "number".to_owned(),
            "boolean" => "boolean".to_owned(),
            "array" => format!("{}[]", kind(&schema["items"])),
            "object" => object(schema),
            _ => "any".to_owned(),
        },
        _ => "any".to_owned(),
    };
    if truthy(&schema["nullable"]) { format!("{base} | null") } else { base }
}

fn object(schema: &Value) -> String {
    let field = |(name, property): (&String, &Value)| {
        format!("{name}{}: {}", optional(schema, name), kind(property))
    };
    let fields: Vec<String> = fields(&schema["properties"]).map(field).collect();
    format!("{{ {} }}", fields.join(", "))
}

fn optional(schema: &Value, name: &str) -> &'static str {
    let required = schema["required"].as_array();
    let required = required.is_some_and(|names| names.iter().any(|required| required == name));
    if required { "" } else { "?" }
}

fn fields(properties: &Value) -> impl Iterator<Item = (&String, &Value)> {
    properties.as_object().into_iter().flatten()
}

/// Whether Python takes a value for true.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
