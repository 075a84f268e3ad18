//! Whether a file is still what it was, as far as its size and the time of its last change tell.

use std::{
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

/// Size in bytes and time of the last change, since the epoch. None: there is no such file.
pub fn stamp(path: &Path) -> Option<(u64, Duration)> {
    let facts = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((facts.len(), facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?))
}
