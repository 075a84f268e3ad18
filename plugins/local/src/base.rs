//! Base models: found by directory, mapped once, shared by every run and sampler over them.

use crate::{checkpoint::tensors::Dtype, model::Model, pool::Pool};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};
use tinsmith_plugin_api::{Error, Result};

/// A base model and where it lies.
#[derive(Debug)]
pub struct Base {
    /// The mapped model.
    pub model: Arc<Model>,
    /// Its directory, absolute and without links.
    pub dir: PathBuf,
    /// Its directory or name as the user wrote it.
    pub name: String,
    fingerprint: OnceLock<String>,
}

/// Files of up to this size are hashed whole.
const HASH_WHOLE: u64 = 16 << 20;
/// Of larger files, this many evenly spaced blocks are hashed.
const BLOCKS: u64 = 256;
const BLOCK: usize = 64 << 10;

impl Base {
    /// Tells base models apart: sha256 (hex) over `config.json` and the weight files; of large
    /// files their size and [`BLOCKS`] evenly spaced blocks, so that it costs no noticeable time.
    ///
    /// # Errors
    /// `io` if a file cannot be read.
    pub fn fingerprint(&self) -> Result<&str> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known);
        }
        let computed = fingerprint(&self.dir)?;
        Ok(self.fingerprint.get_or_init(|| computed))
    }

    /// How its embedding is stored. None if that cannot be told.
    pub fn dtype(&self) -> Option<Dtype> {
        let files = weight_files(&self.dir).ok()?;
        let dtype = files.iter().find_map(|path| embedding_dtype(path))?;
        Dtype::from_name(&dtype)
    }
}

/// The base models that are in use.
#[derive(Debug)]
pub struct Bases {
    pool: Arc<Pool>,
    known: Mutex<HashMap<PathBuf, Weak<Base>>>,
}

impl Bases {
    /// None yet. The pool's threads look through the weights of each.
    pub fn new(pool: Arc<Pool>) -> Self {
        Self { pool, known: Mutex::default() }
    }

    /// The base model in that directory, mapped at most once while anything uses it. Not to be
    /// called on a thread of the pool, which could come back here while it waits for the others.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open(&self, name: &str) -> Result<Arc<Base>> {
        let dir = Path::new(name);
        if !dir.is_dir() {
            return Err(Error::not_found(format!("no base model at `{name}`: not a directory"))
                .with_hint("the local trainer reads a directory in Hugging Face layout"));
        }
        let dir = std::fs::canonicalize(dir)
            .map_err(|e| Error::from(e).context(format!("open base model `{name}`")))?;
        let pool = self.pool.get()?;
        // Held while mapping, so that two runs that start together share one model.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = known.get(&dir).and_then(Weak::upgrade) {
            return Ok(base);
        }
        let model = pool
            .install(|| Model::open(&dir))
            .map_err(|e| e.context(format!("open base model `{name}`")))?;
        let base = Arc::new(Base {
            model,
            dir: dir.clone(),
            name: name.to_owned(),
            fingerprint: OnceLock::new(),
        });
        known.retain(|_, base| base.strong_count() > 0);
        known.insert(dir, Arc::downgrade(&base));
        Ok(base)
    }
}

/// The weight files of a directory, sorted by name.
fn weight_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("model") && name.ends_with(".safetensors") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn embedding_dtype(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut size = [0; 8];
    file.read_exact(&mut size).ok()?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(size)).read_to_end(&mut header).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
    header["model.embed_tokens.weight"]["dtype"].as_str().map(str::to_owned)
}

fn fingerprint(dir: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut files = vec![dir.join("config.json")];
    files.extend(weight_files(dir)?);
    for path in files {
        let doing = || format!("read `{}`", path.display());
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        hash.update(name.as_bytes());
        hash_file(&path, &mut hash).map_err(|e| Error::from(e).context(doing()))?;
    }
    Ok(crate::checkpoint::hex(&hash.finalize()))
}

fn hash_file(path: &Path, hash: &mut Sha256) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    hash.update(size.to_le_bytes());
    if size <= HASH_WHOLE {
        std::io::copy(&mut file, hash)?;
        return Ok(());
    }
    let mut block = vec![0; BLOCK];
    let last = size - BLOCK as u64;
    for i in 0..BLOCKS {
        file.seek(SeekFrom::Start(last * i / (BLOCKS - 1)))?;
        file.read_exact(&mut block)?;
        hash.update(&block);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinsmith_test_support::tiny_model::tiny_llama;

    #[test]
    fn a_base_is_shared_while_it_is_used_whatever_it_is_called() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("base");
        tiny_llama(&path, 1).unwrap();
        let bases = Bases::new(Arc::new(Pool::new(1)));
        let open = |path: &Path| bases.open(path.to_str().unwrap()).unwrap();
        let base = open(&path);
        assert!(Arc::ptr_eq(&base, &open(&dir.path().join("base/../base"))));
        let held = Arc::downgrade(&base);
        drop(base);
        assert!(held.upgrade().is_none(), "the cache alone keeps nothing in memory");
    }

    #[test]
    fn the_fingerprint_sees_config_and_weights_of_any_size() {
        let dir = tempfile::tempdir().unwrap();
        let weights = dir.path().join("model.safetensors");
        std::fs::write(dir.path().join("config.json"), "{}").unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for len in [0, 1, HASH_WHOLE as usize, HASH_WHOLE as usize + 1] {
            let mut bytes = vec![7; len];
            std::fs::write(&weights, &bytes).unwrap();
            assert!(seen.insert(fingerprint(dir.path()).unwrap()));
            if let Some(last) = bytes.last_mut() {
                *last = 8;
                std::fs::write(&weights, &bytes).unwrap();
                assert!(seen.insert(fingerprint(dir.path()).unwrap()));
            }
        }
        std::fs::write(dir.path().join("config.json"), "{ }").unwrap();
        assert!(seen.insert(fingerprint(dir.path()).unwrap()));
    }
}
