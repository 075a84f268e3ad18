//! Runs the real binary in a folder of its own and shows what it did as one text.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// A fresh folder in which a binary runs. Home and XDG folders lie inside, and of the environment
/// only `PATH` is passed on.
#[derive(Debug)]
pub struct Sandbox {
    dir: TempDir,
    binary: PathBuf,
    env: Vec<(String, String)>,
}

impl Sandbox {
    /// For `env!("CARGO_BIN_EXE_tinsmith")`.
    ///
    /// # Panics
    /// If the folder cannot be made.
    #[must_use]
    pub fn new(binary: impl AsRef<Path>) -> Self {
        let dir = TempDir::new().unwrap_or_else(|e| panic!("make a folder for the test: {e}"));
        Self { dir, binary: binary.as_ref().to_owned(), env: Vec::new() }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, with its folders.
    ///
    /// # Panics
    /// If it cannot.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(name);
        let folder = path.parent().unwrap_or(self.path());
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .unwrap_or_else(|e| panic!("write {}: {e}", path.display()));
        self
    }

    /// Reads a file as text.
    ///
    /// # Panics
    /// If it cannot.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        let path = self.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()))
    }

    /// Sets a variable for the runs to come.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command, not started yet.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).current_dir(self.path()).env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let home = self.path().join(".home");
        for (name, folder) in [
            ("XDG_DATA_HOME", "data"),
            ("XDG_DATA_DIRS", "share"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
        ] {
            command.env(name, home.join(folder));
        }
        command.env("HOME", &home).envs(self.env.iter().cloned());
        command
    }

    /// Runs the binary to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap_or_else(|e| panic!("run the binary: {e}"))
    }

    /// Runs the binary and shows exit code, stdout and stderr; the folder's path becomes `[DIR]`.
    #[must_use]
    pub fn show(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let code = output.status.code().map_or("killed".to_owned(), |c| c.to_string());
        let mut text = format!("exit {code}\n");
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                let _ = write!(text, "--- {name}\n{}", String::from_utf8_lossy(bytes));
            }
        }
        text.replace(&self.path().display().to_string(), "[DIR]")
    }
}
