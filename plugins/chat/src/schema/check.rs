//! What messages and tools must hold, beyond the types.

use super::{
    Content, Message, Part, Role, Shows, Tool, ToolCall, quoted,
    raw::{REASONING, REFUSED, RawMessage, Text},
};
use serde_json::{Map, Value};
use std::borrow::Cow;
use tinsmith_plugin_api::{Error, Result};

const ROLES: &str = "use one of system, user, assistant, tool";

/// Checks the messages of the list `name` and appends them.
pub(super) fn messages<'a>(
    list: Vec<RawMessage<'a>>,
    name: &str,
    shows: Shows,
    out: &mut Vec<Message<'a>>,
) -> Result<()> {
    if list.is_empty() {
        return Err(Error::data("is empty").at(name).with_hint("remove the record"));
    }
    out.reserve(list.len());
    for (i, raw) in list.into_iter().enumerate() {
        out.push(message(raw, shows).map_err(|e| e.within(format!("{name}[{i}]")))?);
    }
    Ok(())
}

fn message(raw: RawMessage<'_>, shows: Shows) -> Result<Message<'_>> {
    let Some(Text(role)) = raw.role else {
        return Err(Error::data("is missing").at("role").with_hint(ROLES));
    };
    let Some(role) = Role::parse(&role) else {
        let role = format!("unknown role `{}`", quoted(&role));
        return Err(Error::data(role).at("role").with_hint(ROLES));
    };
    if let Some(refused) = raw.refused {
        let (key, hint) = REFUSED[refused];
        return Err(Error::data("cannot be rendered").at(key).with_hint(hint));
    }
    if role == Role::Developer && !shows.developer {
        return Err(Error::data("this renderer's format has no developer")
            .at("role")
            .with_hint("write the message as `system`"));
    }
    if role == Role::Tool && !(shows.tools || shows.opaque) {
        return Err(no_tools("tool messages").at("role"));
    }
    let listed = raw.tool_calls.unwrap_or_default();
    let calls = calls(&listed, role, shows).map_err(|e| match e.field() {
        None => e.at("tool_calls"),
        Some(_) => e.within("tool_calls"),
    })?;
    let content = match raw.content {
        Some(content) => content,
        None if !listed.is_empty() => Content::Text(Cow::Borrowed("")),
        None if raw.reasoning.is_some() => Content::Text(Cow::Borrowed("")),
        None => {
            let hint = "every message needs `content`, a string";
            return Err(Error::data("is missing").at("content").with_hint(hint));
        }
    };
    let content = reasoned(content, raw.reasoning, role, shows)?;
    // A tool may well answer with nothing; so may an assistant who calls one, and data sets have a
    // system message in every row, of which many are empty.
    let silent = matches!(role, Role::Tool | Role::System) || !listed.is_empty();
    if !silent && !content.thinks() && content.text().is_empty() {
        return Err(empty().at("content"));
    }
    let weight = match raw.weight {
        Some(weight) if !(weight >= 0.0 && weight <= f64::from(f32::MAX)) => {
            return Err(Error::data("must be a number, 0 or more")
                .at("weight")
                .with_hint("0 is not trained, 1 is as if nothing were said"));
        }
        weight => weight.map(|weight| weight as f32),
    };
    Ok(Message {
        role,
        content,
        calls,
        call_id: said(raw.tool_call_id),
        name: said(raw.name),
        trainable: raw.trainable,
        weight,
    })
}

fn said(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|Text(text)| text).filter(|text| !text.is_empty())
}

/// The content with the reasoning of a key of its own before it.
fn reasoned<'a>(
    content: Content<'a>,
    reasoning: Option<(usize, Cow<'a, str>)>,
    role: Role,
    shows: Shows,
) -> Result<Content<'a>> {
    let parts = |content: &Content<'_>| matches!(content, Content::Parts(_)) && content.thinks();
    let key = match &reasoning {
        // A template may know the key, and is shown it.
        Some(_) if shows.opaque => return Ok(content),
        Some((key, _)) => REASONING[*key],
        None if parts(&content) => "content",
        None => return Ok(content),
    };
    let refuse = |what: &str, hint: &str| Err(Error::data(what).at(key).with_hint(hint));
    if shows.opaque {
        return refuse(
            "a template is not shown thinking parts",
            "write the thinking as `reasoning_content`, if the model's template reads that",
        );
    }
    if role != Role::Assistant {
        return refuse("only the assistant's thinking can be rendered", "write it as text");
    }
    if !shows.thinking {
        return refuse(
            "thinking is not part of this renderer's format",
            "remove it, or choose the renderer of a model that thinks",
        );
    }
    let Some((_, thinking)) = reasoning else { return Ok(content) };
    if content.thinks() {
        return refuse("the message thinks twice: in `content` and here", "keep one of the two");
    }
    let mut parts = vec![Part::Thinking(thinking)];
    match content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) => parts.push(Part::Text(text)),
        Content::Parts(said) => parts.extend(said),
    }
    Ok(Content::Parts(parts))
}

fn calls(listed: &[Value], role: Role, shows: Shows) -> Result<Vec<ToolCall<'static>>> {
    if listed.is_empty() || shows.opaque {
        return Ok(Vec::new());
    }
    if !shows.tools {
        return Err(no_tools("tool calls"));
    }
    if role != Role::Assistant {
        return Err(Error::data("only the assistant calls tools")
            .with_hint("move the calls to the assistant's message"));
    }
    let call = |(i, value): (usize, &Value)| call(value).map_err(|e| e.within(format!("[{i}]")));
    listed.iter().enumerate().map(call).collect()
}

fn call(value: &Value) -> Result<ToolCall<'static>> {
    let hint = r#"a call is {"type": "function", "function": {"name": "…", "arguments": "{}"}}"#;
    let object = |value: &Value, at: &str| match value {
        Value::Object(fields) => Ok(fields.clone()),
        _ => Err(Error::data("must be an object").at(at).with_hint(hint)),
    };
    let fields = object(value, "function")?;
    if !matches!(fields.get("type"), None | Some(Value::Null))
        && fields["type"].as_str() != Some("function")
    {
        return Err(Error::data("only functions can be called").at("type").with_hint(hint));
    }
    let function = object(&value["function"], "function")?;
    let name = name_of(&function).map_err(|e| e.within("function").with_hint(hint))?;
    let arguments = match function.get("arguments") {
        Some(Value::String(json)) => json.clone(),
        None | Some(Value::Null) => "{}".to_owned(),
        Some(tree @ Value::Object(_)) => crate::python::json(tree, crate::python::PLAIN),
        Some(_) => {
            let e = Error::data("must be JSON in a string, or an object");
            return Err(e.at("function.arguments").with_hint(hint));
        }
    };
    let id = fields.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    Ok(ToolCall {
        id: id.map(|id| Cow::Owned(id.to_owned())),
        name: Cow::Owned(name),
        arguments: Cow::Owned(arguments),
    })
}

fn name_of(function: &Map<String, Value>) -> Result<String> {
    match function.get("name") {
        Some(Value::String(name)) if !name.is_empty() => Ok(name.clone()),
        _ => Err(Error::data("must be a string").at("name")),
    }
}

/// The tools of a record: functions, with or without the `{"type": "function"}` around them.
pub(super) fn tools(listed: Vec<Value>, shows: Shows) -> Result<Vec<Tool>> {
    if listed.is_empty() || shows.opaque {
        return Ok(Vec::new());
    }
    if !shows.tools {
        return Err(no_tools("lists of tools").at("tools"));
    }
    let hint = r#"a tool is {"type": "function", "function": {"name": "…", "description": "…", "parameters": {…}}}"#;
    let tool = |(i, mut value): (usize, Value)| {
        let at = |e: Error| e.within(format!("tools[{i}]")).with_hint(hint);
        let function = match value.get_mut("function") {
            Some(function) => function.take(),
            None => value,
        };
        let Value::Object(fields) = &function else {
            return Err(at(Error::data("must be an object")));
        };
        name_of(fields).map_err(at)?;
        Ok(Tool { function })
    };
    listed.into_iter().enumerate().map(tool).collect()
}

fn no_tools(what: &str) -> Error {
    Error::data(format!("{what} are not part of this renderer's format"))
        .with_hint("`renderer: template` shows tools as the model's own template does")
}

pub(super) fn empty() -> Error {
    Error::data("is empty").with_hint("remove the message or the record")
}
