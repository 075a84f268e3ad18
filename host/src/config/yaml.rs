//! YAML 1.2 into the positioned tree.

use super::{
    scalar,
    tree::{Entry, Kind, MAX_DEPTH, Node, Origin},
};
use crate::{Error, Result};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// Most values that aliases may add to a document.
const MAX_ALIASED: usize = 10_000;

/// Reads one document.
///
/// # Errors
/// A usage error with line and column, without a path.
pub fn read(text: &str) -> Result<Node> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| {
            let mark = e.marker();
            let mut message = e.info().trim_end_matches('.').to_owned();
            if let Some(first) = message.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            let error = at(Error::usage(format!("not valid YAML: {message}")), mark);
            match text.lines().nth(mark.line().saturating_sub(1)) {
                Some(line) if line.contains('\t') => {
                    error.hint("indent with spaces; YAML does not allow tabs")
                }
                _ => error,
            }
        })?;
        builder.event(event, span)?;
    }
    builder
        .root
        .filter(|root| !matches!(root.kind, Kind::Null))
        .ok_or_else(|| Error::usage("the config holds no keys"))
}

fn at(error: Error, mark: &saphyr_parser::Marker) -> Error {
    error.place("", Some(mark.line() as u64), Some(mark.col() as u64 + 1))
}

/// A map or list that is not closed yet.
struct Open {
    node: Node,
    /// Of a map: the key whose value comes next.
    key: Option<(String, Origin)>,
    anchor: usize,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let mark = span.start;
        let origin = Origin::File { line: mark.line() as u64, column: mark.col() as u64 + 1 };
        let fail = |message: &str| at(Error::usage(message), &mark);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(fail("a config is one YAML document; a second one begins here")
                    .hint("remove the line `---`"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(fail("YAML tags are not read here"));
                }
                if self.wants_key() {
                    if anchor != 0 {
                        return Err(fail("a key cannot have an anchor"));
                    }
                    return self.key(text.into_owned(), origin, &mark);
                }
                let kind = if style == ScalarStyle::Plain {
                    scalar::resolve(&text).map_err(|m| fail(&format!("{m}: `{text}`")))?
                } else {
                    Kind::Text(text.into_owned())
                };
                self.value(Node { kind, origin }, anchor);
            }
            Event::Alias(anchor) => {
                if self.wants_key() {
                    return Err(fail("a key cannot be an alias"));
                }
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| fail("the alias has no anchor before it"))?;
                self.aliased += size(&node);
                if self.aliased > MAX_ALIASED || self.open.len() + depth(&node) > MAX_DEPTH {
                    return Err(fail("the aliases make the config too large"));
                }
                self.value(node, 0);
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(Kind::List(Vec::new()), anchor, tag.is_some(), &mark)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.start(Kind::Map(Vec::new()), anchor, tag.is_some(), &mark)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.value(open.node, open.anchor);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the next value is the key of a map.
    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|o| matches!(o.node.kind, Kind::Map(_)) && o.key.is_none())
    }

    fn key(&mut self, key: String, origin: Origin, mark: &saphyr_parser::Marker) -> Result<()> {
        if key == "<<" {
            return Err(at(Error::usage("merge keys (`<<`) are not part of YAML 1.2"), mark)
                .hint("repeat the keys, or name the whole section with an anchor and an alias"));
        }
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        if let Some(first) = open.node.get(&key) {
            let first = &first.origin;
            return Err(at(Error::usage(format!("the key `{key}` is already at {first}")), mark)
                .hint("keep one of the two"));
        }
        open.key = Some((key, origin));
        Ok(())
    }

    fn start(
        &mut self,
        kind: Kind,
        anchor: usize,
        tagged: bool,
        mark: &saphyr_parser::Marker,
    ) -> Result<()> {
        let fail = |message: &str| Err(at(Error::usage(message), mark));
        if tagged {
            return fail("YAML tags are not read here");
        }
        if self.wants_key() {
            return fail("a key must be text");
        }
        if self.open.len() >= MAX_DEPTH {
            return fail(&format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let origin = Origin::File { line: mark.line() as u64, column: mark.col() as u64 + 1 };
        self.open.push(Open { node: Node { kind, origin }, key: None, anchor });
        Ok(())
    }

    fn value(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut open.node.kind, open.key.take()) {
            (Kind::Map(entries), Some((key, origin))) => {
                entries.push(Entry { key, origin, value: node });
            }
            (Kind::List(items), _) => items.push(node),
            _ => {}
        }
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|e| size(&e.value)).sum::<usize>(),
        _ => 1,
    }
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => 1 + entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
        _ => 0,
    }
}
