//! A store in memory, for tests of what writes through [`crate::Services::store`].

use crate::{Error, Result, StorageHandle, Upload};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Blobs in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<String, Arc<[u8]>>>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every key, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Replaces a blob without any of the protocol: to damage it in a test.
    pub fn overwrite(&self, key: &str, bytes: &[u8]) {
        self.lock().insert(key.to_owned(), bytes.into());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(key: &str) -> Result<()> {
    if key.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(Error::config(format!("`{key}` is no storage key")));
    }
    Ok(())
}

impl StorageHandle for MemoryStore {
    fn open(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>> {
        check(key)?;
        let Some(blob) = self.lock().get(key).cloned() else {
            return Err(Error::not_found(format!("no blob `{key}`")));
        };
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(blob.len());
        let mut reader = io::Cursor::new(blob);
        reader.set_position(from as u64);
        Ok(Box::new(reader))
    }

    fn create(&self, key: &str) -> Result<Box<dyn Upload>> {
        check(key)?;
        Ok(Box::new(Unfinished { store: self.clone(), key: key.to_owned(), bytes: Vec::new() }))
    }

    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        check(key)?;
        let mut blobs = self.lock();
        if blobs.contains_key(key) {
            return Ok(false);
        }
        blobs.insert(key.to_owned(), bytes.into());
        Ok(true)
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()> {
        // A copy: `visit` may come back to the store.
        let blobs = self.lock().clone();
        for (key, blob) in blobs.iter().filter(|(key, _)| key.starts_with(prefix)) {
            if !visit(key, blob.len() as u64) {
                break;
            }
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        check(key)?;
        self.lock().remove(key);
        Ok(())
    }

    fn exists(&self, key: &str) -> Result<bool> {
        check(key)?;
        Ok(self.lock().contains_key(key))
    }
}

struct Unfinished {
    store: MemoryStore,
    key: String,
    bytes: Vec<u8>,
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for Unfinished {
    fn commit(self: Box<Self>) -> Result<u64> {
        let bytes = self.bytes.len() as u64;
        self.store.lock().insert(self.key, self.bytes.into());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_as_every_backend_must() {
        super::super::check_store(&(Arc::new(MemoryStore::new()) as Arc<dyn StorageHandle>));
    }
}
