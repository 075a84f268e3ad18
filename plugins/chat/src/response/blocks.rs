//! Tagged blocks in the text of an answer.

use serde_json::{Value, json};

/// A pair of tags.
pub(crate) type Tags = (&'static str, &'static str);

/// Around what the model thinks.
pub(crate) const THINK: Tags = ("<think>", "</think>");

/// A stretch of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch<'a> {
    /// Between blocks.
    Text(&'a str),
    /// Inside of a block: which tags, what is between them, and the whole with its tags.
    Block { kind: usize, inner: &'a str, whole: &'a str },
}

/// Cuts a text at its closed blocks. An opening tag without its closing one is text.
pub(crate) fn cut<'a>(text: &'a str, kinds: &[Tags]) -> Vec<Stretch<'a>> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let block = |(kind, (open, close)): (usize, &Tags)| {
            let start = rest.find(open)?;
            let inner = start + open.len();
            let length = rest[inner..].find(close)?;
            Some((start, kind, inner..inner + length, inner + length + close.len()))
        };
        let next = kinds.iter().enumerate().filter_map(block).min_by_key(|(start, ..)| *start);
        let Some((start, kind, inner, end)) = next else { break };
        if start > 0 {
            found.push(Stretch::Text(&rest[..start]));
        }
        found.push(Stretch::Block { kind, inner: &rest[inner], whole: &rest[start..end] });
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        found.push(Stretch::Text(rest));
    }
    found
}

/// The content of a message: parts where it thinks, else the text as it is.
pub(crate) fn thoughts(text: &str) -> Value {
    if !text.contains(THINK.0) {
        return json!(text);
    }
    let part = |stretch: Stretch<'_>| match stretch {
        Stretch::Text(text) => Some(text_part(text)),
        Stretch::Block { inner: "", .. } => None,
        Stretch::Block { inner, .. } => Some(thinking_part(inner)),
    };
    Value::Array(cut(text, &[THINK]).into_iter().filter_map(part).collect())
}

/// `{"type": "text", …}`
pub(crate) fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// `{"type": "thinking", …}`
pub(crate) fn thinking_part(text: &str) -> Value {
    json!({"type": "thinking", "thinking": text})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leftmost_closed_block_is_cut_first() {
        let call = ("<call>", "</call>");
        let text = "a<think>b<call>c</call></think><call>d<think>e</think>";
        let whole = "<think>b<call>c</call></think>";
        let expected = [
            Stretch::Text("a"),
            Stretch::Block { kind: 0, inner: "b<call>c</call>", whole },
            Stretch::Text("<call>d"),
            Stretch::Block { kind: 0, inner: "e", whole: "<think>e</think>" },
        ];
        assert_eq!(cut(text, &[THINK, call]), expected);
        assert_eq!(cut("", &[THINK]), []);
    }

    #[test]
    fn empty_thoughts_are_none() {
        assert_eq!(thoughts("a"), json!("a"));
        assert_eq!(thoughts("<think></think>a"), json!([{"type": "text", "text": "a"}]));
        assert_eq!(thoughts("<think>"), json!([{"type": "text", "text": "<think>"}]));
    }
}
