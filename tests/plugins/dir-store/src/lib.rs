//! Storage in one flat folder: a key is a file name, with `/` written as `%2F`.
#![forbid(unsafe_code)]

use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};
use tempfile::NamedTempFile;
use tinsmith_plugin_api::{Error, Result, Services, StorageBackend, Upload, plugin};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where the files lie, as `flat:///folder`.
    uri: String,
}

struct Flat(PathBuf);

impl Flat {
    fn path(&self, key: &str) -> Result<PathBuf> {
        if key.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(Error::config(format!("`{key}` is no storage key")));
        }
        Ok(self.0.join(key.replace('%', "%25").replace('/', "%2F")))
    }

    fn temporary(&self) -> Result<NamedTempFile> {
        fs::create_dir_all(&self.0)?;
        Ok(tempfile::Builder::new().prefix(".tmp").tempfile_in(&self.0)?)
    }
}

/// Makes a file's name as durable as its content.
fn sync(folder: &std::path::Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

struct Unfinished {
    file: NamedTempFile,
    to: PathBuf,
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Upload for Unfinished {
    fn commit(self: Box<Self>) -> Result<u64> {
        self.file.as_file().sync_all()?;
        let file = self.file.persist(&self.to).map_err(|e| e.error)?;
        self.to.parent().map_or(Ok(()), sync)?;
        Ok(file.metadata()?.len())
    }
}

impl StorageBackend for Flat {
    const SCHEME: &'static str = "flat";
    type Config = Config;

    fn new(config: Config, _: Services) -> Result<Self> {
        let folder = config.uri.strip_prefix("flat://").filter(|folder| folder.starts_with('/'));
        let folder = folder.ok_or_else(|| Error::config("must be like `flat:///folder`").at("uri"));
        Ok(Self(folder?.into()))
    }

    fn open(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>> {
        let mut file = File::open(self.path(key)?)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Box::new(file))
    }

    fn create(&self, key: &str) -> Result<Box<dyn Upload>> {
        Ok(Box::new(Unfinished { to: self.path(key)?, file: self.temporary()? }))
    }

    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        let (to, mut file) = (self.path(key)?, self.temporary()?);
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&to) {
            Ok(_) => sync(&self.0).map(|()| true).map_err(Error::from),
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(e.error.into()),
        }
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0).into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let key = name.replace("%2F", "/").replace("%25", "%");
            if !name.starts_with(".tmp") && key.starts_with(prefix) {
                found.push((key, entry.metadata()?.len()));
            }
        }
        found.sort();
        for (key, bytes) in found {
            if !visit(&key, bytes) {
                break;
            }
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        match fs::remove_file(self.path(key)?) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            result => Ok(result?),
        }
    }

    fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.path(key)?.try_exists()?)
    }
}

plugin! { storages: [Flat] }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_as_every_backend_must() {
        let folder = tempfile::tempdir().unwrap();
        let uri = format!("flat://{}", folder.path().display());
        tinsmith_plugin_api::testing::check_storage::<Flat>(&serde_json::json!({ "uri": uri }));
    }
}
