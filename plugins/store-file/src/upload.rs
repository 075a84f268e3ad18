//! One write: temporary file, sync, rename, sync of the folder.

use crate::{
    keys::TEMPORARY,
    place::{Root, sync_folder},
};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use tempfile::{NamedTempFile, TempPath};
use tinsmith_plugin_api::{Error, Result, Upload, failpoint};

/// Bytes collected before the system is called.
const BUFFER: usize = 128 * 1024;

/// An unfinished write. Dropping it removes the temporary file and the folders made for it.
#[derive(Debug)]
pub(crate) struct FileUpload {
    root: Root,
    key: String,
    path: PathBuf,
    folder: PathBuf,
    /// `None` once it was committed.
    file: Option<(BufWriter<File>, TempPath)>,
    written: u64,
}

impl FileUpload {
    /// Begins a write to `key`, which is to lie at `path`.
    pub(crate) fn begin(root: &Root, key: &str, path: PathBuf) -> Result<Self> {
        let explain = |e: io::Error| match e.kind() {
            // A folder that cannot be made is not an absent key.
            io::ErrorKind::NotFound => root.explain("write", key, &io::Error::other(e)),
            _ => root.explain("write", key, &e),
        };
        let (folder, file) = temporary_beside(root, &path).map_err(explain)?;
        failpoint!("store-file:created");
        let (file, temporary) = file.into_parts();
        let file = Some((BufWriter::with_capacity(BUFFER, file), temporary));
        Ok(Self { root: root.clone(), key: key.to_owned(), path, folder, file, written: 0 })
    }

    /// Makes the file durable under its temporary name.
    fn finish(&mut self) -> io::Result<TempPath> {
        let gone = || io::Error::other("the upload was finished before");
        let (writer, temporary) = self.file.take().ok_or_else(gone)?;
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        failpoint!("store-file:before-sync");
        file.sync_all()?;
        failpoint!("store-file:before-rename");
        Ok(temporary)
    }

    /// Makes the name durable. If that fails the blob is visible all the same: a rename cannot be
    /// taken back without losing what it replaced.
    fn settle(&self) -> io::Result<u64> {
        failpoint!("store-file:renamed");
        sync_folder(&self.folder)?;
        failpoint!("store-file:synced");
        Ok(self.written)
    }

    /// Commits unless the key is there. False: it was, and nothing changed.
    pub(crate) fn commit_if_absent(mut self) -> Result<bool> {
        let temporary = self.finish().map_err(|e| self.explain(&e))?;
        match temporary.persist_noclobber(&self.path) {
            Ok(()) => self.settle().map(|_| true).map_err(|e| self.explain(&e)),
            // The name is taken, but a folder is no blob of this key.
            Err(_) if self.path.is_dir() => Err(self.explain(&io::ErrorKind::IsADirectory.into())),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(self.explain(&e.error)),
        }
    }

    fn explain(&self, e: &io::Error) -> Error {
        self.root.explain("write", &self.key, e)
    }

    /// The same in the shape that [`Write`] wants.
    fn in_write(&self, e: &io::Error) -> io::Error {
        io::Error::new(e.kind(), self.explain(e))
    }
}

impl Write for FileUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        failpoint!("store-file:before-write");
        let Some((writer, _)) = &mut self.file else {
            return Err(io::Error::other("the upload was finished before"));
        };
        let written = writer.write(bytes).map_err(|e| self.in_write(&e))?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some((writer, _)) => writer.flush().map_err(|e| self.in_write(&e)),
            None => Ok(()),
        }
    }
}

impl Upload for FileUpload {
    fn commit(mut self: Box<Self>) -> Result<u64> {
        let temporary = self.finish().map_err(|e| self.explain(&e))?;
        temporary.persist(&self.path).map_err(|e| self.explain(&e.error))?;
        self.settle().map_err(|e| self.explain(&e))
    }
}

impl Drop for FileUpload {
    fn drop(&mut self) {
        // The temporary file first: it keeps its folder from being empty.
        self.file = None;
        self.root.prune(&self.path);
    }
}

/// A new temporary file in the folder of `path`. Between making the folder and the file, another
/// upload's end may remove the folder again; then both are made anew.
fn temporary_beside(root: &Root, path: &Path) -> io::Result<(PathBuf, NamedTempFile)> {
    let mut attempts = 0;
    loop {
        let folder = root.folder_for(path)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        // As an ordinary new file, not private to the user: an adapter is made to be shared.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        match builder.tempfile_in(&folder) {
            Ok(file) => return Ok((folder, file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound && attempts < 8 => attempts += 1,
            // `tempfile` adds the path of the temporary file to the message; the key says more.
            Err(e) => {
                return Err(e.raw_os_error().map_or(e.kind().into(), io::Error::from_raw_os_error));
            }
        }
    }
}
