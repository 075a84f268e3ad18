//! Calls as Qwen3.5 writes them: `<function=…>` with one `<parameter=…>` an argument.

use crate::{python, schema::ToolCall};
use serde_json::{Map, Value};
use tinsmith_plugin_api::{Error, Result};

/// What the model is told of the format, word for word as it was trained.
pub(super) const HOW_TO: &str = "If you choose to call a function ONLY reply in the following \
format with NO suffix:\n\n<tool_call>\n<function=example_function_name>\n\
<parameter=example_parameter_1>\nvalue_1\n</parameter>\n<parameter=example_parameter_2>\n\
This is the value for the second parameter\nthat can span\nmultiple lines\n</parameter>\n\
</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n\
- Function calls MUST follow the specified format: an inner <function=...></function> block must be \
nested within <tool_call></tool_call> XML tags\n\
- Required parameters MUST be specified\n\
- You may provide optional reasoning for your function call in natural language BEFORE the function \
call, but NOT after\n\
- If there is no function call available, answer the question like normal with your current \
knowledge and do not tell the user about function calls\n</IMPORTANT>";

/// Writes a call.
///
/// # Errors
/// A data error if the arguments are no JSON object.
pub(super) fn write(call: &ToolCall<'_>) -> Result<String> {
    let arguments = match call.arguments.as_ref() {
        "" => Value::Object(Map::new()),
        _ => call.parsed()?,
    };
    let Value::Object(arguments) = arguments else {
        return Err(Error::data("must be a JSON object")
            .at("function.arguments")
            .with_hint("this format writes one parameter for each key"));
    };
    let mut written = format!("<tool_call>\n<function={}>\n", call.name);
    for (name, value) in &arguments {
        let value = python::display(value);
        written += &format!("<parameter={name}>\n{value}\n</parameter>\n");
    }
    Ok(written + "</function>\n</tool_call>")
}

/// Reads what stands in a `<tool_call>` block: the name, and the arguments as JSON.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<(String, String), &'static str> {
    const MALFORMED: &str = "the call is no `<function=…>` block";
    let text = python::strip(text).strip_prefix("<function=").ok_or(MALFORMED)?;
    let (name, body) = tag(text).ok_or(MALFORMED)?;
    let body = body.strip_suffix("</function>").ok_or(MALFORMED)?;
    let name = python::strip(name);
    if name.is_empty() {
        return Err("the function has no name");
    }
    let mut arguments = Map::new();
    let mut rest = python::strip(body);
    while let Some((start, name, value, end)) = parameter(rest) {
        if !python::strip(&rest[..start]).is_empty() {
            return Err("there is something between the parameters");
        }
        let name = python::strip(name);
        if name.is_empty() {
            return Err("a parameter has no name");
        }
        let text = || Value::String(value.to_owned());
        arguments.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| text()));
        rest = &rest[end..];
    }
    if !python::strip(rest).is_empty() {
        return Err("there is something behind the parameters");
    }
    Ok((name.to_owned(), python::json(&Value::Object(arguments), python::DUMPS)))
}

/// The name in a tag that was opened, and what follows the tag.
fn tag(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('>')?;
    (!name.is_empty() && !name.contains('\n')).then_some((name, rest))
}

/// The first parameter: where it starts, its name, its value, where it ends.
fn parameter(text: &str) -> Option<(usize, &str, &str, usize)> {
    const OPEN: &str = "<parameter=";
    const CLOSE: &str = "</parameter>";
    for (start, _) in text.match_indices(OPEN) {
        let Some((name, rest)) = tag(&text[start + OPEN.len()..]) else { continue };
        let (value, after) = rest.split_once(CLOSE)?;
        return Some((start, name, python::strip(value), text.len() - after.len()));
    }
    None
}
