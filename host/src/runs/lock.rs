//! One trainer per run: an advisory lock that the system drops with the process.

use crate::{Error, Result};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

/// Held while a process trains a run.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a run, or says who has it. `typed` is what a user types to mean the run.
    ///
    /// # Errors
    /// `failed` if another process holds it, or the file cannot be written.
    pub fn take(path: &Path, run: &str, typed: &str) -> Result<Self> {
        Self::or(path, |by| {
            Error::failed(format!("run `{run}` is being trained by {by}"))
                .hint(format!("watch it with `tinsmith status {typed} --follow`"))
        })
    }

    /// Takes the lock of a server's folder, or says who has it.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn take_state(path: &Path) -> Result<Self> {
        Self::or(path, |by| {
            let folder = path.parent().unwrap_or(path).display();
            Error::failed(format!("`{folder}` is being served by {by}"))
                .hint("stop it, or choose another folder with `--state`")
        })
    }

    fn or(path: &Path, taken: impl FnOnce(&str) -> Error) -> Result<Self> {
        let io = |e: std::io::Error| Error::io("lock", path, &e);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: whoever holds the lock has written its process id.
                let _ = file.read_to_string(&mut holder);
                let by = match holder.trim() {
                    "" => "another process".to_owned(),
                    pid => format!("process {pid}"),
                };
                return Err(taken(&by));
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::take(&path, "r1", "r1 --output o").unwrap();
        let e = Lock::take(&path, "r1", "r1 --output o").unwrap_err();
        assert!(e.message.contains(&format!("process {}", std::process::id())), "{e}");
        assert_eq!(e.hint.unwrap(), "watch it with `tinsmith status r1 --output o --follow`");
        drop(first);
        Lock::take(&path, "r1", "r1").unwrap();
    }
}
