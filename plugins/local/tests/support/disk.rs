//! A disk that fills up.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tinsmith_plugin_api::{
    Encoded, HostServices, Level, Result, Secret, Special, StorageHandle, TokenizerInfo, Upload,
    testing::MemoryServices,
};

/// A host whose store takes so many files more.
pub struct Disk {
    host: MemoryServices,
    pub room: Arc<AtomicUsize>,
}

impl Default for Disk {
    fn default() -> Self {
        Self { host: MemoryServices::new(), room: Arc::new(AtomicUsize::new(usize::MAX)) }
    }
}

impl StorageHandle for Disk {
    fn open(&self, key: &str, from: u64) -> Result<Box<dyn io::Read + Send>> {
        self.host.memory_store().open(key, from)
    }
    fn create(&self, key: &str) -> Result<Box<dyn Upload>> {
        let left = self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        left.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        self.host.memory_store().create(key)
    }
    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        self.host.memory_store().create_if_absent(key, bytes)
    }
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()> {
        self.host.memory_store().list(prefix, visit)
    }
    fn delete(&self, key: &str) -> Result<()> {
        self.host.memory_store().delete(key)
    }
    fn exists(&self, key: &str) -> Result<bool> {
        self.host.memory_store().exists(key)
    }
}

impl HostServices for Disk {
    fn log(&self, _: Level, _: &str) {}
    fn progress(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
    fn threads(&self) -> usize {
        2
    }
    fn encode(&self, text: &str, special: Special) -> Result<Vec<i32>> {
        self.host.encode(text, special)
    }
    fn encode_offsets(&self, text: &str, special: Special) -> Result<Encoded> {
        self.host.encode_offsets(text, special)
    }
    fn token_id(&self, _: &str) -> Option<i32> {
        None
    }
    fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        self.host.decode_bytes(tokens)
    }
    fn tokenizer(&self) -> Result<TokenizerInfo> {
        self.host.tokenizer()
    }
    fn store(&self) -> Result<Arc<dyn StorageHandle>> {
        Ok(Arc::new(Self { host: self.host.clone(), room: Arc::clone(&self.room) }))
    }
    fn secret(&self, name: &str) -> Result<Secret> {
        self.host.secret(name)
    }
}
