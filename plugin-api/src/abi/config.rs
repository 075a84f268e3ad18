//! The plugin's own serde type validates its part of the config.

use crate::{Error, Result};
use serde::de::DeserializeOwned;

/// Reads a config section. Errors carry the path of the key and, for an unknown key, the nearest
/// known one.
pub(super) fn parse<C: DeserializeOwned>(what: &str, json: &str) -> Result<C> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        explain(&path, &e.into_inner().to_string()).context(format!("config of {what}"))
    })
}

/// Turns serde's message into one that names the key. serde has no structured form of it.
fn explain(path: &str, message: &str) -> Error {
    // The place counts within the JSON that the host made of the section: of no use to the user.
    let message = message.rsplit_once(" at line ").map_or(message, |(text, _)| text);
    if let Some(text) = unquoted(message) {
        return explain(path, &text);
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let key = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        return unknown(path, key, &known);
    }
    let path = if path == "." { "" } else { path };
    if message.starts_with("missing field") {
        let key = quoted.next().unwrap_or_default();
        let e = Error::config("is missing").at(key);
        return if path.is_empty() { e } else { e.within(path) };
    }
    let e = Error::config(message);
    if path.is_empty() { e } else { e.at(path) }
}

/// A message about a text of the wrong type without that text, which may be a secret: people write
/// keys where `{env: NAME}` should stand. The place tells where to look.
fn unquoted(message: &str) -> Option<String> {
    let (before, rest) = message.split_once(": string \"")?;
    let (_, expected) = rest.rsplit_once("\", expected ")?;
    Some(format!("{before}: a string, expected {expected}"))
}

fn unknown(path: &str, key: &str, known: &[&str]) -> Error {
    // The path ends with the unknown key, or at the table that holds it, as the type is built.
    let path = if path == "." || path.is_empty() || path == key {
        key.to_owned()
    } else if path.ends_with(&format!(".{key}")) {
        path.to_owned()
    } else {
        format!("{path}.{key}")
    };
    let e = Error::config("unknown key").at(path);
    match nearest(key, known.iter().copied()) {
        Some(near) => e.with_hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => e.with_hint("this section takes no keys"),
        None => e.with_hint(format!("known keys: `{}`", known.join("`, `"))),
    }
}

/// The candidate that a typing error may have made `word` of.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(distance, c)| *distance <= 1 + c.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[derive(Default)]
    struct Section {
        prefix: String,
        inner: Inner,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        clip: f32,
    }

    #[test]
    fn a_good_section_is_read() {
        let section: Section = parse("renderer `x`", r#"{"inner": {"clip": 0.2}}"#).unwrap();
        assert_eq!(section.inner.clip, 0.2);
    }

    fn error(json: &str) -> Error {
        parse::<Section>("renderer `x`", json).unwrap_err()
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let e = error(r#"{"prefx": 1}"#);
        assert_eq!(e.field(), Some("prefx"));
        assert_eq!(e.hint(), Some("did you mean `prefix`?"));
        assert_eq!(e.to_string(), "config of renderer `x`: `prefx`: unknown key");
        assert_eq!(e.kind(), crate::ErrorKind::CONFIG);
    }

    #[test]
    fn an_inner_key_has_its_whole_path() {
        assert_eq!(error(r#"{"inner": {"clap": 1}}"#).field(), Some("inner.clap"));
        assert_eq!(error(r#"{"inner": {"clip": "a"}}"#).field(), Some("inner.clip"));
        assert_eq!(error(r#"{"inner": {}}"#).field(), Some("inner.clip"));
    }

    #[test]
    fn a_wrong_type_is_told_without_a_place_in_our_json() {
        let e = error(r#"{"prefix": 3}"#);
        assert_eq!(e.message(), "invalid type: integer `3`, expected a string");
        assert_eq!(e.field(), Some("prefix"));
    }

    /// A secret that stands where `{env: NAME}` should must not reach a log.
    #[test]
    fn a_text_of_the_wrong_type_is_not_quoted() {
        for text in ["tml-0123456789", r#"a\", expected \"b"#] {
            let e = error(&format!(r#"{{"inner": "{text}"}}"#));
            assert_eq!(e.message(), "invalid type: a string, expected struct Inner");
            assert_eq!(e.field(), Some("inner"));
        }
    }

    #[test]
    fn a_far_word_lists_what_is_known() {
        assert_eq!(error(r#"{"zzz": 1}"#).hint(), Some("known keys: `prefix`, `inner`"));
    }
}
