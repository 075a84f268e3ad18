//! `file`: the storage backend.

use crate::{
    config::Config,
    list,
    place::{Root, is_absent, sync_folder},
    upload::FileUpload,
};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
};
use tinsmith_plugin_api::{Error, Result, Services, StorageBackend, Upload, failpoint};

/// Blobs as files under one folder.
#[derive(Debug)]
pub struct FileStorage {
    root: Root,
}

impl StorageBackend for FileStorage {
    const SCHEME: &'static str = "file";
    const SUMMARY: &'static str = "Files under a folder of this machine";
    type Config = Config;

    fn new(config: Config, _services: Services) -> Result<Self> {
        Ok(Self { root: Root::new(config.root()?) })
    }

    fn open(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>> {
        let path = self.root.resolve(key)?;
        let open = || {
            // Asked before it is opened: to open a named pipe is to wait for its writer.
            if !fs::symlink_metadata(&path)?.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            let mut file = File::open(path)?;
            if from > 0 {
                file.seek(SeekFrom::Start(from))?;
            }
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Box::new(file)),
            Err(e) if is_absent(&e) => {
                Err(self.root.explain("read", key, &io::ErrorKind::NotFound.into()))
            }
            Err(e) => Err(self.root.explain("read", key, &e)),
        }
    }

    fn create(&self, key: &str) -> Result<Box<dyn Upload>> {
        let path = self.root.resolve(key)?;
        Ok(Box::new(FileUpload::begin(&self.root, key, path)?))
    }

    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        // The answer comes from the last step, which is atomic; this only saves the writing.
        if self.exists(key)? {
            return Ok(false);
        }
        let path = self.root.resolve(key)?;
        let mut upload = FileUpload::begin(&self.root, key, path)?;
        upload.write_all(bytes).map_err(Error::from)?;
        upload.commit_if_absent()
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()> {
        list::list(&self.root, prefix, visit)
    }

    fn delete(&self, key: &str) -> Result<()> {
        let path = self.root.resolve(key)?;
        match fs::remove_file(&path) {
            Ok(()) => {
                failpoint!("store-file:deleted");
                let synced = path.parent().map_or(Ok(()), sync_folder);
                self.root.prune(&path);
                match synced {
                    // Another deletion removed the folder: its name went with it.
                    Err(e) if !is_absent(&e) => Err(self.root.explain("delete", key, &e)),
                    _ => Ok(()),
                }
            }
            Err(e) if is_absent(&e) => Ok(()),
            Err(e) => Err(self.root.explain("delete", key, &e)),
        }
    }

    fn exists(&self, key: &str) -> Result<bool> {
        match fs::symlink_metadata(self.root.resolve(key)?) {
            Ok(found) => Ok(found.is_file()),
            Err(e) if is_absent(&e) => Ok(false),
            Err(e) => Err(self.root.explain("read", key, &e)),
        }
    }
}
