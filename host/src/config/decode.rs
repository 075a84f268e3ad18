/*!
The positioned tree into types, through serde.

Types keep their plain derives; this deserializer adds what serde does not carry: the path of keys
to the fault and where it was written. [`super::explain`] turns that into words.
*/

use super::tree::{Kind, Node, Origin};
use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess,
        SeqAccess, Unexpected, VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::Number;
use std::fmt;

/// Decodes a tree.
///
/// # Errors
/// The first fault.
pub fn decode<T: DeserializeOwned>(tree: &Node) -> Result<T, Fault> {
    T::deserialize(Reader(tree))
}

/// What is wrong, at which key, written where.
#[derive(Debug)]
pub struct Fault {
    /// What is wrong.
    pub problem: Problem,
    /// The keys from the root, innermost first. Of an unknown key: with that key.
    pub path: Vec<Segment>,
    /// Where it was written; None for something that is missing from the root.
    pub origin: Option<Origin>,
}

/// A step into the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Into a map.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// What is wrong.
#[derive(Debug)]
pub enum Problem {
    /// A key that nobody reads, and those that are read.
    UnknownKey(&'static [&'static str]),
    /// A key that must be there.
    MissingKey(&'static str),
    /// A word that is none of these.
    UnknownWord { word: String, known: &'static [&'static str] },
    /// A value of another type, or outside its type's range: what was expected and found.
    Wrong { expected: String, found: String },
    /// Anything else.
    Other(String),
}

impl Fault {
    fn new(problem: Problem) -> Self {
        Self { problem, path: Vec::new(), origin: None }
    }

    /// Adds the place while the fault travels up: the innermost one stays.
    fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    fn within(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Wrong { expected: expected.to_string(), found: describe(found) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownWord { word: word.to_owned(), known })
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey(known))
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Problem::MissingKey(key))
    }
}

/// What was found, in the words of the file.
fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(b) => format!("`{b}`"),
        Unexpected::Unsigned(n) => format!("`{n}`"),
        Unexpected::Signed(n) => format!("`{n}`"),
        Unexpected::Float(x) => format!("`{x:?}`"),
        Unexpected::Str(s) if s.chars().count() > 60 => "a longer text".to_owned(),
        Unexpected::Str(s) => format!("the text `{s}`"),
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Node);

impl<'a> Reader<'a> {
    fn any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(b) => visitor.visit_bool(*b),
            Kind::Number(n) => number(n, visitor),
            Kind::Text(s) => visitor.visit_borrowed_str(s),
            Kind::List(items) => visitor.visit_seq(Items { items: items.iter().enumerate() }),
            Kind::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), next: None })
            }
        }
    }
}

fn number<'a, V: Visitor<'a>>(number: &Number, visitor: V) -> Result<V::Value, Fault> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(n), _, _) => visitor.visit_u64(n),
        (_, Some(n), _) => visitor.visit_i64(n),
        (_, _, Some(x)) => visitor.visit_f64(x),
        _ => Err(de::Error::custom("the number cannot be held")),
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.any(visitor).map_err(|e| e.at(&self.0.origin))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// A section with nothing in it has its defaults: all its keys may be commented out.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.kind {
            Kind::Null => visitor.visit_map(Entries { entries: [].iter(), next: None }),
            // Derived types would take a list as their fields in order.
            Kind::List(_) => Err(de::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.any(visitor),
        }
        .map_err(|e| e.at(&self.0.origin))
    }

    /// A list with nothing in it: its items may be commented out as well.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.kind {
            Kind::Null => visitor.visit_seq(Items { items: [].iter().enumerate() }),
            _ => self.any(visitor),
        }
        .map_err(|e| e.at(&self.0.origin))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.0.kind {
            Kind::Text(word) => visitor.visit_enum(Word(word)),
            // What plain YAML reads as something else may still be meant as a word.
            _ => self.any(visitor),
        }
        .map_err(|e| e.at(&self.0.origin))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader(item)).map(Some).map_err(|e| e.within(Segment::Index(index)))
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, super::tree::Entry>,
    next: Option<&'a super::tree::Entry>,
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.next = self.entries.next();
        let Some(entry) = self.next else { return Ok(None) };
        let key: StrDeserializer<'_, Fault> = de::IntoDeserializer::into_deserializer(&*entry.key);
        seed.deserialize(key)
            .map(Some)
            .map_err(|e| e.at(&entry.origin).within(Segment::Key(entry.key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let entry =
            self.next.ok_or_else(|| de::Error::custom("a value was read before its key"))?;
        seed.deserialize(Reader(&entry.value)).map_err(|mut e| {
            // What is missing from a section is missing where the section begins.
            if matches!(e.problem, Problem::MissingKey(_)) && e.path.is_empty() {
                e.origin = Some(entry.origin.clone());
            }
            e.within(Segment::Key(entry.key.clone()))
        })
    }
}

/// A word of an enum.
struct Word<'a>(&'a str);

impl<'a> EnumAccess<'a> for Word<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let word: StrDeserializer<'_, Fault> = de::IntoDeserializer::into_deserializer(self.0);
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'a> VariantAccess<'a> for Word<'a> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, _: T) -> Result<T::Value, Fault> {
        Err(de::Error::custom("a word was expected"))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("a word was expected"))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(de::Error::custom("a word was expected"))
    }
}
