//! A place where examples are made before it is known whether their run can begin, or go on: no run is to
//! be left behind where it cannot begin, and none is to lose the examples that it has.

use super::{Lock, RunFolder, durable};
use crate::{Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tinsmith_plugin_api::failpoint;

const PREFIX: &str = ".preparing-";
/// Folders that may be swept away by others before one is locked.
const TRIES: u32 = 5;
/// How long somebody may take from making a folder to locking it.
const OLD: Duration = Duration::from_secs(600);

/// A folder beside the runs. It is gone when this is dropped, and what was made for it.
#[derive(Debug)]
pub struct Preparing {
    folder: tempfile::TempDir,
    /// Held while it is used: others leave it alone.
    _lock: Lock,
    /// Goes after the folder.
    _made: Made,
}

impl Preparing {
    /// Makes the folder, and removes those that killed processes left.
    ///
    /// # Errors
    /// `failed` if nothing can be written there.
    pub fn new(output: &Path) -> Result<Self> {
        let runs = output.join("runs");
        let made = Made::above(&runs);
        Self::sweep(&runs);
        let mut tries = 0;
        loop {
            // Who fails takes back what it made: perhaps this.
            durable::create_folder(&runs)?;
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&runs);
            let folder = folder.map_err(|e| Error::io("create a folder in", &runs, &e))?;
            let path = folder.path().join("lock");
            tries += 1;
            match Lock::take(&path, "", "") {
                // A sweep that found it before it was locked may have removed it.
                Ok(lock) if path.exists() => {
                    return Ok(Self { folder, _lock: lock, _made: made });
                }
                Err(e) if tries == TRIES => return Err(e),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Removes what killed processes left. What somebody holds, or is making, is left alone.
    fn sweep(runs: &Path) {
        let Ok(entries) = fs::read_dir(runs) else { return };
        for entry in entries.flatten() {
            let folder = entry.path();
            if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let lock = folder.join("lock");
            let held = match lock.exists() {
                true => Lock::take(&lock, "", "").ok(),
                // Killed before it had one, or while it was removed.
                false if is_old(&entry) => None,
                false => continue,
            };
            if held.is_some() || !lock.exists() {
                remove(&folder);
            }
        }
    }

    /// Where the examples go.
    #[must_use]
    pub fn examples(&self) -> PathBuf {
        self.folder.path().join("examples")
    }

    /// Hands the examples to their run, in place of those that it has. If none were made, it keeps
    /// them.
    ///
    /// # Errors
    /// `failed` if they cannot be moved.
    pub fn hand_over(self, run: &RunFolder) -> Result<()> {
        let (from, to) = (self.examples(), run.examples());
        failpoint!("examples:prepared");
        let swap = || -> std::io::Result<()> {
            if !from.exists() {
                return Ok(());
            }
            if to.exists() {
                fs::remove_dir_all(&to)?;
            }
            fs::rename(&from, &to)
        };
        swap().map_err(|e| Error::io("write", &to, &e))?;
        failpoint!("examples:handed-over");
        Ok(())
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        remove(self.folder.path());
    }
}

/// Folders that were not there, the outermost first. Those with something in them stay.
#[derive(Debug)]
struct Made(Vec<PathBuf>);

impl Made {
    fn above(folder: &Path) -> Self {
        let absent = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let mut made: Vec<PathBuf> =
            folder.ancestors().take_while(absent).map(Path::to_owned).collect();
        made.reverse();
        Self(made)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        while let Some(folder) = self.0.pop() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The lock goes last: until then, others can tell what the folder is.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder.join("examples"));
    let _ = fs::remove_dir_all(folder);
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let changed = entry.metadata().and_then(|about| about.modified());
    changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_what_never_began() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("models/out");
        let preparing = Preparing::new(&output).unwrap();
        assert!(preparing.examples().parent().unwrap().is_dir());
        drop(preparing);
        assert!(!dir.path().join("models").exists());
    }

    #[test]
    fn a_run_takes_its_examples_along() {
        let dir = tempfile::tempdir().unwrap();
        let preparing = Preparing::new(dir.path()).unwrap();
        fs::create_dir(preparing.examples()).unwrap();
        fs::write(preparing.examples().join("tokens"), "t").unwrap();
        let run = RunFolder::create(dir.path()).unwrap();
        preparing.hand_over(&run).unwrap();
        assert_eq!(fs::read(run.examples().join("tokens")).unwrap(), b"t");
        let names = fs::read_dir(dir.path().join("runs")).unwrap();
        assert_eq!(names.count(), 1, "the place is gone");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_used_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("runs/.preparing-dead");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("lock"), "1\n").unwrap();
        let first = Preparing::new(dir.path()).unwrap();
        assert!(!left.exists());
        let _second = Preparing::new(dir.path()).unwrap();
        assert!(first.examples().parent().unwrap().exists());
    }
}
