//! Storage backends: blobs under `/`-separated keys. A write is whole or absent.

use crate::{Result, Services};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};

/// Keeps blobs under keys such as `checkpoints/000020/manifest.json`.
///
/// Keys are relative, use `/`, and hold no empty, `.` or `..` part; a backend refuses others with a
/// config error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a storage backend",
    note = "implement `StorageBackend`; `testing::check_storage` proves its behaviour"
)]
pub trait StorageBackend: Sized + Send + Sync + 'static {
    /// The scheme of its URIs: `file`, `s3`.
    const SCHEME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str = "";
    /// The plugin's part of the config section. The host puts the URI under the key `uri`.
    type Config: DeserializeOwned + JsonSchema;

    /// Opens the store. Cheap: nothing is written yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::CONFIG`] for a URI that it cannot serve.
    fn new(config: Self::Config, services: Services) -> Result<Self>;

    /// Reads a blob from the byte `from` on.
    ///
    /// # Errors
    /// `not_found` if the key is absent.
    fn open(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>>;

    /// Begins a write. Invisible until [`Upload::commit`]; dropped, it leaves nothing.
    ///
    /// # Errors
    /// `io` if nothing can be written there.
    fn create(&self, key: &str) -> Result<Box<dyn Upload>>;

    /// Writes `bytes` only if the key is absent, atomically. False: it was there.
    ///
    /// # Errors
    /// `io` if nothing can be written there.
    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool>;

    /// Calls `visit(key, bytes)` for every key that begins with `prefix`, in ascending order of
    /// keys, until it answers false.
    ///
    /// # Errors
    /// `io` if the listing fails.
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()>;

    /// Deletes a key. An absent key is no error.
    ///
    /// # Errors
    /// `io` if it is there and cannot be deleted.
    fn delete(&self, key: &str) -> Result<()>;

    /// Whether the key is there.
    ///
    /// # Errors
    /// `io` if that cannot be told.
    fn exists(&self, key: &str) -> Result<bool>;
}

/// An unfinished write. Dropping it discards what was written.
pub trait Upload: Write + Send {
    /// Makes the blob visible, durably and whole. Answers its size in bytes.
    ///
    /// # Errors
    /// `io`; then nothing is visible.
    fn commit(self: Box<Self>) -> Result<u64>;
}
