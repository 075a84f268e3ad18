//! Where things stand in a JSON text, without building a tree: for mapping fields textually and for
//! telling errors by column. The text has been checked to be JSON; on other text nothing is found.

use std::ops::Range;

/// The members of the object that begins at `at`: spans of key (with quotes) and value.
pub fn members(text: &str, at: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    let Some(mut at) = open(text, at, b'{') else { return found };
    while let Some(key) = value(text, at).filter(|k| text.as_bytes()[k.start] == b'"') {
        let colon = skip_space(text, key.end);
        if text.as_bytes().get(colon) != Some(&b':') {
            break;
        }
        let Some(value) = value(text, colon + 1) else { break };
        at = value.end;
        found.push((key, value));
        match next(text, at) {
            Some(after) => at = after,
            None => break,
        }
    }
    found
}

/// The elements of the array that begins at `at`.
pub fn elements(text: &str, at: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(mut at) = open(text, at, b'[') else { return found };
    while let Some(value) = value(text, at) {
        at = value.end;
        found.push(value);
        match next(text, at) {
            Some(after) => at = after,
            None => break,
        }
    }
    found
}

/// The key that this span spells.
pub fn key(text: &str, span: &Range<usize>) -> String {
    serde_json::from_str(&text[span.clone()]).unwrap_or_default()
}

/// The keys of the object that is the text, in order.
pub fn keys(text: &str) -> Vec<String> {
    members(text, 0).iter().map(|(k, _)| key(text, k)).collect()
}

/// The string that begins at `at`, if one does.
pub fn text_at(text: &str, at: usize) -> Option<String> {
    serde_json::from_str(text.get(value(text, at)?)?).ok()
}

/// The byte where the value of a path such as `messages[2].content` begins, or, where a part of the
/// path is missing, where the value begins that it is missing from.
pub fn locate(text: &str, path: &str) -> usize {
    let mut at = skip_space(text, 0);
    for part in parts(path) {
        let found = match part {
            Part::Key(name) => members(text, at)
                .into_iter()
                .find(|(k, _)| key(text, k) == name)
                .map(|(_, value)| value.start),
            Part::Index(i) => elements(text, at).into_iter().nth(i).map(|value| value.start),
        };
        match found {
            Some(start) => at = start,
            None => break,
        }
    }
    at
}

enum Part<'a> {
    Key(&'a str),
    Index(usize),
}

fn parts(path: &str) -> impl Iterator<Item = Part<'_>> {
    path.split(['.', '[', ']']).filter(|p| !p.is_empty()).map(|p| match p.parse() {
        Ok(i) => Part::Index(i),
        Err(_) => Part::Key(p),
    })
}

/// Past the opening bracket at `at`; None if another character stands there or it closes at once.
fn open(text: &str, at: usize, bracket: u8) -> Option<usize> {
    let at = skip_space(text, at);
    if text.as_bytes().get(at) != Some(&bracket) {
        return None;
    }
    let at = skip_space(text, at + 1);
    text.as_bytes().get(at).filter(|b| !matches!(b, b'}' | b']')).map(|_| at)
}

/// Past the comma at `at`.
fn next(text: &str, at: usize) -> Option<usize> {
    let at = skip_space(text, at);
    (text.as_bytes().get(at) == Some(&b',')).then_some(at + 1)
}

fn skip_space(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    (at..bytes.len()).find(|i| !space(&bytes[*i])).unwrap_or(bytes.len())
}

/// The span of the value that begins at `at`, after white space.
fn value(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = skip_space(text, at);
    let end = match bytes.get(start)? {
        b'"' => string(bytes, start)?,
        b'{' | b'[' => {
            let (mut depth, mut i) = (0_usize, start);
            loop {
                match bytes.get(i)? {
                    b'"' => {
                        i = string(bytes, i)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                i += 1;
                if depth == 0 {
                    break i;
                }
            }
        }
        _ => {
            let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            (start..bytes.len()).find(|i| ends(&bytes[*i])).unwrap_or(bytes.len())
        }
    };
    (end > start).then_some(start..end)
}

/// Past the string that begins at `start`.
fn string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut i = start + 1;
    loop {
        match bytes.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn paths_lead_to_values_or_to_what_they_are_missing_from() {
        let text = r#" {"a\"}": "x]", "messages": [{"role": "user"}, {"role" : 3 }], "n":1}"#;
        let at = |path| &text[locate(text, path)..];
        assert!(at("messages[1].role").starts_with("3 }"));
        assert!(at("messages[0].content").starts_with(r#"{"role": "user"}"#));
        assert!(at("messages[7]").starts_with("[{"));
        assert!(at("n").starts_with("1}"));
        assert!(at("").starts_with(r#"{"a"#));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[a-z\"\\\\é]{0,4}", inner), 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Reference: serde_json's tree.
        #[test]
        fn members_and_elements_are_those_of_the_tree(value in json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            match &value {
                Value::Object(map) => {
                    let found = members(&text, 0);
                    prop_assert_eq!(found.len(), map.len());
                    for ((k, v), (name, inner)) in found.iter().zip(map) {
                        prop_assert_eq!(&key(&text, k), name);
                        let parsed: Value = serde_json::from_str(&text[v.clone()]).unwrap();
                        prop_assert_eq!(&parsed, inner);
                    }
                }
                Value::Array(list) => {
                    let found = elements(&text, 0);
                    prop_assert_eq!(found.len(), list.len());
                    for (v, inner) in found.iter().zip(list) {
                        let parsed: Value = serde_json::from_str(&text[v.clone()]).unwrap();
                        prop_assert_eq!(&parsed, inner);
                    }
                }
                _ => {}
            }
        }

        #[test]
        fn text_that_is_no_json_is_survived(text in "[\\[\\]{}\",:\\\\ a1é]{0,40}", path in "[a-b\\[\\].0-2]{0,8}") {
            prop_assert!(locate(&text, &path) <= text.len());
            let _ = (members(&text, 0), elements(&text, 0));
        }
    }
}
