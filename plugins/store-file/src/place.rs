//! From keys to paths: links, folders, and errors that say which key and which folder.

use crate::keys;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// The folder that holds a store.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where `key` lies.
    ///
    /// The root itself may be a symbolic link, or lie behind one: it is the user's to choose. Below
    /// it links are refused, both folders and files: a link could lead a key out of the root.
    pub(crate) fn resolve(&self, key: &str) -> Result<PathBuf> {
        keys::check(key)?;
        let mut path = self.0.clone();
        for part in key.split('/') {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_symlink() => {
                    return Err(Error::new(
                        ErrorKind::IO,
                        format!("`{}` is a symbolic link", path.display()),
                    )
                    .with_hint("the folder of a store itself may be a link, nothing below it"));
                }
                Ok(_) => {}
                // Nothing there, so nothing below it either; or a file, where the caller's own
                // call gives the better error.
                Err(e) if is_absent(&e) => return Ok(self.0.join(key)),
                Err(e) => return Err(self.explain("read", key, &e)),
            }
        }
        Ok(path)
    }

    /// Makes the folder that will hold `path`, durably, and answers it.
    pub(crate) fn folder_for(&self, path: &Path) -> io::Result<PathBuf> {
        let folder = path.parent().unwrap_or(&self.0).to_path_buf();
        make_folder(&folder)?;
        Ok(folder)
    }

    /// Removes the folders between `path` and the root that have become empty. Best effort: a
    /// folder in which another write has begun is not empty, and stays.
    pub(crate) fn prune(&self, path: &Path) {
        let above = path.ancestors().skip(1);
        for folder in above.take_while(|folder| *folder != self.0 && folder.starts_with(&self.0)) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }

    /// One line for what the system refused, with a hint where there is something to do.
    pub(crate) fn explain(&self, verb: &str, key: &str, e: &io::Error) -> Error {
        let root = self.0.display();
        let fail = |why: String| Error::new(ErrorKind::IO, format!("cannot {verb} `{key}`: {why}"));
        match e.kind() {
            io::ErrorKind::NotFound => Error::not_found(format!("there is no `{key}` in `{root}`")),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                fail(format!("the disk of `{root}` is full"))
                    .with_hint("free some space, or choose another folder with `--output`")
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                fail(format!("the file system of `{root}` is read-only"))
                    .with_hint("choose another folder with `--output`")
            }
            io::ErrorKind::PermissionDenied => fail(format!("permission denied in `{root}`"))
                .with_hint("check who owns the folder, or choose another with `--output`"),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                fail(format!("a part of it is a file in `{root}`"))
            }
            io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => {
                fail(format!("it is a folder in `{root}`"))
            }
            _ => fail(format!("{e} (in `{root}`)")),
        }
    }
}

/// Whether the error only says that the thing, or a folder above it, does not exist.
pub(crate) fn is_absent(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes a folder and those above it; each new name is synced into its parent, so that a file that
/// was committed into it cannot lose its folder.
fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return if folder.is_dir() { Ok(()) } else { Err(e) };
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            match folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                Some(parent) => make_folder(parent)?,
                None => return Err(e),
            }
            match fs::create_dir(folder) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        }
        Err(e) => return Err(e),
    }
    sync_folder(folder.parent().unwrap_or(folder))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Only Unix opens folders; elsewhere the system keeps names on its own.
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_read_only_disk_is_one_clear_line() {
        let root = Root::new("/data/run".into());
        let explain = |kind: io::ErrorKind| root.explain("write", "a/b", &kind.into());
        let full = explain(io::ErrorKind::StorageFull);
        assert_eq!(full.to_string(), "cannot write `a/b`: the disk of `/data/run` is full");
        assert_eq!(full.kind(), ErrorKind::IO);
        assert!(full.hint().is_some());
        let read_only = explain(io::ErrorKind::ReadOnlyFilesystem);
        assert_eq!(
            read_only.to_string(),
            "cannot write `a/b`: the file system of `/data/run` is read-only"
        );
    }
}
