//! Private copies of libraries, named by their hash: what is loaded is what was hashed.

use super::{
    dirs::{self, Places},
    trust,
};
use crate::{Error, Result, env, runs};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// Larger files are no plugins.
const MOST_BYTES: u64 = 2 << 30;

/// A library, read once.
pub(super) struct Library {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// sha256 of the bytes, in hex.
    pub sha256: String,
    /// What the system said of the file before it was read.
    pub facts: fs::Metadata,
}

/// sha256, in hex.
pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder of private copies, made if there is none yet.
pub(super) fn folder(places: &Places) -> Result<&Path> {
    let folder = dirs::required(&places.cache, env::XDG_CACHE_HOME)?;
    private_folder(folder)?;
    Ok(folder)
}

/// Whether a copy is there and whole. The folder is private, so that only an interrupted write or a
/// damaged disk could have changed it; writes are whole or absent.
pub(super) fn is_whole(copy: &Path, bytes: u64) -> bool {
    fs::symlink_metadata(copy).is_ok_and(|facts| facts.is_file() && facts.len() == bytes)
}

/// The path of the private copy of a library.
pub(super) fn copy_of(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(format!("{sha256}{}", std::env::consts::DLL_SUFFIX))
}

impl Library {
    /// Reads and hashes a library. Whose it is and who may write to it is asked of the file that was
    /// opened: another one may have taken its name since the path was looked at.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let io = |e: std::io::Error| Error::io("read", path, &e);
        let file = File::open(path).map_err(io)?;
        let facts = file.metadata().map_err(io)?;
        trust::check_facts(path, &facts)?;
        if !facts.is_file() || facts.len() > MOST_BYTES {
            return Err(Error::failed("it is no file of the size of a library")
                .hint("name the `.so` file that `cargo build --release` made"));
        }
        let mut bytes = Vec::with_capacity(facts.len() as usize + 1);
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(io)?;
        let sha256 = hex_sha256(&bytes);
        Ok(Self { bytes, sha256, facts })
    }

    /// The path of a private copy, made if there is none yet.
    pub(super) fn private_copy(&self, folder: &Path) -> Result<PathBuf> {
        let path = copy_of(folder, &self.sha256);
        if !is_whole(&path, self.bytes.len() as u64) {
            self.write(folder, &path).map_err(|e| Error::io("write", &path, &e))?;
        }
        Ok(path)
    }

    fn write(&self, folder: &Path, path: &Path) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
        file.write_all(&self.bytes)?;
        read_and_execute_only(file.as_file())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    }
}

#[cfg(unix)]
fn read_and_execute_only(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o500))
}

#[cfg(not(unix))]
fn read_and_execute_only(file: &File) -> std::io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// Creates the folder for its owner alone, or checks that it is so.
#[cfg(unix)]
fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    if let Some(parent) = folder.parent() {
        runs::create_folder(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(Error::io("create the folder", folder, &e)),
    }
    let facts = fs::symlink_metadata(folder).map_err(|e| Error::io("read", folder, &e))?;
    let ours = facts.uid() == rustix::process::geteuid().as_raw();
    if !facts.is_dir() || !ours || facts.mode() & 0o022 != 0 {
        let shown = folder.display();
        return Err(Error::failed(format!("`{shown}` is no private folder"))
            .hint(format!("delete `{shown}`; it only holds copies of plugins")));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> Result<()> {
    runs::create_folder(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_opened_file_is_judged_whatever_was_found_at_its_path_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.so");
        fs::write(&path, b"a library").unwrap();
        trust::check_owner(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let e = Library::read(&path).map(|_| ()).unwrap_err();
        assert!(e.to_string().contains("others can write to"), "{e}");
    }
}
