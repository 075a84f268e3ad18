//! A row that gives no example because something is wrong with it.

use crate::Error;
use serde::{Deserialize, Serialize};

/// A refused row, by its place.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Line in the file, from 1.
    pub line: u64,
    /// Index of the record in the file, from 0.
    pub record: u64,
    /// Column, from 1, in characters; None where no single one is to blame.
    pub column: Option<u64>,
    /// What is wrong, with the field where one is to blame.
    pub error: Error,
}

impl Refused {
    /// A refused row.
    #[must_use]
    pub fn new(line: u64, record: u64, column: Option<u64>, error: Error) -> Self {
        Self { line, record, column, error }
    }

    /// The error with its place in the file of that name.
    #[must_use]
    pub fn placed(&self, file: &str) -> Error {
        self.error.clone().place(file, Some(self.line), self.column)
    }

    /// The row as reports and JSON output tell it.
    #[must_use]
    pub fn told(&self, file: &str) -> RefusedRow {
        let mut bare = self.error.clone();
        let (field, hint) = (bare.field.take(), bare.hint.take());
        bare.place = None;
        RefusedRow {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            record: self.record,
            field,
            message: bare.to_string(),
            hint,
        }
    }
}

impl RefusedRow {
    /// On one line, with its place.
    #[must_use]
    pub fn placed(&self) -> String {
        let mut error = Error::data(&self.message).place(&self.file, Some(self.line), self.column);
        error.field.clone_from(&self.field);
        error.to_string()
    }
}

/// A refused row as reports and JSON output tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// Index of the record in the file, from 0.
    pub record: u64,
    /// The field, such as `messages[2].content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What the user can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
