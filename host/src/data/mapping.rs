//! How the records of one dataset are read: their format, and what its fields and roles are called.

use crate::config::{Dataset, Fields, Format};
use std::collections::BTreeMap;

/// How records are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// What they are.
    pub format: Format,
    /// What their fields are called.
    pub fields: Fields,
    /// What their roles mean.
    pub roles: BTreeMap<String, String>,
    /// Which columns they have; None: every list of numbers is one.
    pub columns: Option<Vec<String>>,
}

impl Mapping {
    /// That of a dataset of a config.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        Self {
            format: dataset.format,
            fields: dataset.fields.clone(),
            roles: dataset.roles.clone(),
            columns: dataset.columns.clone(),
        }
    }

    /// A format under its own names.
    #[must_use]
    pub fn plain(format: Format) -> Self {
        Self { format, ..Self::default() }
    }

    /// What a field is called that the format calls `own`.
    pub(super) fn name<'a>(&'a self, given: &'a Option<String>, own: &'static str) -> &'a str {
        given.as_deref().unwrap_or(own)
    }

    /// Whether messages stand as renderers read them, so that a line passes as it is.
    pub(super) fn is_plain(&self) -> bool {
        let Fields { messages, role, content, tools, .. } = &self.fields;
        let renamed =
            |given: &Option<String>, own: &str| given.as_deref().is_some_and(|n| n != own);
        self.roles.is_empty()
            && !renamed(messages, "messages")
            && !renamed(role, "role")
            && !renamed(content, "content")
            && !renamed(tools, "tools")
    }

    /// All of it as text, for the fingerprint of a run's data. That of a format under its own names
    /// is its name.
    pub(super) fn fingerprint(&self) -> String {
        let mut text = format!("{:?}", self.format);
        for (field, name) in self.fields.all() {
            if let Some(name) = name {
                text += &format!(" {field}={name:?}");
            }
        }
        for (word, role) in &self.roles {
            text += &format!(" {word:?}->{role:?}");
        }
        if let Some(columns) = &self.columns {
            text += &format!(" columns={columns:?}");
        }
        text
    }
}
