//! Rows that are nearly right.

use crate::text::{byte, pick, seldom, string};
use arbitrary::Unstructured;
use tinsmith::config::Format;

/// The formats that rows are written in.
pub const FORMATS: [Format; 8] = [
    Format::Messages,
    Format::PromptCompletion,
    Format::Sharegpt,
    Format::Alpaca,
    Format::Preference,
    Format::Text,
    Format::Tokens,
    Format::Record,
];

/// Values that stand where others belong.
const ODD: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "0.5",
    "-0.0",
    "1e999",
    "1e308",
    "1e-400",
    "2147483648",
    "18446744073709551616",
    "NaN",
    "-",
    "\"\"",
    "\"assistant\"",
    "\"[]\"",
    "[]",
    "{}",
    "[[]]",
    "[1]",
    "{\"a\":{\"b\":[1,\"2\"]}}",
    "",
];

/// Names of members that mean something somewhere, and some that mean nothing.
const NAMES: [&str; 16] = [
    "messages",
    "tools",
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "text",
    "tokens",
    "labels",
    "weight",
    "content",
    "role",
    "id",
    "",
    "message",
    "\\u0000",
];

/// A row of this format, as the bytes of a line.
pub fn row(u: &mut Unstructured<'_>, format: Format) -> Vec<u8> {
    let text = match format {
        Format::Auto | Format::Messages | Format::Record => {
            let list = conversation(u, Words::MESSAGES);
            let mut members = vec![("messages", list)];
            with_tools(u, &mut members);
            object(u, members)
        }
        Format::PromptCompletion => {
            let prompt = spoken(u, "user");
            let completion = spoken(u, "assistant");
            object(u, vec![("prompt", prompt), ("completion", completion)])
        }
        Format::Sharegpt => {
            let mut members = vec![("conversations", conversation(u, Words::SHAREGPT))];
            if seldom(u, 4) {
                members.insert(0, ("system", string(u)));
            }
            with_tools(u, &mut members);
            object(u, members)
        }
        Format::Alpaca => {
            let mut members = vec![("instruction", string(u)), ("output", string(u))];
            if seldom(u, 3) {
                members.push(("input", string(u)));
            }
            if seldom(u, 4) {
                let turns = list(u, 3, |u| format!("[{},{}]", string(u), string(u)));
                members.push(("history", turns));
            }
            object(u, members)
        }
        Format::Preference => {
            let mut members =
                vec![("chosen", spoken(u, "assistant")), ("rejected", spoken(u, "assistant"))];
            if !seldom(u, 4) {
                members.insert(0, ("prompt", spoken(u, "user")));
            }
            object(u, members)
        }
        Format::Text => {
            let text = string(u);
            object(u, vec![("text", text)])
        }
        Format::Tokens => tokens(u),
    };
    spoiled(u, text.into_bytes())
}

/// What a conversation's members and roles are called.
#[derive(Clone, Copy)]
struct Words {
    role: &'static str,
    content: &'static str,
    /// System, user, assistant, tool.
    roles: [&'static str; 4],
}

impl Words {
    const MESSAGES: Self =
        Self { role: "role", content: "content", roles: ["system", "user", "assistant", "tool"] };
    const SHAREGPT: Self =
        Self { role: "from", content: "value", roles: ["system", "human", "gpt", "tool"] };
}

/// A list of messages that mostly take turns.
fn conversation(u: &mut Unstructured<'_>, words: Words) -> String {
    let [system, user, assistant, tool] = words.roles;
    let shape = byte(u);
    let mut roles: Vec<&str> = Vec::new();
    if shape & 1 == 1 {
        roles.push(system);
    }
    for _ in 0..=(shape >> 1) % 4 {
        roles.extend([user, assistant]);
        if shape & 0x40 != 0 {
            roles.extend([tool, assistant]);
        }
    }
    if shape & 0x80 != 0 {
        roles.pop();
    }
    let messages: Vec<String> = roles.into_iter().map(|role| message(u, role, words)).collect();
    format!("[{}]", messages.join(","))
}

fn message(u: &mut Unstructured<'_>, role: &str, words: Words) -> String {
    let flags = byte(u);
    let assistant = role == words.roles[2];
    let mut members = Vec::new();
    match flags >> 4 {
        // Most messages are a role and a text.
        0..=8 => members.push((words.content, string(u))),
        9 | 10 => {
            let parts = list(u, 3, part);
            members.push((words.content, parts));
        }
        11 if assistant => {
            members.push((words.content, string(u)));
            let key = pick(u, &["reasoning_content", "reasoning", "thinking"]);
            members.push((key, string(u)));
        }
        12 if assistant => {
            members.push((words.content, pick(u, &["\"\"", "null", "\"a\""]).to_owned()));
            let calls = list(u, 3, call);
            members.push(("tool_calls", calls));
        }
        13 => {
            members.push((words.content, string(u)));
            members.push(("weight", pick(u, &["0", "1", "0.5", "3.5", "1e38", "-1"]).to_owned()));
        }
        14 => {
            members.push((words.content, string(u)));
            let trainable = pick(u, &["true", "false", "null"]);
            members.push(("trainable", trainable.to_owned()));
        }
        _ => {
            members.push((words.content, string(u)));
            members.push(("name", string(u)));
            members.push(("tool_call_id", pick(u, &["\"0\"", "\"functions.f:0\""]).to_owned()));
        }
    }
    let role = match flags & 15 {
        15 => string(u),
        14 => pick(u, &["\"developer\"", "\"system\"", "\"tool\"", "\"human\"", "\"\""]).to_owned(),
        _ => format!("\"{role}\""),
    };
    members.insert(usize::from(flags & 15 == 13), (words.role, role));
    if flags & 15 < 13 {
        return written(&members, ",");
    }
    object(u, members)
}

fn part(u: &mut Unstructured<'_>) -> String {
    match byte(u) % 8 {
        0..=4 => written(&[("type", "\"text\"".into()), ("text", string(u))], ","),
        5 | 6 => written(&[("type", "\"thinking\"".into()), ("thinking", string(u))], ","),
        _ => {
            let url = string(u);
            object(u, vec![("type", "\"image\"".into()), ("url", url)])
        }
    }
}

fn call(u: &mut Unstructured<'_>) -> String {
    let name = pick(u, &["\"f\"", "\"functions.f\"", "\"f<|call|>\"", "\"\"", "\"a b\""]);
    let arguments = match byte(u) % 6 {
        0 => "\"{}\"".to_owned(),
        1 => "\"{\\\"p\\\": [1, 2.0, \\\"x\\\"]}\"".to_owned(),
        2 => format!("{{\"p\":{},\"q\":{}}}", string(u), pick(u, &ODD)),
        3 => string(u),
        4 => "{}".to_owned(),
        _ => pick(u, &ODD).to_owned(),
    };
    let function = object(u, vec![("name", name.to_owned()), ("arguments", arguments)]);
    let mut members = vec![("type", "\"function\"".to_owned()), ("function", function)];
    if byte(u) % 2 == 1 {
        members.push(("id", string(u)));
    }
    object(u, members)
}

fn with_tools(u: &mut Unstructured<'_>, members: &mut Vec<(&'static str, String)>) {
    if !seldom(u, 6) {
        return;
    }
    let tools = list(u, 2, |u| {
        let parameters =
            pick(u, &["{}", "{\"type\":\"object\",\"properties\":{\"p\":{}}}", "null"]);
        let members = vec![
            ("name", pick(u, &["\"f\"", "\"g\""]).to_owned()),
            ("description", string(u)),
            ("parameters", parameters.to_owned()),
        ];
        let function = object(u, members);
        written(&[("type", "\"function\"".into()), ("function", function)], ",")
    });
    // Tables write tools as a text.
    let quoted = byte(u) % 4 == 3;
    members
        .push(("tools", if quoted { serde_json::Value::from(tools).to_string() } else { tools }));
}

/// A text, or messages.
fn spoken(u: &mut Unstructured<'_>, role: &'static str) -> String {
    if byte(u) % 4 != 3 {
        return string(u);
    }
    match byte(u) % 4 {
        0 => conversation(u, Words::MESSAGES),
        1 => "[]".to_owned(),
        _ => format!("[{}]", message(u, role, Words::MESSAGES)),
    }
}

fn tokens(u: &mut Unstructured<'_>) -> String {
    let count = usize::from(byte(u) % 12) + 1;
    let number = |u: &mut Unstructured<'_>| match byte(u) {
        id @ 0..=239 => (u32::from(id) * 5).to_string(),
        240 => "1149".to_owned(),
        241 => "1150".to_owned(),
        _ => pick(u, &ODD).to_owned(),
    };
    let ids: Vec<String> = (0..count).map(|_| number(u)).collect();
    let listed = |values: &[String]| format!("[{}]", values.join(","));
    let real = |u: &mut Unstructured<'_>| match byte(u) {
        kind @ 0..=239 => ["1", "0", "0.5", "-1.5"][usize::from(kind) % 4].to_owned(),
        _ => pick(u, &ODD).to_owned(),
    };
    let kind = byte(u);
    let mut members = match kind % 4 {
        0 => vec![("tokens", listed(&ids))],
        1 => {
            let weights: Vec<String> = (0..count).map(|_| real(u)).collect();
            vec![("tokens", listed(&ids)), ("weights", listed(&weights))]
        }
        _ => {
            let label = |id: &String| {
                if byte(u).is_multiple_of(2) { "-100".to_owned() } else { id.clone() }
            };
            let labels: Vec<String> = ids.iter().map(label).collect();
            vec![("input_ids", listed(&ids)), ("labels", listed(&labels))]
        }
    };
    for (bit, name) in [(4, "advantages"), (8, "logprobs"), (16, "attention_mask")] {
        if kind & bit != 0 {
            let short = usize::from(seldom(u, 10));
            let values: Vec<String> = (short..count).map(|_| real(u)).collect();
            members.push((name, listed(&values)));
        }
    }
    object(u, members)
}

fn list(
    u: &mut Unstructured<'_>,
    most: u8,
    mut item: impl FnMut(&mut Unstructured<'_>) -> String,
) -> String {
    let items: Vec<String> = (0..byte(u) % (most + 1)).map(|_| item(u)).collect();
    format!("[{}]", items.join(","))
}

/// An object of these members: mostly all of them, each once, in this order.
fn object(u: &mut Unstructured<'_>, mut members: Vec<(&'static str, String)>) -> String {
    let kind = byte(u);
    if kind < 200 || members.is_empty() {
        return written(&members, ",");
    }
    let at = usize::from(byte(u)) % members.len();
    match kind % 8 {
        0 => drop(members.remove(at)),
        1 => members[at].1 = pick(u, &ODD).to_owned(),
        2 => members.insert(at, (pick(u, &NAMES), pick(u, &ODD).to_owned())),
        3 => members.push(members[at].clone()),
        4 => members[at].1 = string(u),
        5 => members[at].1 = nested(u),
        6 => members[at].0 = pick(u, &NAMES),
        _ => members.reverse(),
    }
    written(&members, pick(u, &[",", " , ", ",\t", ",,", " ", ", \r"]))
}

fn nested(u: &mut Unstructured<'_>) -> String {
    let depth = [3, 120, 130, 5000][usize::from(byte(u) % 4)];
    let (open, close) =
        if byte(u).is_multiple_of(2) { ("[", "]") } else { ("{\"messages\":", "}") };
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

fn written(members: &[(&str, String)], comma: &str) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(comma))
}

/// Now and then a line that is no JSON, or no text.
fn spoiled(u: &mut Unstructured<'_>, mut line: Vec<u8>) -> Vec<u8> {
    let kind = byte(u);
    if kind < 225 {
        return line;
    }
    let at = (usize::from(byte(u)) << 4 | usize::from(byte(u) & 15)) % line.len().max(1);
    match kind % 10 {
        0 => line.truncate(at),
        1 => line[at] = byte(u),
        2 => line.insert(at, byte(u)),
        3 => drop(line.remove(at)),
        4 => line.insert(at, 0xff),
        5 => line.splice(at..at, *b"\xef\xbb\xbf").for_each(drop),
        6 => line = vec![b' '; at % 4],
        7 => line = u.bytes(u.len().min(at % 64)).unwrap_or_default().to_vec(),
        8 => line.push(b'\r'),
        _ => line.insert(0, b' '),
    }
    line
}
