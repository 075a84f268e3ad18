//! What a config file may say about file storage.

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use tinsmith_plugin_api::{Error, Result};

/// Settings of storage `file`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder that holds the blobs: `file:///absolute/path`, `file:relative/path` or a plain
    /// path. It is read as it stands, without percent-decoding. It need not exist yet.
    pub uri: String,
}

impl Config {
    /// The folder that the URI names.
    pub(crate) fn root(&self) -> Result<PathBuf> {
        let refuse = |what: String| {
            Err(Error::config(what)
                .at("uri")
                .with_hint("write `file:///absolute/path` or `file:relative/path`"))
        };
        let path = match self.uri.strip_prefix("file:") {
            Some(rest) => match rest.strip_prefix("//") {
                Some(absolute) if absolute.starts_with('/') => absolute,
                Some(other) if other.starts_with("localhost/") => &other["localhost".len()..],
                Some(_) => return refuse(format!("`{}` names a host, not a folder", self.uri)),
                None => rest,
            },
            None if self.uri.contains("://") => {
                return refuse(format!("`{}` is not a `file` URI", self.uri));
            }
            None => &self.uri,
        };
        if path.is_empty() || path.contains('\0') {
            return refuse(format!("`{}` names no folder", self.uri.escape_debug()));
        }
        Ok(PathBuf::from(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(uri: &str) -> Result<String> {
        Config { uri: uri.into() }.root().map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn a_uri_names_a_folder() {
        assert_eq!(root("file:///a/b c%20d").unwrap(), "/a/b c%20d");
        assert_eq!(root("file://localhost/a").unwrap(), "/a");
        assert_eq!(root("file:/a").unwrap(), "/a");
        assert_eq!(root("file:models/x").unwrap(), "models/x");
        assert_eq!(root("models/x").unwrap(), "models/x");
    }

    #[test]
    fn a_uri_that_names_none_is_refused() {
        for uri in ["", "file:", "file://", "file://models/x", "s3://bucket/x", "a\0b"] {
            let e = root(uri).unwrap_err();
            assert_eq!(e.field(), Some("uri"), "{uri}");
            assert!(e.hint().is_some());
        }
    }
}
