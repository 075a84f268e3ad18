//! What decides the encoding, as one hash: whitespace and the parts that are not used do not count.

use super::files::Files;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use sha2::{Digest, Sha256};
use std::fmt;

/// Parts of `tokenizer.json` that the host switches off.
const UNUSED: [&str; 3] = ["truncation", "padding", "post_processor"];

/// sha256 (hex) of the tokenizer and its template. Reads the JSON as a stream: a vocabulary is
/// never held as a tree.
///
/// # Errors
/// If `tokenizer.json` is not JSON.
pub fn fingerprint(files: &Files) -> Result<String, serde_json::Error> {
    let mut hash = Sha256::new();
    let mut json = serde_json::Deserializer::from_slice(&files.tokenizer);
    Hasher { hash: &mut hash, skip: &UNUSED }.deserialize(&mut json)?;
    json.end()?;
    for part in [&files.chat_template, &files.bos_token, &files.eos_token] {
        match part {
            Some(text) => put(&mut hash, b's', text.as_bytes()),
            None => hash.update(b"0"),
        }
    }
    Ok(crate::text::hex(&hash.finalize()))
}

/// A tag and a length before the bytes: no two different values hash the same bytes.
fn put(hash: &mut Sha256, tag: u8, bytes: &[u8]) {
    hash.update([tag]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

struct Hasher<'a> {
    hash: &'a mut Sha256,
    /// Keys of this object that do not count.
    skip: &'a [&'a str],
}

impl<'de> DeserializeSeed<'de> for Hasher<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Hasher<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.hash.update(b"0");
        Ok(())
    }

    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        self.hash.update([b'b', u8::from(v)]);
        Ok(())
    }

    fn visit_u64<E>(self, v: u64) -> Result<(), E> {
        put(self.hash, b'n', &v.to_le_bytes());
        Ok(())
    }

    fn visit_i64<E>(self, v: i64) -> Result<(), E> {
        put(self.hash, b'i', &v.to_le_bytes());
        Ok(())
    }

    fn visit_f64<E>(self, v: f64) -> Result<(), E> {
        put(self.hash, b'f', &v.to_bits().to_le_bytes());
        Ok(())
    }

    fn visit_str<E>(self, v: &str) -> Result<(), E> {
        put(self.hash, b's', v.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.hash.update(b"[");
        while seq.next_element_seed(Hasher { hash: &mut *self.hash, skip: &[] })?.is_some() {}
        self.hash.update(b"]");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.hash.update(b"{");
        while let Some(key) = map.next_key::<String>()? {
            if self.skip.contains(&key.as_str()) {
                map.next_value::<serde::de::IgnoredAny>()?;
                continue;
            }
            put(self.hash, b'k', key.as_bytes());
            map.next_value_seed(Hasher { hash: &mut *self.hash, skip: &[] })?;
        }
        self.hash.update(b"}");
        Ok(())
    }
}
