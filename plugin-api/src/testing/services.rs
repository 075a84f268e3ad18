//! A host in memory.

use super::{ByteTokenizer, MemoryStore};
use crate::{
    Encoded, Error, HostServices, Level, Result, Secret, Services, Special, StorageHandle,
    TokenizerInfo,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// A host in memory. Clones share everything.
///
/// ```
/// use tinsmith_plugin_api::testing::MemoryServices;
///
/// let host = MemoryServices::new();
/// let services = host.services();
/// assert_eq!(services.encode("hi").unwrap(), [104, 105]);
/// services.info("hello");
/// assert_eq!(host.log_lines()[0].1, "hello");
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryServices(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tokenizer: Mutex<ByteTokenizer>,
    store: MemoryStore,
    secrets: Mutex<BTreeMap<String, Secret>>,
    log: Mutex<Vec<(Level, String)>>,
    progress: Mutex<Option<(u64, u64)>>,
    cancelled: AtomicBool,
    threads: AtomicUsize,
}

impl MemoryServices {
    /// A host with the plain [`ByteTokenizer`], an empty store and one thread.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this tokenizer.
    #[must_use]
    pub fn with_tokenizer(self, tokenizer: ByteTokenizer) -> Self {
        *lock(&self.0.tokenizer) = tokenizer;
        self
    }

    /// Lends so many threads.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        self.0.threads.store(threads, Ordering::Relaxed);
        self
    }

    /// Knows a secret.
    #[must_use]
    pub fn with_secret(self, name: &str, text: &str) -> Self {
        lock(&self.0.secrets).insert(name.to_owned(), Secret::new(text));
        self
    }

    /// What a plugin receives.
    #[must_use]
    pub fn services(&self) -> Services {
        Services::new(Arc::new(self.clone()))
    }

    /// The store that [`Services::store`] lends.
    #[must_use]
    pub fn memory_store(&self) -> &MemoryStore {
        &self.0.store
    }

    /// Raises the cancel flag.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// The lines logged so far.
    #[must_use]
    pub fn log_lines(&self) -> Vec<(Level, String)> {
        lock(&self.0.log).clone()
    }

    /// What [`Services::progress`] told last: done and total.
    #[must_use]
    pub fn last_progress(&self) -> Option<(u64, u64)> {
        *lock(&self.0.progress)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HostServices for MemoryServices {
    fn log(&self, level: Level, message: &str) {
        lock(&self.0.log).push((level, message.to_owned()));
    }

    fn progress(&self, done: u64, total: u64) {
        *lock(&self.0.progress) = Some((done, total));
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    fn threads(&self) -> usize {
        self.0.threads.load(Ordering::Relaxed).max(1)
    }

    fn encode(&self, text: &str, special: Special) -> Result<Vec<i32>> {
        Ok(lock(&self.0.tokenizer).encode(text, special).0)
    }

    fn encode_offsets(&self, text: &str, special: Special) -> Result<Encoded> {
        Ok(lock(&self.0.tokenizer).encode(text, special))
    }

    fn token_id(&self, token: &str) -> Option<i32> {
        lock(&self.0.tokenizer).token_id(token)
    }

    fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        lock(&self.0.tokenizer).decode(tokens)
    }

    fn tokenizer(&self) -> Result<TokenizerInfo> {
        Ok(lock(&self.0.tokenizer).info())
    }

    fn store(&self) -> Result<Arc<dyn StorageHandle>> {
        Ok(Arc::new(self.0.store.clone()))
    }

    fn secret(&self, name: &str) -> Result<Secret> {
        let known = lock(&self.0.secrets).get(name).cloned();
        known.ok_or_else(|| Error::config(format!("the config names no secret `{name}`")))
    }
}
