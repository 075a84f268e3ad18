//! Receives an exported adapter: into a folder beside its place, which becomes visible whole.

use super::durable;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Write},
    path::{Component, Path, PathBuf},
};
use tempfile::TempDir;
use tinsmith_plugin_api::{Error as PluginError, ErrorKind, FileSink, failpoint};

/// A folder in the making. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    dest: PathBuf,
    open: Option<Open>,
    files: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Open {
    name: String,
    file: File,
    hash: Sha256,
}

impl Staging {
    /// Begins a folder that will stand at `dest`.
    ///
    /// # Errors
    /// `failed` if nothing can be written beside it.
    pub fn new(dest: &Path) -> Result<Self> {
        let beside = match dest.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        durable::create_folder(beside)?;
        let mut builder = tempfile::Builder::new();
        let prefix = durable::temporary_for(dest);
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(durable::open_to(0o777));
        let folder = builder.tempdir_in(beside).map_err(|e| Error::io("write in", beside, &e))?;
        Ok(Self { folder, dest: dest.to_owned(), open: None, files: BTreeMap::new() })
    }

    /// sha256 (hex) of every file that was finished, by name.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// Reads every file back, compares its sha256 with what was streamed, and puts the folder in
    /// its place. An earlier folder there is replaced if it holds nothing but files of an export.
    /// Answers the sha256 of every file by name.
    ///
    /// # Errors
    /// `failed` if a file was not finished, differs from what was streamed, or cannot be put there.
    pub fn commit(mut self) -> Result<BTreeMap<String, String>> {
        if let Some(open) = &self.open {
            return Err(Error::failed(format!("the export ended within `{}`", open.name)));
        }
        if self.files.is_empty() {
            return Err(Error::failed("the export holds no file"));
        }
        for (name, expected) in &self.files {
            let path = self.folder.path().join(name);
            let found = sha256_of(&path)?;
            if found != *expected {
                return Err(Error::failed(format!("`{name}` changed while it was written"))
                    .hint("check the disk, then download again"));
            }
        }
        let io = |e: std::io::Error| Error::io("write", &self.dest, &e);
        durable::sync_folder(self.folder.path()).map_err(io)?;
        failpoint!("export:staged");
        self.check_place()?;
        durable::replace_folder(self.folder.path(), &self.dest).map_err(io)?;
        failpoint!("export:replaced");
        if let Some(beside) = self.dest.parent().filter(|p| !p.as_os_str().is_empty()) {
            durable::sync_folder(beside).map_err(io)?;
        }
        failpoint!("export:done");
        // Dropped here, the staging folder takes the earlier export with it.
        Ok(std::mem::take(&mut self.files))
    }

    /// Refuses to replace an earlier export that holds something else.
    ///
    /// # Errors
    /// `usage` that names the file that differs.
    pub fn check_same(&self) -> Result<()> {
        for (name, expected) in &self.files {
            let path = self.dest.join(name);
            if path.is_file() && sha256_of(&path)? != *expected {
                return Err(Error::usage(format!("`{}` is of another adapter", path.display()))
                    .hint(
                        "choose another folder with `--dest`, or put it there with `--replace`",
                    ));
            }
        }
        Ok(())
    }

    /// Refuses to replace anything but an earlier export.
    fn check_place(&self) -> Result<()> {
        let dest = &self.dest;
        let Ok(entries) = fs::read_dir(dest) else {
            return if dest.exists() {
                Err(Error::usage(format!("`{}` is a file", dest.display()))
                    .hint("choose another place with `--dest`"))
            } else {
                Ok(())
            };
        };
        let ours = |name: &str| {
            let folder = format!("{name}/");
            self.files.keys().any(|file| file == name || file.starts_with(&folder))
        };
        for entry in entries {
            let name = entry.map_err(|e| Error::io("read", dest, &e))?.file_name();
            if !name.to_str().is_some_and(ours) {
                return Err(Error::usage(format!(
                    "`{}` holds `{}`, which is not part of the export",
                    dest.display(),
                    name.to_string_lossy()
                ))
                .hint("choose an empty folder with `--dest`"));
            }
        }
        Ok(())
    }
}

impl FileSink for Staging {
    fn start(&mut self, name: &str) -> Result<(), PluginError> {
        check_name(name)?;
        if self.files.contains_key(name) || self.open.is_some() {
            return Err(PluginError::rejected(format!("`{name}` is begun out of turn")));
        }
        let path = self.folder.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create_new(&path)?;
        self.open = Some(Open { name: name.into(), file, hash: Sha256::new() });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PluginError> {
        let open = self.open.as_mut().ok_or_else(no_file)?;
        open.file.write_all(bytes)?;
        open.hash.update(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), PluginError> {
        let open = self.open.take().ok_or_else(no_file)?;
        open.file.sync_all()?;
        failpoint!("export:file");
        self.files.insert(open.name, format!("{:x}", open.hash.finalize()));
        Ok(())
    }
}

fn no_file() -> PluginError {
    PluginError::new(ErrorKind::REJECTED, "no file of the export is begun")
}

/// A relative name with `/` that cannot leave the folder.
fn check_name(name: &str) -> Result<(), PluginError> {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let clean = name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if clean && !name.contains(['\\', ':', '\0']) && Path::new(name).components().all(plain) {
        return Ok(());
    }
    Err(PluginError::rejected(format!("the export names an unsafe file `{}`", name.escape_debug())))
}

/// sha256 (hex) of a file.
///
/// # Errors
/// `failed` that names the path.
fn sha256_of(path: &Path) -> Result<String> {
    let io = |e: std::io::Error| Error::io("read", path, &e);
    let mut file = File::open(path).map_err(io)?;
    let mut hash = Sha256::new();
    let mut block = vec![0_u8; 1 << 16];
    loop {
        match file.read(&mut block).map_err(io)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            n => hash.update(&block[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(dest: &Path, files: &[(&str, &str)]) -> Result<Staging> {
        let mut staging = Staging::new(dest)?;
        for (name, text) in files {
            staging.start(name)?;
            staging.write(text.as_bytes())?;
            staging.finish()?;
        }
        Ok(staging)
    }

    #[test]
    fn files_appear_whole_with_their_sha256() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("adapter");
        let files = stage(&dest, &[("a.txt", "abc")]).unwrap().commit().unwrap();
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(files["a.txt"], abc);
        assert_eq!(fs::read_to_string(dest.join("a.txt")).unwrap(), "abc");
        stage(&dest, &[("a.txt", "new")]).unwrap().commit().unwrap();
        assert_eq!(fs::read_to_string(dest.join("a.txt")).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn unsafe_names_are_refused_and_nothing_remains() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "..", "../x", "/etc/x", "a/../../x", "a//b", "C:x", "a\\b", "./a"] {
            let mut staging = Staging::new(&dir.path().join("adapter")).unwrap();
            assert!(staging.start(name).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_unfinished_export_is_no_export() {
        let dir = tempfile::tempdir().unwrap();
        let mut staging = stage(&dir.path().join("adapter"), &[("a", "1")]).unwrap();
        staging.start("b").unwrap();
        assert!(staging.commit().unwrap_err().message.contains("within `b`"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("home");
        fs::create_dir(&dest).unwrap();
        fs::write(dest.join("thesis.tex"), "precious").unwrap();
        let e = stage(&dest, &[("a", "1")]).unwrap().commit().unwrap_err();
        assert!(e.message.contains("thesis.tex"), "{e}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
