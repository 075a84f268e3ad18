//! All files of a checkpoint in one, for clients that know no other way.

use super::{FILES, File};
use crate::{
    Error, Result, runs,
    serve::{app::App, checkpoints::Record},
};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Its name.
pub const ARCHIVE: &str = "archive.tar";
/// Clients of the archive insist on it.
const MARKER: &str = "checkpoint_complete";
const FACTS: &str = "archive.json";

/// Makes the archive of a checkpoint, if need be.
///
/// # Errors
/// As [`super::files`].
pub fn archive(app: &App, record: &Record) -> Result<File> {
    let files = super::files(app, record)?;
    let folder = app.disk.export(&record.name);
    if let Some(facts) = facts(&folder) {
        return Ok(facts);
    }
    let path = folder.join(ARCHIVE);
    let io = |e: io::Error| Error::io("write", &path, &e);
    let out = tempfile::NamedTempFile::new_in(&folder).map_err(io)?;
    let mut tar = tar::Builder::new(Hashed { out, hash: Sha256::new(), bytes: 0 });
    for file in &files {
        let from = folder.join(FILES).join(&file.name);
        let bytes = fs::File::open(&from).map_err(|e| Error::io("read", &from, &e))?;
        tar.append_data(&mut header(file.bytes), &file.name, bytes).map_err(io)?;
    }
    tar.append_data(&mut header(0), MARKER, io::empty()).map_err(io)?;
    let Hashed { out, hash, bytes } = tar.into_inner().map_err(io)?;
    out.as_file().sync_all().map_err(io)?;
    out.persist(&path).map_err(|e| io(e.error))?;
    let facts = File { name: ARCHIVE.into(), bytes, sha256: format!("{:x}", hash.finalize()) };
    let text = serde_json::to_vec(&facts).map_err(|e| Error::failed(e.to_string()))?;
    runs::replace(&folder.join(FACTS), &text)?;
    Ok(facts)
}

/// What is known of an archive that is ready.
pub fn facts(folder: &Path) -> Option<File> {
    serde_json::from_slice(&fs::read(folder.join(FACTS)).ok()?).ok()
}

/// The same files give the same archive: no times, no owners.
fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::Regular);
    header
}

struct Hashed {
    out: tempfile::NamedTempFile,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
