//! One record of a dataset: a JSON object, kept as text until somebody asks for a field.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::cell::OnceCell;

/// One JSON object of the dataset.
///
/// The text is parsed at most once, and only when [`Record::text`] or [`Record::get`] is called:
/// a renderer that deserialises its own type with [`Record::parse`] reads the text directly.
#[derive(Debug)]
pub struct Record<'a> {
    json: &'a str,
    fields: OnceCell<std::result::Result<Map<String, Value>, Error>>,
}

impl<'a> Record<'a> {
    /// Wraps the text of one JSON object.
    #[must_use]
    pub fn new(json: &'a str) -> Self {
        Self { json, fields: OnceCell::new() }
    }

    /// The text as it stands in the dataset.
    #[must_use]
    pub fn json(&self) -> &'a str {
        self.json
    }

    /// The whole record as a type of your own.
    ///
    /// # Errors
    /// A data error with serde's message; its column counts bytes of this record.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(self.json)?)
    }

    /// The value under `field`, if there is one.
    ///
    /// # Errors
    /// A data error if the record is not a JSON object.
    pub fn get(&self, field: &str) -> Result<Option<&Value>> {
        match self.fields.get_or_init(|| self.parse()) {
            Ok(fields) => Ok(fields.get(field)),
            Err(e) => Err(e.clone()),
        }
    }

    /// The string under `field`.
    ///
    /// # Errors
    /// A data error that names the field if it is missing or not a string.
    pub fn text(&self, field: &str) -> Result<&str> {
        match self.get(field)? {
            Some(Value::String(text)) => Ok(text),
            Some(other) => {
                Err(Error::data(format!("must be a string, found {}", kind_of(other))).at(field))
            }
            None => Err(Error::data("is missing").at(field)),
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_and_a_wrong_field_are_told_apart() {
        let record = Record::new(r#"{"question": 3}"#);
        assert_eq!(
            record.text("question").unwrap_err().to_string(),
            "`question`: must be a string, found a number"
        );
        assert_eq!(record.text("answer").unwrap_err().to_string(), "`answer`: is missing");
    }

    #[test]
    fn a_record_that_is_no_object_is_a_data_error() {
        let record = Record::new("[1]");
        assert_eq!(record.text("a").unwrap_err().kind(), crate::ErrorKind::DATA);
    }
}
