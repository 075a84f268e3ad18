//! Where the files of runs lie, and how a run is named on the command line.

use super::{RunRecord, durable, new_id};
use crate::{Error, Result};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The files of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    output: PathBuf,
    id: String,
}

impl RunFolder {
    /// Makes a place for a new run.
    ///
    /// # Errors
    /// `failed` if nothing can be written there.
    pub fn create(output: &Path) -> Result<Self> {
        durable::create_folder(&output.join("runs"))?;
        loop {
            let run = Self { output: output.to_owned(), id: new_id() };
            match fs::create_dir(run.journals()) {
                Ok(()) => return Ok(run),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io("create the folder", run.journals(), &e)),
            }
        }
    }

    /// The run's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder of runs that it is in.
    #[must_use]
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// The run record.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.output.join("runs").join(format!("{}.json", self.id))
    }

    /// The folder of journals and lock.
    #[must_use]
    pub fn journals(&self) -> PathBuf {
        self.output.join("runs").join(&self.id)
    }

    /// One figure a line.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.journals().join("metrics.jsonl")
    }

    /// One checkpoint a line.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.journals().join("checkpoints.jsonl")
    }

    /// What happened.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.journals().join("events.jsonl")
    }

    /// Base and tuned side by side on held-out prompts.
    #[must_use]
    pub fn samples(&self) -> PathBuf {
        self.journals().join("samples.jsonl")
    }

    /// The run as a page.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.journals().join("report.html")
    }

    /// The examples that are trained on, until the run is complete.
    #[must_use]
    pub fn examples(&self) -> PathBuf {
        self.journals().join("examples")
    }

    /// Held while a process trains the run.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.journals().join("lock")
    }

    /// What the trainer stores: checkpoints.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.output.join(&self.id)
    }

    /// The finished adapter.
    #[must_use]
    pub fn adapter(&self) -> PathBuf {
        self.store().join("adapter")
    }

    /// Takes back a run that never began: its record, its journals, and its store if that is empty.
    /// The caller holds the run's lock.
    ///
    /// # Errors
    /// `failed` that names what cannot be removed.
    pub fn discard(&self) -> Result<()> {
        let absent = |e: std::io::Error| match e.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(e),
        };
        let io = |path: PathBuf| move |e: std::io::Error| Error::io("remove", path, &e);
        fs::remove_file(self.record()).or_else(absent).map_err(io(self.record()))?;
        fs::remove_dir_all(self.journals()).or_else(absent).map_err(io(self.journals()))?;
        // One with something in it is left alone.
        let _ = fs::remove_dir(self.store());
        Ok(())
    }

    /// Removes what a killed process was writing: temporary files and folders of this run. The
    /// caller holds the run's lock.
    ///
    /// # Errors
    /// `failed` that names what cannot be removed.
    pub fn sweep(&self) -> Result<()> {
        let of_record = durable::temporary_for(&self.record());
        let of_record = of_record.as_encoded_bytes();
        durable::sweep(&self.output.join("runs"), false, &|name| name.starts_with(of_record))?;
        // These are written by this run alone; the second is what the storage of files writes.
        let ours = |name: &[u8]| name.starts_with(b".tmp-") || name.starts_with(b".tinsmith-tmp-");
        durable::sweep(&self.journals(), false, &ours)?;
        durable::sweep(&self.store(), true, &ours)
    }

    /// Every run below `output`, oldest first.
    ///
    /// # Errors
    /// `failed` if the folder cannot be read. An absent one has no runs.
    pub fn all(output: &Path) -> Result<Vec<Self>> {
        let folder = output.join("runs");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io("read", folder, &e)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| Error::io("read", &folder, &e))?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|n| n.strip_suffix(".json"));
            ids.extend(id.filter(|id| !id.starts_with('.')).map(str::to_owned));
        }
        ids.sort_unstable();
        Ok(ids.into_iter().map(|id| Self { output: output.to_owned(), id }).collect())
    }

    /// Finds a run by what a user typed: `latest`, an id, the beginning of one id, the name the
    /// config gave it, or the path of a record.
    ///
    /// # Errors
    /// `usage` if no run or more than one is meant.
    pub fn find(output: &Path, typed: &str) -> Result<Self> {
        if let Some(run) = Self::by_path(Path::new(typed)) {
            return Ok(run);
        }
        let all = Self::all(output)?;
        if all.is_empty() {
            return Err(Error::usage(format!("there are no runs in `{}`", output.display())).hint(
                "start one with `tinsmith train CONFIG`, or name the folder with `--output`",
            ));
        }
        if typed == "latest" {
            return all.last().cloned().ok_or_else(|| Error::usage("there are no runs"));
        }
        if let Some(run) = all.iter().find(|run| run.id == typed) {
            return Ok(run.clone());
        }
        let mut meant: Vec<&Self> =
            all.iter().filter(|run| !typed.is_empty() && run.id.starts_with(typed)).collect();
        if meant.is_empty() {
            let named = |run: &&Self| {
                RunRecord::read(&run.record()).is_ok_and(|r| r.name.as_deref() == Some(typed))
            };
            meant = all.iter().filter(named).collect();
        }
        match meant.as_slice() {
            [run] => Ok((*run).clone()),
            [] => Err(Error::usage(format!("no run `{typed}` in `{}`", output.display()))
                .hint("`tinsmith status` lists the runs")),
            several => {
                let ids: Vec<String> = several.iter().map(|r| format!("`{}`", r.id)).collect();
                Err(Error::usage(format!("`{typed}` can mean {}", ids.join(", ")))
                    .hint("type more of the id"))
            }
        }
    }

    /// A run by the path of its record, its journals or its store.
    fn by_path(path: &Path) -> Option<Self> {
        if path.components().count() < 2 {
            return None;
        }
        let folder = path.parent()?;
        let name = path.file_name()?.to_str()?;
        let id = name.strip_suffix(".json").unwrap_or(name);
        let in_runs = folder.file_name().is_some_and(|n| n == "runs");
        let output = if in_runs { folder.parent()? } else { folder };
        let run = Self { output: output.to_owned(), id: id.to_owned() };
        run.record().is_file().then_some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_all_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path();
        assert!(RunFolder::find(output, "latest").unwrap_err().message.contains("no runs"));
        fs::create_dir(output.join("runs")).unwrap();
        for (id, name) in [("20260101-000000-aaaa", "first"), ("20260102-000000-bbbb", "second")] {
            let record = RunRecord {
                schema: 1,
                id: id.into(),
                name: Some(name.into()),
                ..RunRecord::default()
            };
            record.write(&output.join("runs").join(format!("{id}.json"))).unwrap();
        }
        let found = |typed: &str| RunFolder::find(output, typed).map(|r| r.id);
        assert_eq!(found("latest").unwrap(), "20260102-000000-bbbb");
        assert_eq!(found("20260101").unwrap(), "20260101-000000-aaaa");
        assert_eq!(found("first").unwrap(), "20260101-000000-aaaa");
        let path = output.join("runs/20260101-000000-aaaa.json");
        assert_eq!(found(path.to_str().unwrap()).unwrap(), "20260101-000000-aaaa");
        let store = output.join("20260101-000000-aaaa");
        assert_eq!(found(store.to_str().unwrap()).unwrap(), "20260101-000000-aaaa");
        assert!(found("2026010").unwrap_err().message.contains("can mean"));
        assert!(found("third").unwrap_err().message.contains("no run `third`"));
    }
}
