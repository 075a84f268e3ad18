//! The files of a tokenizer: `tokenizer.json` and what stands beside it.

use crate::{Error, Result, error::Place};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Larger than any tokenizer; a weights file given by mistake is larger still.
const MAX_BYTES: u64 = 512 << 20;

/// What the files say.
#[derive(Debug)]
pub struct Files {
    /// The `tokenizer.json`.
    pub path: PathBuf,
    /// Its bytes.
    pub tokenizer: Vec<u8>,
    /// The jinja chat template.
    pub chat_template: Option<String>,
    /// The text of the beginning-of-sequence token.
    pub bos_token: Option<String>,
    /// The text of the end-of-sequence token.
    pub eos_token: Option<String>,
    /// Added tokens that `tokenizer_config.json` knows, by id.
    pub added: BTreeMap<u32, tokenizers::AddedToken>,
}

/// The keys of `tokenizer_config.json` and `special_tokens_map.json` that are read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    bos_token: Option<TokenText>,
    eos_token: Option<TokenText>,
    chat_template: Option<Template>,
    added_tokens_decoder: BTreeMap<u32, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TokenText {
    Text(String),
    Token { content: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Template {
    One(String),
    Several(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

impl TokenText {
    fn text(self) -> String {
        match self {
            Self::Text(text) | Self::Token { content: text } => text,
        }
    }
}

impl Template {
    /// The default one of several.
    fn text(self) -> Option<String> {
        match self {
            Self::One(text) => Some(text),
            Self::Several(all) => all.into_iter().find(|t| t.name == "default").map(|t| t.template),
        }
    }
}

/// Reads the files of a tokenizer, given its folder or its `tokenizer.json`.
///
/// # Errors
/// A usage error with the file.
pub fn read(dir_or_file: &Path) -> Result<Files> {
    let path = if dir_or_file.is_dir() {
        dir_or_file.join("tokenizer.json")
    } else {
        dir_or_file.to_owned()
    };
    let tokenizer = bytes(&path)?.ok_or_else(|| missing(dir_or_file, &path))?;
    let beside = |name: &str| path.with_file_name(name);

    let mut settings: Settings = json(&beside("tokenizer_config.json"))?.unwrap_or_default();
    let map: Settings = json(&beside("special_tokens_map.json"))?.unwrap_or_default();
    let jinja = text(&beside("chat_template.jinja"))?;
    let template = match jinja {
        Some(jinja) => Some(jinja),
        None => match settings.chat_template.take().and_then(Template::text) {
            Some(template) => Some(template),
            None => {
                let older: Option<Settings> = json(&beside("chat_template.json"))?;
                older.and_then(|s| s.chat_template).and_then(Template::text)
            }
        },
    };
    let mut added = BTreeMap::new();
    for (id, token) in settings.added_tokens_decoder {
        let token = serde_json::from_value(token).map_err(|e| {
            Error::usage(format!("not an added token: {e}"))
                .field(format!("added_tokens_decoder.{id}"))
                .place(beside("tokenizer_config.json"), None, None)
        })?;
        added.insert(id, token);
    }
    Ok(Files {
        tokenizer,
        chat_template: template,
        bos_token: settings.bos_token.or(map.bos_token).map(TokenText::text),
        eos_token: settings.eos_token.or(map.eos_token).map(TokenText::text),
        added,
        path,
    })
}

impl Files {
    /// Adds the tokens that only `tokenizer_config.json` knows, as Transformers does.
    ///
    /// # Errors
    /// If a token would get another id than the file gives it.
    pub fn add_tokens(&self, tokenizer: &mut tokenizers::Tokenizer) -> Result<()> {
        let known = tokenizer.get_added_tokens_decoder();
        for (id, token) in &self.added {
            if known.get(id).is_some_and(|k| same(k, token)) {
                continue;
            }
            let one = std::slice::from_ref(token);
            if token.special {
                tokenizer.add_special_tokens(one);
            } else {
                tokenizer.add_tokens(one);
            }
            if tokenizer.token_to_id(&token.content) != Some(*id) {
                return Err(Error::usage(format!(
                    "`{}` has id {id} in `tokenizer_config.json` and another one in \
                     `tokenizer.json`",
                    token.content
                ))
                .hint("take both files from the same model"));
            }
        }
        Ok(())
    }
}

fn same(a: &tokenizers::AddedToken, b: &tokenizers::AddedToken) -> bool {
    let flags =
        |t: &tokenizers::AddedToken| (t.special, t.single_word, t.lstrip, t.rstrip, t.normalized);
    a.content == b.content && flags(a) == flags(b)
}

/// The bytes of a file; None if there is none.
fn bytes(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(meta) if meta.len() > MAX_BYTES => {
            return Err(Error::usage("too large for a tokenizer").place(path, None, None));
        }
        _ => {}
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read the tokenizer", path, &e)),
    }
}

fn text(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = bytes(path)? else { return Ok(None) };
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Error::usage("not valid UTF-8").place(path, None, None))
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    let Some(bytes) = bytes(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        let (line, column) = (Some(e.line() as u64), Some(e.column() as u64));
        let mut error = Error::usage(format!("not what a tokenizer has there: {e}"))
            .hint("download the model's tokenizer files again");
        error.place = Some(Place { path: path.to_owned(), line, column });
        error
    })
}

fn missing(asked: &Path, path: &Path) -> Error {
    let error = Error::usage(format!("no tokenizer at `{}`", path.display()));
    if asked.is_dir() {
        return error.hint("the folder must hold the `tokenizer.json` of the model");
    }
    error.hint("name a folder with a `tokenizer.json`: models are not downloaded")
}
