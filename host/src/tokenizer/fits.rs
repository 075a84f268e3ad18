//! Whether a tokenizer belongs to a model: every id needs a row of the embedding.

use crate::{Error, Result};
use serde::Deserialize;
use std::path::Path;
use tinsmith_plugin_api::TokenizerInfo;

#[derive(Deserialize)]
struct ModelConfig {
    vocab_size: Option<u64>,
    /// Models of several modalities keep the language model's numbers here.
    text_config: Option<TextConfig>,
}

#[derive(Deserialize)]
struct TextConfig {
    vocab_size: Option<u64>,
}

/// The longest input of the model in this folder, in tokens, where its `config.json` tells.
#[must_use]
pub fn context_length(model: &Path) -> Option<u64> {
    #[derive(Deserialize)]
    struct Positions {
        max_position_embeddings: Option<u64>,
        text_config: Option<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        max_position_embeddings: Option<u64>,
    }
    let bytes = std::fs::read(model.join("config.json")).ok()?;
    let config: Positions = serde_json::from_slice(&bytes).ok()?;
    let inner = || config.text_config.and_then(|inner| inner.max_position_embeddings);
    config.max_position_embeddings.or_else(inner)
}

/// Checks that every id lies below `vocab_size` of the model's `config.json`.
///
/// # Errors
/// A usage error if it does not fit, or if `config.json` cannot be read.
pub fn check(tokenizer: &TokenizerInfo, model: &Path) -> Result<()> {
    let path = model.join("config.json");
    let bytes = std::fs::read(&path).map_err(|e| {
        Error::usage(format!("read the model's `{}`: {e}", path.display()))
            .hint("`model.base_model` must be the folder of a model, with its `config.json`")
    })?;
    let config: ModelConfig = serde_json::from_slice(&bytes).map_err(|e| {
        Error::usage(format!("not a model's config: {e}"))
            .place(&path, Some(e.line() as u64), Some(e.column() as u64))
            .hint("the file is damaged, or a download stopped: fetch the model again")
    })?;
    let rows = config.vocab_size.or(config.text_config.and_then(|t| t.vocab_size));
    let Some(rows) = rows else {
        return Err(Error::usage("`vocab_size` is missing")
            .place(path, None, None)
            .hint("`model.base_model` must be the folder of a language model"));
    };
    let ids = u64::from(tokenizer.vocab_size);
    if ids > rows {
        let last = tokenizer.added_tokens.last().filter(|t| i64::from(t.id) == ids as i64 - 1);
        let last = last.map(|t| format!(" (`{}`)", t.content)).unwrap_or_default();
        return Err(Error::usage(format!(
            "the tokenizer does not fit the model: its ids go up to {}{last}, \
             the model knows ids up to {}",
            ids - 1,
            rows.saturating_sub(1)
        ))
        .field("model.tokenizer")
        .hint(format!(
            "use the tokenizer that came with the model: `model.tokenizer: {}`",
            model.display()
        )));
    }
    Ok(())
}
