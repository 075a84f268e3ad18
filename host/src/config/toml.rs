//! TOML into the positioned tree.

use super::tree::{Entry, Kind, Node, Origin};
use crate::{Error, Result};
use serde_json::Number;
use std::ops::Range;
use toml_edit::{Document, InlineTable, Item, Key, Table, Value};

/// Reads a document.
///
/// # Errors
/// A usage error with line and column, without a path.
pub fn read(text: &str) -> Result<Node> {
    let places = Places { text };
    let document = Document::parse(text).map_err(|e| {
        let message = e.message().lines().collect::<Vec<_>>().join(", ");
        let error = Error::usage(format!("not valid TOML: {message}"));
        places.error(error, e.span())
    })?;
    let root = places.table(document.as_table(), None)?;
    match &root.kind {
        Kind::Map(entries) if entries.is_empty() => Err(Error::usage("the config holds no keys")),
        _ => Ok(root),
    }
}

/// Byte offsets to lines and columns.
struct Places<'a> {
    text: &'a str,
}

impl Places<'_> {
    fn line_column(&self, at: usize) -> (u64, u64) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() as u64 + 1;
        (line, before[line_start..].chars().count() as u64 + 1)
    }

    fn origin(&self, span: Option<Range<usize>>) -> Origin {
        let (line, column) = self.line_column(span.map_or(0, |s| s.start));
        Origin::File { line, column }
    }

    fn error(&self, error: Error, span: Option<Range<usize>>) -> Error {
        let (line, column) = self.line_column(span.map_or(0, |s| s.start));
        error.place("", Some(line), Some(column))
    }

    fn table(&self, table: &Table, key: Option<&Key>) -> Result<Node> {
        let mut entries = Vec::new();
        for (name, item) in table {
            if let Some(key) = table.key(name) {
                self.entry(&mut entries, key, item)?;
            }
        }
        let span = table.span().or_else(|| key.and_then(Key::span));
        Ok(Node { kind: Kind::Map(entries), origin: self.origin(span) })
    }

    fn inline(&self, table: &InlineTable, key: Option<&Key>) -> Result<Node> {
        let mut entries = Vec::new();
        for (name, value) in table {
            if let Some(key) = table.key(name) {
                let value = self.value(value, Some(key))?;
                let origin = self.origin(key.span());
                entries.push(Entry { key: key.get().to_owned(), origin, value });
            }
        }
        let span = table.span().or_else(|| key.and_then(Key::span));
        Ok(Node { kind: Kind::Map(entries), origin: self.origin(span) })
    }

    fn entry(&self, entries: &mut Vec<Entry>, key: &Key, item: &Item) -> Result<()> {
        let value = match item {
            Item::None => return Ok(()),
            Item::Value(value) => self.value(value, Some(key))?,
            Item::Table(table) => self.table(table, Some(key))?,
            Item::ArrayOfTables(tables) => {
                let items = tables.iter().map(|t| self.table(t, Some(key)));
                let kind = Kind::List(items.collect::<Result<_>>()?);
                Node { kind, origin: self.origin(tables.span().or_else(|| key.span())) }
            }
        };
        let origin = self.origin(key.span());
        entries.push(Entry { key: key.get().to_owned(), origin, value });
        Ok(())
    }

    fn value(&self, value: &Value, key: Option<&Key>) -> Result<Node> {
        let kind =
            match value {
                Value::String(s) => Kind::Text(s.value().clone()),
                Value::Integer(i) => Kind::Number(Number::from(*i.value())),
                Value::Float(f) => Kind::Number(Number::from_f64(*f.value()).ok_or_else(|| {
                    self.error(Error::usage("numbers must be finite"), value.span())
                })?),
                Value::Boolean(b) => Kind::Bool(*b.value()),
                // No key of a config is a date; as text it meets the check of its key.
                Value::Datetime(d) => Kind::Text(d.value().to_string()),
                Value::Array(items) => {
                    Kind::List(items.iter().map(|v| self.value(v, None)).collect::<Result<_>>()?)
                }
                Value::InlineTable(table) => return self.inline(table, key),
            };
        Ok(Node { kind, origin: self.origin(value.span()) })
    }
}
