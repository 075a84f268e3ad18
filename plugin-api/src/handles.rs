//! What the host holds of a plugin: the four traits without their types, callable across the
//! boundary. The adapters in [`crate::abi`] implement them; plugin authors never see them.

use crate::{
    Capabilities, Checkpoint, EvaluateLoss, Examples, Export, FileSink, OpenRun, Parsed,
    RemoteLoss, Result, Run, RunId, Sampler, Stop, Upload,
};
use serde_json::Value;
use std::io::Read;

/// A [`crate::DatasetRenderer`] in use.
pub trait RendererHandle: Send + Sync {
    /// Renders up to some hundred records, each the text of one JSON object. Bad records are in
    /// [`Examples::errors`]; an `Err` is a failure of the renderer itself.
    ///
    /// # Errors
    /// `panic` and other failures that concern no single record.
    fn render_batch(&self, records: &[&str]) -> Result<Examples>;
    /// See [`crate::DatasetRenderer::generation_prompt`].
    ///
    /// # Errors
    /// As there.
    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>>;
    /// See [`crate::DatasetRenderer::stop`].
    ///
    /// # Errors
    /// `panic`.
    fn stop(&self) -> Result<Stop>;
    /// See [`crate::DatasetRenderer::parse_response`].
    ///
    /// # Errors
    /// As there.
    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed>;
}

/// A [`crate::Loss`] in use.
pub trait LossHandle: EvaluateLoss {
    /// See [`crate::Loss::remote`].
    ///
    /// # Errors
    /// `panic`.
    fn remote(&self) -> Result<Option<RemoteLoss>>;
}

/// A [`crate::StorageBackend`] in use. Methods as there.
#[allow(missing_docs, clippy::missing_errors_doc)]
pub trait StorageHandle: Send + Sync {
    fn open(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>>;
    fn create(&self, key: &str) -> Result<Box<dyn Upload>>;
    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool>;
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()>;
    fn delete(&self, key: &str) -> Result<()>;
    fn exists(&self, key: &str) -> Result<bool>;
}

/// A [`crate::Trainer`] in use. Methods as there.
#[allow(missing_docs, clippy::missing_errors_doc)]
pub trait TrainerHandle: Send + Sync {
    fn capabilities(&self) -> Result<Capabilities>;
    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>>;
    fn sampler(&self, source: &str) -> Result<Box<dyn Sampler>>;
    fn checkpoints(&self, run: Option<&RunId>) -> Result<Vec<Checkpoint>>;
    fn delete(&self, uri: &str) -> Result<()>;
    fn set_ttl(&self, uri: &str, seconds: Option<u64>) -> Result<()>;
    fn publish(&self, uri: &str, public: bool) -> Result<()>;
    fn export(&self, uri: &str, what: Export, out: &mut dyn FileSink) -> Result<()>;
}

impl dyn StorageHandle + '_ {
    /// Reads a whole blob.
    ///
    /// # Errors
    /// `not_found` or `io`.
    pub fn get(&self, key: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(key, 0)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a whole blob, atomically.
    ///
    /// # Errors
    /// `io`.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<u64> {
        let mut upload = self.create(key)?;
        upload.write_all(bytes)?;
        upload.commit()
    }
}
