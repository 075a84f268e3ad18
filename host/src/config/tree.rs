/*!
A config file as a tree in which every value knows where it was written.

YAML and TOML are read into the same tree, `--set` and the environment are laid over it, and only
then is it decoded into [`super::Config`]. Whatever is wrong with a value can therefore be told by
file, line and column, or by the flag that brought it.
*/

use serde_json::Number;
use std::fmt;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The config file: line and column, both from 1, the column in characters.
    File {
        /// Line, from 1.
        line: u64,
        /// Column in characters, from 1.
        column: u64,
    },
    /// A `--set`, as it was typed, without secrets.
    Set(String),
    /// An environment variable.
    Env(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line, column } => write!(f, "{line}:{column}"),
            Self::Set(text) => write!(f, "--set {text}"),
            Self::Env(name) => write!(f, "{name}"),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// Where its text begins.
    pub origin: Origin,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing: `null`, `~`, or a key without a value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order in which it was written.
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub origin: Origin,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value under a key of this map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// The value at a path such as `datasets[0].path` or `datasets.0.path`, or its nearest ancestor
    /// that was written. For a map or list that is the place of its key, which reads better than
    /// the place of its first element.
    #[must_use]
    pub fn origin_of(&self, path: &str) -> Option<Found<'_>> {
        let mut node = self;
        let mut found = None;
        let segments = segments(path);
        for (i, segment) in segments.iter().enumerate() {
            let (key, value) = match &node.kind {
                Kind::Map(_) => match node.get(segment) {
                    Some(entry) => (&entry.origin, &entry.value),
                    None => break,
                },
                Kind::List(items) => match segment.parse::<usize>().ok().and_then(|i| items.get(i))
                {
                    Some(item) => (&item.origin, item),
                    None => break,
                },
                // A string in place of a plugin's section is its name.
                Kind::Text(_) if segment == "name" => (&node.origin, node),
                _ => break,
            };
            let exact = i + 1 == segments.len();
            let origin = match value.kind {
                Kind::Map(_) | Kind::List(_) => key,
                _ => &value.origin,
            };
            found = Some(Found { origin, exact });
            node = value;
        }
        found
    }

    /// The tree without places.
    #[cfg(test)]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::{Map, Value};
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Number(n) => Value::Number(n.clone()),
            Kind::Text(s) => Value::String(s.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Adds what a server does without and the types ask for.
pub fn complete_for_serving(tree: &mut Node) {
    let origin = tree.origin.clone();
    let node = |kind| Node { kind, origin: origin.clone() };
    let entry = |key: &str, value| Entry { key: key.into(), origin: origin.clone(), value };
    let first = tree.get("serve").and_then(|serve| serve.value.get("models"));
    let first = first.and_then(|models| match &models.value.kind {
        Kind::Map(models) => models.first().map(|model| model.value.clone()),
        _ => None,
    });
    let (with_model, with_data) = (tree.get("model").is_some(), tree.get("datasets").is_some());
    let Kind::Map(entries) = &mut tree.kind else { return };
    if let Some(first) = first.filter(|_| !with_model) {
        entries.push(entry("model", node(Kind::Map(vec![entry("base_model", first)]))));
    }
    if !with_data {
        let path = entry("path", node(Kind::Text("-".into())));
        entries.push(entry("datasets", node(Kind::List(vec![node(Kind::Map(vec![path]))]))));
    }
}

/// What [`Node::origin_of`] found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The place.
    pub origin: &'a Origin,
    /// Whether it is the place of the path itself and not of an ancestor.
    pub exact: bool,
}

/// The segments of a dotted path; indexes may stand in brackets.
#[must_use]
pub fn segments(path: &str) -> Vec<String> {
    path.replace('[', ".")
        .replace(']', "")
        .split('.')
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The deepest nesting that is read. A config needs five levels; the limit keeps recursion over a
/// tree within any stack.
pub const MAX_DEPTH: usize = 64;
