//! What is known of a library that was loaded before and has not been touched since: its hash and
//! its symbol. Reading and hashing megabytes is most of the time that loading a plugin takes.
//!
//! A note is believed if device, inode, size and both times of the file are as they were. Only
//! somebody with the user's rights could make a changed file look so, and only by turning the clock
//! back. A file that was changed a moment ago is not noted: a second change could share its times.

use serde::{Deserialize, Serialize};
use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Younger files are hashed each time.
const SETTLED: Duration = Duration::from_secs(2);

/// What is known of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The file, as it was.
    path: PathBuf,
    identity: Identity,
    /// sha256 of the library, in hex.
    pub sha256: String,
    /// The plugin's symbol that was found in it.
    pub symbol: String,
}

/// What changes whenever a file is replaced or written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Seen {
    /// Size of the library.
    pub(super) fn bytes(&self) -> u64 {
        self.identity.bytes
    }

    /// What is known of the file at `path`, if it has not changed.
    pub(super) fn recall(folder: &Path, path: &Path) -> Option<Self> {
        let identity = identity(&std::fs::metadata(path).ok()?)?;
        let text = std::fs::read(note(folder, path)).ok()?;
        let seen: Self = serde_json::from_slice(&text).ok()?;
        (seen.path == path && seen.identity == identity).then_some(seen)
    }

    /// Notes what was learnt of a file, whose facts were taken before it was read. Without a note it
    /// is only slower, so that a failure to write one is none.
    pub(super) fn note(folder: &Path, path: &Path, facts: &Metadata, sha256: &str, symbol: &str) {
        let settled = [facts.modified(), changed(facts)].into_iter().all(|time| {
            let age = time.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
            age.is_some_and(|age| age > SETTLED)
        });
        let Some(identity) = identity(facts).filter(|_| settled) else { return };
        let (sha256, symbol) = (sha256.to_owned(), symbol.to_owned());
        let seen = Self { path: path.to_owned(), identity, sha256, symbol };
        if let Ok(text) = serde_json::to_vec(&seen) {
            let _ = crate::runs::replace(&note(folder, path), &text);
        }
    }
}

/// The name of the note about a path.
fn note(folder: &Path, path: &Path) -> PathBuf {
    let name = super::cache::hex_sha256(path.as_os_str().as_encoded_bytes());
    folder.join(format!("{}.seen", &name[..32]))
}

#[cfg(unix)]
fn identity(facts: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
    Some(Identity {
        device: facts.dev(),
        inode: facts.ino(),
        bytes: facts.len(),
        modified_ns: ns(facts.mtime(), facts.mtime_nsec()),
        changed_ns: ns(facts.ctime(), facts.ctime_nsec()),
    })
}

#[cfg(unix)]
fn changed(facts: &Metadata) -> std::io::Result<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(facts.ctime()).map_err(std::io::Error::other)?;
    Ok(SystemTime::UNIX_EPOCH + Duration::new(seconds, facts.ctime_nsec() as u32))
}

/// Elsewhere no file is ever known.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}

#[cfg(not(unix))]
fn changed(facts: &Metadata) -> std::io::Result<SystemTime> {
    facts.modified()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};

    #[test]
    fn a_changed_file_is_not_recalled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.so");
        std::fs::write(&path, b"one").unwrap();
        let facts = std::fs::metadata(&path).unwrap();
        let seen = Seen {
            path: path.clone(),
            identity: identity(&facts).unwrap(),
            sha256: "s".to_owned(),
            symbol: "t".to_owned(),
        };
        std::fs::write(note(folder.path(), &path), serde_json::to_vec(&seen).unwrap()).unwrap();
        assert_eq!(Seen::recall(folder.path(), &path), Some(seen));
        // Another file of the same size and time of modification, as `cp -p` makes it.
        let other = folder.path().join("other");
        std::fs::write(&other, b"two").unwrap();
        let times = FileTimes::new().set_modified(facts.modified().unwrap());
        File::options().write(true).open(&other).unwrap().set_times(times).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(Seen::recall(folder.path(), &path), None);
    }

    #[test]
    fn a_file_changed_a_moment_ago_is_not_noted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.so");
        std::fs::write(&path, b"one").unwrap();
        let facts = std::fs::metadata(&path).unwrap();
        Seen::note(folder.path(), &path, &facts, "s", "t");
        assert_eq!(Seen::recall(folder.path(), &path), None);
    }
}
