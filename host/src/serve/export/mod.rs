//! Checkpoints as files to take away: made once, then fetched by signed addresses.
//!
//! ```text
//! STATE/exports/NAME/files/…        as the trainer exports them
//! STATE/exports/NAME/files.json     their sizes and sha256
//! STATE/exports/NAME/archive.tar    the same in one file, with a marker that it is whole
//! ```

mod archive;

pub use archive::{ARCHIVE, archive};

use super::{app::App, checkpoints::Record};
use crate::{
    Error, Result,
    runs::{self, Staging},
};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};
use tinsmith_plugin_api::Export;

const FACTS: &str = "files.json";
const FILES: &str = "files";

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its relative name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its sha256 (hex).
    pub sha256: String,
}

/// The files of a checkpoint, made if need be.
///
/// # Errors
/// `failed` if the trainer cannot export it, or it cannot be written.
pub fn files(app: &App, record: &Record) -> Result<Vec<File>> {
    let folder = app.disk.export(&record.name);
    if let Some(facts) = facts(&folder) {
        return Ok(facts);
    }
    let base = app.base(&record.base)?;
    runs::create_folder(&folder)?;
    let mut staging = Staging::new(&folder.join(FILES))?;
    base.trainer.export(&record.uri, Export::Adapter, &mut staging)?;
    let hashes = staging.commit()?;
    let size = |name: &str| {
        let path = folder.join(FILES).join(name);
        fs::metadata(&path).map(|facts| facts.len()).map_err(|e| Error::io("read", path, &e))
    };
    let file = |(name, sha256): (String, String)| Ok(File { bytes: size(&name)?, name, sha256 });
    let facts = hashes.into_iter().map(file).collect::<Result<Vec<_>>>()?;
    let text = serde_json::to_vec(&facts).map_err(|e| Error::failed(e.to_string()))?;
    runs::replace(&folder.join(FACTS), &text)?;
    Ok(facts)
}

/// What is known of the files that are ready.
pub fn facts(folder: &Path) -> Option<Vec<File>> {
    serde_json::from_slice(&fs::read(folder.join(FACTS)).ok()?).ok()
}

/// Where a file that is ready lies, and what is known of it. `name` comes from outside: only names
/// that the facts list are looked for.
pub fn find(app: &App, checkpoint: &str, name: &str) -> Option<(std::path::PathBuf, File)> {
    let plain = !checkpoint.is_empty() && checkpoint.bytes().all(|b| b.is_ascii_alphanumeric());
    let folder = app.disk.export(checkpoint);
    let known = plain.then(|| facts(&folder))??;
    if name == ARCHIVE {
        let archive = archive::facts(&folder)?;
        return Some((folder.join(ARCHIVE), archive));
    }
    let file = known.into_iter().find(|file| file.name == name)?;
    Some((folder.join(FILES).join(name), file))
}
