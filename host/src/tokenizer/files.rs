//! The files of a tokenizer: read once, in full, so that the fingerprint is of what is used.

use crate::{Error, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the files of a tokenizer say.
#[derive(Clone, Debug)]
pub struct TokenizerFiles {
    /// The `tokenizer.json`.
    pub path: PathBuf,
    /// Its bytes.
    pub tokenizer: Vec<u8>,
    /// The jinja chat template: `chat_template.jinja`, or the one in `tokenizer_config.json`.
    pub chat_template: Option<String>,
    /// The text of the beginning-of-sequence token.
    pub bos_token: Option<String>,
    /// The text of the end-of-sequence token.
    pub eos_token: Option<String>,
}

impl TokenizerFiles {
    /// Reads the tokenizer of a directory, or a `tokenizer.json` and what lies beside it.
    ///
    /// # Errors
    /// A usage error if there is no tokenizer, a failure if a file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let dir = file.parent().map(Path::to_owned).unwrap_or_default();
        let tokenizer = fs::read(&file).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::usage(format!("there is no tokenizer at `{}`", file.display()))
                    .hint("point `model.tokenizer` at a folder that holds `tokenizer.json`")
            }
            _ => Error::io("cannot read", &file, &e),
        })?;
        let config = read_json(&dir.join("tokenizer_config.json"))?.unwrap_or(Value::Null);
        let special = read_json(&dir.join("special_tokens_map.json"))?.unwrap_or(Value::Null);
        let token = |key: &str| token_text(&config[key]).or_else(|| token_text(&special[key]));
        let chat_template = match read_optional(&dir.join("chat_template.jinja"))? {
            Some(bytes) => Some(utf8(bytes, &dir.join("chat_template.jinja"))?),
            None => template_in(&config["chat_template"]),
        };
        Ok(Self {
            path: file,
            tokenizer,
            chat_template,
            bos_token: token("bos_token"),
            eos_token: token("eos_token"),
        })
    }

    /// sha256 (hex) of what decides the encoding and the template.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for part in [
            self.tokenizer.as_slice(),
            self.chat_template.as_deref().unwrap_or_default().as_bytes(),
            self.bos_token.as_deref().unwrap_or_default().as_bytes(),
            self.eos_token.as_deref().unwrap_or_default().as_bytes(),
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hex(&hash.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A token is written as its text, or as an object that holds it.
fn token_text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content").and_then(Value::as_str)).map(str::to_owned)
}

/// A template is a text, or a list of named ones, of which `default` is meant.
fn template_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(named) => named
            .iter()
            .find(|entry| entry["name"] == "default")
            .and_then(|entry| entry["template"].as_str())
            .map(str::to_owned),
        _ => None,
    }
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("cannot read", path, &e)),
    }
}

fn read_json(path: &Path) -> Result<Option<Value>> {
    let Some(bytes) = read_optional(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Error::failed(format!("it is not JSON: {e}"))
            .place(path, Some(e.line() as u64), Some(e.column() as u64))
            .hint("download the file again")
    })
}

fn utf8(bytes: Vec<u8>, path: &Path) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| Error::failed("it is not UTF-8").place(path, None, None))
}
