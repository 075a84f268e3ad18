//! Where a dataset's bytes come from.

use crate::{Error, Result, config::Format};
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
    /// What its lines are.
    pub format: Format,
    /// At most this many records.
    pub limit: Option<u64>,
}

impl DataSource {
    /// As errors and reports call it.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its bytes, from one on.
    ///
    /// # Errors
    /// A data error if there is no such file; a failure if it cannot be read.
    pub fn open(&self, from: u64) -> Result<Box<dyn Read + Send>> {
        let path = &self.path;
        let failed = |e: std::io::Error| match e.kind() {
            ErrorKind::NotFound => Error::data(format!("there is no dataset `{}`", path.display())),
            _ => Error::io("read the dataset", path, &e),
        };
        let mut file = File::open(path).map_err(failed)?;
        if from > 0 {
            file.seek(SeekFrom::Start(from)).map_err(failed)?;
        }
        Ok(Box::new(file))
    }
}
