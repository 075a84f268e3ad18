//! Whether a line is a JSON object, and which of the keys that tell a format it has. One pass, no
//! tree.

use super::{NoRecord, near};
use crate::{
    Error,
    config::Format,
    data::{Mapping, scan},
};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use std::{borrow::Cow, fmt};

/// The keys that tell a format, under the names that a dataset gives them.
pub(super) struct Telling<'m>(pub(super) [(Format, &'m str); 10]);

/// Which of them a line has, by their position.
pub(super) type Found = [bool; 10];

impl<'m> Telling<'m> {
    pub(super) fn of(mapping: &'m Mapping) -> Self {
        let f = &mapping.fields;
        let name = |given, own| mapping.name(given, own);
        // Messages under another name are messages, not ShareGPT's.
        Self([
            (Format::Messages, name(&f.messages, "messages")),
            (Format::Sharegpt, if f.messages.is_none() { "conversations" } else { "" }),
            (Format::PromptCompletion, name(&f.prompt, "prompt")),
            (Format::PromptCompletion, name(&f.completion, "completion")),
            (Format::Preference, name(&f.chosen, "chosen")),
            (Format::Preference, name(&f.rejected, "rejected")),
            (Format::Alpaca, name(&f.instruction, "instruction")),
            (Format::Text, name(&f.text, "text")),
            (Format::Tokens, name(&f.tokens, "tokens")),
            (Format::Tokens, if f.tokens.is_none() { "input_ids" } else { "" }),
        ])
    }

    /// The format of a line that has these keys.
    pub(super) fn format(&self, line: &str, found: &Found) -> Result<Format, NoRecord> {
        let has = |format| self.0.iter().zip(found).any(|((f, _), found)| *f == format && *found);
        let preference = has(Format::Preference);
        let counts = |format: Format| {
            // A `prompt` beside `chosen` is the pair's.
            has(format) && !(preference && format == Format::PromptCompletion)
        };
        let mut formats: Vec<Format> = Vec::new();
        for (format, _) in &self.0 {
            if counts(*format) && !formats.contains(format) {
                formats.push(*format);
            }
        }
        match formats.as_slice() {
            [one] => Ok(*one),
            [] => Err((0, self.unknown(line))),
            many => {
                let told: Vec<String> = many
                    .iter()
                    .map(|format| format!("{} ({})", self.keys(found, *format), format.name()))
                    .collect();
                let set: Vec<String> =
                    many.iter().map(|f| format!("`format: {}`", f.name())).collect();
                let error =
                    Error::data(format!("has the keys of several formats: {}", told.join(", ")));
                Err((0, error.hint(format!("set {} for this dataset", set.join(" or ")))))
            }
        }
    }

    /// The keys found of one format, in words.
    fn keys(&self, found: &Found, format: Format) -> String {
        let keys: Vec<String> = self
            .0
            .iter()
            .zip(found)
            .filter(|((f, _), found)| *f == format && **found)
            .map(|((_, name), _)| format!("`{name}`"))
            .collect();
        keys.join(" and ")
    }

    fn unknown(&self, line: &str) -> Error {
        let keys = scan::keys(line);
        let shown: Vec<String> =
            keys.iter().take(6).map(|k| format!("`{}`", near::word(k))).collect();
        let message = match shown.is_empty() {
            true => "has no keys".to_owned(),
            false => format!("has no key that tells a format, only {}", shown.join(", ")),
        };
        let names: Vec<&str> = self.0.iter().map(|(_, n)| *n).filter(|n| !n.is_empty()).collect();
        let hint = near::key(&keys, &names).unwrap_or_else(|| {
            "each record is `{\"messages\": [{\"role\": …, \"content\": …}]}` or of another known \
             format; `fields` of the dataset tells what its keys are called, `format: record` that \
             the renderer reads others"
                .into()
        });
        Error::data(message).hint(hint)
    }
}

/// Checks that a line is one JSON object, and which keys it has.
pub(super) fn keys(line: &str, telling: &Telling<'_>) -> Result<Found, NoRecord> {
    let mut json = serde_json::Deserializer::from_str(line);
    let keys = telling.deserialize(&mut json).and_then(|keys| json.end().map(|()| keys));
    match keys {
        Ok(Ok(keys)) => Ok(keys),
        Ok(Err(found)) => {
            let error = Error::data(format!("a record must be a JSON object, found {found}"));
            let hint = match found {
                "an array" => "JSON Lines holds one object a line, not one array",
                _ => "each line is an object, such as `{\"messages\": […]}`",
            };
            Err((0, error.hint(hint)))
        }
        Err(e) => Err(not_json(line, &e)),
    }
}

/// serde's position as a byte of the line.
fn not_json(line: &str, e: &serde_json::Error) -> NoRecord {
    let text = e.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    let error = Error::data(format!("not JSON: {message}"));
    // serde's column counts the bytes up to the offending one.
    let mut at = e.column().saturating_sub(1).min(line.len());
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    let hint = if e.is_eof() {
        "a record must stand on one line; `jq -c .` writes it so"
    } else {
        "each line must be one JSON object; write it with a JSON library"
    };
    (at, error.hint(hint))
}

impl<'de> DeserializeSeed<'de> for &Telling<'_> {
    /// The kind of what is no object.
    type Value = Result<Found, &'static str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Telling<'_> {
    type Value = Result<Found, &'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Found::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if let Some(at) = self.0.iter().position(|(_, name)| *name == key && !key.is_empty()) {
                found[at] = true;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(Ok(found))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err("an array"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Err("null"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Err("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Err("a string"))
    }
}
