//! Model files, mapped into memory. The one place of this crate that needs `unsafe`.

use memmap2::Mmap;
use std::{fs::File, path::Path};
use tinsmith_plugin_api::{Error, Result};

/// Maps a file to read from.
///
/// # Errors
/// `not_found` or `io`.
#[allow(unsafe_code)]
pub(super) fn map(path: &Path) -> Result<Mmap> {
    let doing = || format!("open `{}`", path.display());
    let file = File::open(path).map_err(|e| Error::from(e).context(doing()))?;
    // SAFETY: the mapping is read-only and private, and every value in it is valid as bytes, u16 or
    // f32. What cannot be ruled out is another process that shortens or rewrites the file while it
    // is mapped; like every program that maps weights, we require model files to be left alone.
    unsafe { Mmap::map(&file) }.map_err(|e| Error::from(e).context(doing()))
}
