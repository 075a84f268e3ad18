//! Where a server keeps what must outlive it. Every file is replaced whole.
//!
//! ```text
//! STATE/server.key                 what addresses of downloads are signed with
//! STATE/lock                       held by the server that runs
//! STATE/usage.jsonl                what was spent, operation by operation
//! STATE/sessions/ID.json           a session, its models and its sampling sessions
//! STATE/checkpoints/NAME.json      what a client knows of a checkpoint
//! STATE/pending/NAME.json          a checkpoint that has no record yet, or not any more
//! STATE/store/MODEL/…              the checkpoints themselves, as the trainer writes them
//! STATE/logs/MODEL/…               what models were asked to do, for a server that is killed
//! STATE/exports/NAME/…             files made ready for download
//! ```

use super::ids;
use crate::{Error, Result, runs};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder of a server.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Makes the folders.
    ///
    /// # Errors
    /// `failed` that names the path.
    pub fn open(root: &Path) -> Result<Self> {
        runs::create_folder(root)?;
        let root = root.canonicalize().map_err(|e| Error::io("read", root, &e))?;
        let disk = Self { root };
        for folder in ["sessions", "checkpoints", "store", "exports", "logs", "pending"] {
            runs::create_folder(&disk.root.join(folder))?;
        }
        Ok(disk)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the checkpoints over a base model lie. Names may hold anything; folders may not.
    pub fn store(&self, model: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = model.chars().map(plain).collect();
        let hash = crc32fast::hash(model.as_bytes());
        self.root.join("store").join(format!("{}-{hash:08x}", name.trim_matches(['.', '-'])))
    }

    /// Where the log of a model lies. Their ids are random hex, words and colons.
    pub fn log(&self, model: &str) -> PathBuf {
        self.root.join("logs").join(model.replace(':', "-"))
    }

    /// What was spent.
    pub fn usage(&self) -> PathBuf {
        self.root.join("usage.jsonl")
    }

    /// Where files are made ready for download.
    pub fn export(&self, name: &str) -> PathBuf {
        self.root.join("exports").join(name)
    }

    /// Writes an item of `kind`.
    ///
    /// # Errors
    /// `failed` that names the path.
    pub fn write(&self, kind: &str, name: &str, item: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(item)
            .map_err(|e| Error::failed(format!("write {kind} `{name}`: {e}")))?;
        runs::replace(&self.file(kind, name), &text)
    }

    /// Removes an item, if it is there.
    ///
    /// # Errors
    /// `failed` that names the path.
    pub fn remove(&self, kind: &str, name: &str) -> Result<()> {
        let path = self.file(kind, name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", path, &e))
            }
            _ => Ok(()),
        }
    }

    /// Every item of `kind`.
    ///
    /// # Errors
    /// `failed` that names the file that cannot be read.
    pub fn read_all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        let folder = self.root.join(kind);
        let entries = fs::read_dir(&folder).map_err(|e| Error::io("read", &folder, &e))?;
        let mut items = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::io("read", &folder, &e))?.path();
            // Temporary files of a write that was cut off begin with a dot.
            let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
            if hidden || path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let bytes = fs::read(&path).map_err(|e| Error::io("read", &path, &e))?;
            items.push(serde_json::from_slice(&bytes).map_err(|e| {
                Error::failed(format!("not what this version writes: {e}"))
                    .place(&path, None, None)
                    .hint("move the file away, or choose another folder with `--state`")
            })?);
        }
        Ok(items)
    }

    /// The key that addresses are signed with, made once.
    ///
    /// # Errors
    /// `failed` that names the path.
    pub fn key(&self) -> Result<Vec<u8>> {
        let path = self.root.join("server.key");
        match fs::read(&path) {
            Ok(key) if key.len() == 32 => return Ok(key),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("read", path, &e)),
        }
        let mut key = vec![0; 32];
        ids::fill(&mut key)?;
        runs::replace(&path, &key)?;
        // Nobody else may sign.
        #[cfg(unix)]
        fs::set_permissions(&path, runs::open_to(0o600))
            .map_err(|e| Error::io("protect", &path, &e))?;
        Ok(key)
    }

    /// Session ids are random hex and colons: they are file names as they are.
    fn file(&self, kind: &str, name: &str) -> PathBuf {
        self.root.join(kind).join(format!("{name}.json"))
    }
}
