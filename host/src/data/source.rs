//! Where a dataset's bytes come from.

use super::{
    Mapping, container,
    read::{Digested, Reader},
};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::PathBuf,
};

/// A dataset, ready to be read as often as needed.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// Its file.
    pub path: PathBuf,
    /// How its records are read.
    pub mapping: Mapping,
    /// At most this many records.
    pub limit: Option<u64>,
}

impl DataSource {
    /// As errors and reports call it.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its records as lines, at most `limit` of them.
    ///
    /// # Errors
    /// A data error if there is no such file or its container is not read; a failure if it cannot be
    /// read.
    pub fn lines(&self) -> Result<Reader> {
        Ok(Reader::new(container::open(self.file()?, &self.path)?, self.limit))
    }

    /// The record that begins at a byte of a file that is seekable ([`container::Counted`]).
    ///
    /// # Errors
    /// As [`DataSource::lines`].
    pub(super) fn lines_from(&self, offset: u64) -> Result<Reader> {
        let mut file = self.file()?;
        file.seek(SeekFrom::Start(offset)).map_err(|e| self.failed(&e))?;
        let counted = container::Counted::Lines;
        Ok(Reader::new(container::Contents { input: Box::new(file), counted }, Some(1)))
    }

    /// What was read: of a plain file, the bytes up to where reading ended; of a container, its
    /// whole file, since its bytes are not those of its records.
    pub(super) fn digest(&self, reader: &Reader) -> Result<Digested> {
        if reader.counted().is_seekable() {
            return Ok(reader.digest());
        }
        let (mut file, mut hash, mut bytes) = (self.file()?, Sha256::new(), 0);
        if !file.metadata().is_ok_and(|about| about.is_file()) {
            // An array that came by a pipe: what went by is what there was.
            return Ok(reader.digest());
        }
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.failed(&e)),
            };
            hash.update(&buffer[..read]);
            bytes += read as u64;
        }
        Ok(Digested { bytes, sha256: crate::text::hex(&hash.finalize()) })
    }

    /// An error of reading, with the file.
    pub(super) fn blame(&self, mut error: Error) -> Error {
        match &mut error.place {
            Some(place) if place.path.as_os_str().is_empty() => {
                place.path = PathBuf::from(self.name());
                error
            }
            Some(_) => error,
            None => error.context(format!("dataset `{}`", self.name())),
        }
    }

    fn file(&self) -> Result<File> {
        File::open(&self.path).map_err(|e| self.failed(&e))
    }

    fn failed(&self, e: &std::io::Error) -> Error {
        match e.kind() {
            ErrorKind::NotFound => Error::data(format!("there is no dataset `{}`", self.name())),
            _ => Error::io("read the dataset", &self.path, e),
        }
    }
}
