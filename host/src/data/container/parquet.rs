/*!
A Parquet file as lines, a row a line: columns become the members of a JSON object, lists and structs
what they are in JSON.

What is null is left out: tables fill in nulls for keys that a row never had. Bytes that are no text
are null; dates and decimals are text.
*/

use super::Damage;
use crate::contained::contained;
use parquet::{
    file::reader::SerializedFileReader,
    record::{Field, Row, reader::RowIter},
};
use serde_json::{Number, Value};
use std::{
    fs::File,
    io::{Read, Result},
};

/// What to do about an error of the crate.
pub(super) fn hint(error: &str) -> &'static str {
    match error.contains("Disabled feature") {
        true => "write it without compression, or with snappy, gzip, lz4 or zstd",
        false => "the file is damaged or incomplete: write or copy it again",
    }
}

/// Reads rows as lines.
pub(super) struct Rows {
    rows: RowIter<'static>,
    line: Vec<u8>,
    /// How much of the line was read.
    read: usize,
}

impl Rows {
    /// Reads the file's footer.
    pub(super) fn open(file: File) -> std::result::Result<Self, String> {
        let rows = contained(|| SerializedFileReader::new(file).map(IntoIterator::into_iter))
            .and_then(|opened| opened.map_err(|e| said(&e)))?;
        Ok(Self { rows, line: Vec::new(), read: 0 })
    }

    fn next_line(&mut self) -> Result<bool> {
        let rows = &mut self.rows;
        let row = contained(|| rows.next())
            .and_then(|row| row.transpose().map_err(|e| said(&e)))
            .map_err(|e| {
            Damage::error(format!("the Parquet file cannot be read: {e}"), hint(&e))
        })?;
        let Some(row) = row else { return Ok(false) };
        self.line.clear();
        self.read = 0;
        serde_json::to_writer(&mut self.line, &object(&row))?;
        self.line.push(b'\n');
        Ok(true)
    }
}

impl Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.read == self.line.len() && !self.next_line()? {
            return Ok(0);
        }
        let rest = &self.line[self.read..];
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        self.read += taken;
        Ok(taken)
    }
}

/// The crate's messages begin with a capital name of their kind.
fn said(error: &parquet::errors::ParquetError) -> String {
    let text = error.to_string();
    text.split_once(": ").map_or(text.clone(), |(_, said)| said.to_owned())
}

fn object(row: &Row) -> Value {
    let members = row.get_column_iter();
    let shown = members.filter(|(_, field)| !matches!(field, Field::Null));
    Value::Object(shown.map(|(name, field)| (name.clone(), value(field))).collect())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(b) => Value::Bool(*b),
        Field::Byte(n) => Value::from(*n),
        Field::Short(n) => Value::from(*n),
        Field::Int(n) => Value::from(*n),
        Field::Long(n) => Value::from(*n),
        Field::UByte(n) => Value::from(*n),
        Field::UShort(n) => Value::from(*n),
        Field::UInt(n) => Value::from(*n),
        Field::ULong(n) => Value::from(*n),
        Field::Float16(x) => real(f64::from(x.to_f32())),
        Field::Float(x) => real(f64::from(*x)),
        Field::Double(x) => real(*x),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::from(text),
            Err(_) => Value::Null,
        },
        Field::Group(row) => object(row),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect()),
        Field::MapInternal(map) => Value::Object(
            map.entries()
                .iter()
                .map(|(key, of)| {
                    let key = match key {
                        Field::Str(text) => text.clone(),
                        other => other.to_string(),
                    };
                    (key, value(of))
                })
                .collect(),
        ),
        other => Value::from(other.to_string()),
    }
}

fn real(x: f64) -> Value {
    Number::from_f64(x).map_or(Value::Null, Value::Number)
}
