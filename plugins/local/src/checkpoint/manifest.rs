//! The list of a checkpoint's files with their sha256, written last: no manifest, no checkpoint.

use super::{hex, place::Place};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};
use tinsmith_plugin_api::{Error, ErrorKind, Result, StorageHandle, Upload};

pub const MANIFEST: &str = "manifest.json";
const FORMAT: u32 = 1;

/// What a checkpoint consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// By name, relative to the checkpoint.
    pub files: BTreeMap<String, Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { format: FORMAT, files: BTreeMap::new() }
    }
}

impl Manifest {
    /// Writes one file of the checkpoint and notes its sha256.
    pub fn add(
        &mut self,
        store: &dyn StorageHandle,
        place: &Place,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let key = place.key(name);
        let doing = |e: Error| e.context(format!("write `{key}`"));
        let mut out = Hashed { inner: store.create(&key).map_err(doing)?, hash: Sha256::new() };
        write(&mut out).map_err(Error::from).map_err(doing)?;
        let bytes = out.inner.commit().map_err(doing)?;
        let sha256 = hex(&out.hash.finalize());
        self.files.insert(name.into(), Entry { bytes, sha256 });
        Ok(())
    }

    /// Writes the manifest itself, which makes the checkpoint count. Answers its sha256.
    pub fn commit(&self, store: &dyn StorageHandle, place: &Place) -> Result<String> {
        let text = format!("{:#}\n", serde_json::to_value(self)?);
        let key = place.key(MANIFEST);
        store.put(&key, text.as_bytes()).map_err(|e| e.context(format!("write `{key}`")))?;
        Ok(hex(&Sha256::digest(text.as_bytes())))
    }

    /// Reads the manifest of a checkpoint.
    ///
    /// # Errors
    /// `not_found` where there is none, `data` if it is damaged.
    pub fn read(store: &dyn StorageHandle, place: &Place) -> Result<Self> {
        let key = place.key(MANIFEST);
        let bytes = store.get(&key).map_err(|e| match e.kind() {
            ErrorKind::NOT_FOUND => Error::not_found(format!("there is no checkpoint `{place}`"))
                .with_hint("a checkpoint without `manifest.json` was never finished"),
            _ => e.context(format!("read `{key}`")),
        })?;
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|e| damaged(&key, &e.to_string()))?;
        if manifest.format != FORMAT {
            return Err(Error::unsupported(format!(
                "`{key}` has format {}, this version reads format {FORMAT}",
                manifest.format
            ))
            .with_hint("use the version of tinsmith that wrote it, or a newer one"));
        }
        Ok(manifest)
    }

    /// Size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// Hands the bytes of a file to `visit` and compares them with the manifest at the end.
    ///
    /// # Errors
    /// `data`, naming the file, if it is missing or differs; whatever `visit` answers.
    pub fn stream(
        &self,
        store: &dyn StorageHandle,
        place: &Place,
        name: &str,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let key = place.key(name);
        let Some(entry) = self.files.get(name) else {
            return Err(damaged(&key, "it is not in the manifest"));
        };
        let mut reader = store.open(&key, 0).map_err(|e| match e.kind() {
            ErrorKind::NOT_FOUND => damaged(&key, "it is missing"),
            _ => e.context(format!("read `{key}`")),
        })?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::from(e).context(format!("read `{key}`"))),
            };
            bytes += n as u64;
            hash.update(&buffer[..n]);
            visit(&buffer[..n])?;
        }
        if bytes != entry.bytes {
            return Err(damaged(&key, &format!("{bytes} bytes instead of {}", entry.bytes)));
        }
        if hex(&hash.finalize()) != entry.sha256 {
            return Err(damaged(&key, "its sha256 is not the manifest's"));
        }
        Ok(())
    }

    /// Checks every file and keeps the bytes of those that `wanted` names.
    pub fn read_all(
        &self,
        store: &dyn StorageHandle,
        place: &Place,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut kept = BTreeMap::new();
        for (name, entry) in &self.files {
            if wanted(name) {
                // The manifest's own bytes are not checked by anyone: its sizes may be anything.
                let mut all = Vec::new();
                usize::try_from(entry.bytes)
                    .ok()
                    .and_then(|bytes| all.try_reserve_exact(bytes).ok())
                    .ok_or_else(|| {
                        let size = format!("{} bytes do not fit in memory", entry.bytes);
                        damaged(&place.key(name), &size)
                    })?;
                self.stream(store, place, name, &mut |bytes| {
                    all.extend_from_slice(bytes);
                    Ok(())
                })?;
                kept.insert(name.clone(), all);
            } else {
                self.stream(store, place, name, &mut |_| Ok(()))?;
            }
        }
        Ok(kept)
    }
}

/// A checkpoint that is not as it was written.
pub fn damaged(key: &str, why: &str) -> Error {
    Error::data(format!("`{key}` is damaged: {why}")).with_hint("go on from an earlier checkpoint")
}

struct Hashed {
    inner: Box<dyn Upload>,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
