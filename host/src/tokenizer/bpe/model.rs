//! The `model` of a `tokenizer.json`, read as a stream into packed tables.

use super::index::{Index, hash};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::{borrow::Cow, fmt};

/// A BPE vocabulary of the kind that the fast path knows.
#[derive(Debug)]
pub struct Model {
    pub tokens: Tokens,
    /// Left, right and what they become, in order of rank.
    pub merges: Vec<[u32; 3]>,
    /// A word that is a token is that token, whatever the merges say.
    pub ignore_merges: bool,
}

/// Tokens by text.
#[derive(Debug)]
pub struct Tokens {
    text: String,
    /// Where each entry's text starts and the end of the last.
    starts: Vec<u32>,
    ids: Vec<u32>,
    index: Index,
}

impl Tokens {
    /// The id of a token, by its text as the file spells it.
    pub fn id(&self, text: &str) -> Option<u32> {
        let at = self.index.find(hash(text.as_bytes()), |at| self.text(at) == text)?;
        Some(self.ids[at])
    }

    /// Every token with its id, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.ids.iter().enumerate().map(|(at, id)| (self.text(at), *id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// One more than the largest id.
    pub fn end(&self) -> usize {
        self.ids.iter().max().map_or(0, |id| *id as usize + 1)
    }

    fn text(&self, at: usize) -> &str {
        &self.text[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Tokens;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vocabulary")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
                let (mut text, mut starts, mut ids) = (String::new(), vec![0], Vec::new());
                while let Some((token, id)) = map.next_entry::<Text<'de>, u32>()? {
                    text.push_str(&token.0);
                    starts.push(u32::try_from(text.len()).map_err(de::Error::custom)?);
                    ids.push(id);
                }
                let index = Index::with_capacity(ids.len());
                let mut this = Tokens { text, starts, ids, index };
                for at in 0..this.ids.len() {
                    if this.id(this.text(at)).is_some() {
                        return Err(de::Error::custom("a token stands there twice"));
                    }
                    this.index.insert(hash(this.text(at).as_bytes()), at as u32);
                }
                Ok(this)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// A text that is copied only if it was escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Model;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a BPE model")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Model, A::Error> {
                let (mut tokens, mut merges) = (None::<Tokens>, None);
                let (mut ignore_merges, mut is_bpe) = (false, false);
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key.0 {
                        "type" => is_bpe = map.next_value::<Text<'de>>()?.0 == "BPE",
                        "ignore_merges" => {
                            ignore_merges = map.next_value::<Option<bool>>()?.unwrap_or(false);
                        }
                        "vocab" => tokens = Some(map.next_value()?),
                        "merges" => {
                            let tokens = tokens.as_ref().ok_or_else(|| {
                                de::Error::custom("the merges stand before the vocabulary")
                            })?;
                            merges = Some(map.next_value_seed(Merges(tokens))?);
                        }
                        // For characters without a token; with a byte-level alphabet there are none.
                        "unk_token" | "fuse_unk" | "byte_fallback" => {
                            map.next_value::<de::IgnoredAny>()?;
                        }
                        key => {
                            let value = map.next_value::<Value>()?;
                            let off = value.is_null() || value == "" || value == 0.0;
                            if !off {
                                return Err(de::Error::custom(format!("`{key}` is not known")));
                            }
                        }
                    }
                }
                match (tokens, merges) {
                    (Some(tokens), Some(merges)) if is_bpe => {
                        Ok(Model { tokens, merges, ignore_merges })
                    }
                    _ => Err(de::Error::custom("not a BPE model")),
                }
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// Reads merges, old (`"a b"`) or new (`["a", "b"]`).
struct Merges<'a>(&'a Tokens);

impl<'de> DeserializeSeed<'de> for Merges<'_> {
    type Value = Vec<[u32; 3]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Merges<'_> {
    type Value = Vec<[u32; 3]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("merges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut merges = Vec::new();
        let mut joined = String::new();
        while let Some(merge) = seq.next_element_seed(Merge(self.0, &mut joined))? {
            merges.extend(merge);
        }
        Ok(merges)
    }
}

struct Merge<'a>(&'a Tokens, &'a mut String);

impl Merge<'_> {
    fn of<E: de::Error>(self, left: &str, right: &str) -> Result<Option<[u32; 3]>, E> {
        self.1.clear();
        self.1.push_str(left);
        self.1.push_str(right);
        let id = |text: &str| {
            self.0.id(text).ok_or_else(|| E::custom("a merge of what is not in the vocabulary"))
        };
        Ok(Some([id(left)?, id(right)?, id(self.1)?]))
    }
}

impl<'de> DeserializeSeed<'de> for Merge<'_> {
    type Value = Option<[u32; 3]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Merge<'_> {
    type Value = Option<[u32; 3]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge")
    }

    fn visit_str<E: de::Error>(self, merge: &str) -> Result<Self::Value, E> {
        if merge.starts_with("#version") {
            return Ok(None);
        }
        match merge.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => self.of(left, right),
            _ => Err(E::custom("not a merge of two")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let two = (seq.next_element::<Text<'de>>()?, seq.next_element::<Text<'de>>()?);
        match (two, seq.next_element::<de::IgnoredAny>()?) {
            ((Some(left), Some(right)), None) => self.of(&left.0, &right.0),
            _ => Err(de::Error::custom("not a merge of two")),
        }
    }
}
