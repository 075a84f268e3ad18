/*!
Every environment variable that tinsmith reads. `docs/reference/env.md` is generated from [`ALL`].

Variables named `TINSMITH_*` stand between the command line and the config: flag, then environment,
then file, then default. An empty variable counts as unset.
*/

use crate::{Error, Result};
use std::{ffi::OsString, path::PathBuf};

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// Progress and what was done.
    Normal,
    /// How it was done.
    Verbose,
    /// Everything, also debug lines of plugins.
    Debug,
}

/// The config of `train` and `config show` when the command line names none.
pub const TINSMITH_CONFIG: &str = "TINSMITH_CONFIG";
/// Folder of runs and adapters.
pub const TINSMITH_OUTPUT: &str = "TINSMITH_OUTPUT";
/// Files and folders in which plugins are looked for.
pub const TINSMITH_PLUGIN_PATH: &str = "TINSMITH_PLUGIN_PATH";
/// Thread budget.
pub const TINSMITH_THREADS: &str = "TINSMITH_THREADS";
/// How much is said on stderr.
pub const TINSMITH_LOG: &str = "TINSMITH_LOG";
/// Turns colour off.
pub const NO_COLOR: &str = "NO_COLOR";
/// Where installed plugins lie.
pub const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// Where plugins of the whole machine lie.
pub const XDG_DATA_DIRS: &str = "XDG_DATA_DIRS";
/// Where the list of trusted plugins lies.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Where private copies of loaded plugins lie, and which tokenizers were compared.
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";

/// Stops a debug build at a failpoint; read in `plugin-api`.
pub const TINSMITH_FAILPOINT: &str = "TINSMITH_FAILPOINT";
/// Lists the failpoints that a debug build passes; read in `plugin-api`.
pub const TINSMITH_FAILPOINT_TRACE: &str = "TINSMITH_FAILPOINT_TRACE";

/// A documented variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// The flag that goes before it.
    pub flag: Option<&'static str>,
    /// The config key that comes after it.
    pub key: Option<&'static str>,
    /// The version that added it.
    pub since: &'static str,
}

const fn variable(name: &'static str, doc: &'static str) -> Variable {
    Variable { name, doc, flag: None, key: None, since: "0.1.0" }
}

impl Variable {
    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn key(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }
}

/// Every variable, in the order of the reference page.
pub const ALL: &[Variable] = &[
    variable(
        TINSMITH_CONFIG,
        "The config of `train` and `config show` when the command line names none.",
    )
    .flag("CONFIG"),
    variable(
        TINSMITH_OUTPUT,
        "Folder of runs and adapters; relative to the current folder. \
         Default: `models/adapters/tinker`.",
    )
    .flag("--output")
    .key("output"),
    variable(
        TINSMITH_PLUGIN_PATH,
        "Libraries, plugins' folders, and folders of plugins' folders, separated as in `PATH`. \
         Searched after `--plugin` and the config's `plugins`, and before the installed plugins.",
    )
    .flag("--plugin"),
    variable(
        TINSMITH_THREADS,
        "Thread budget of the whole process, a number from 1 to 4096. Default: all cores.",
    )
    .flag("--threads"),
    variable(
        TINSMITH_LOG,
        "How much is said on stderr: `quiet`, `normal`, `verbose` or `debug`. Default: `normal`.",
    )
    .flag("-v, -q"),
    variable(
        NO_COLOR,
        "Any value turns colour off where `--color auto` would show it (<https://no-color.org>).",
    )
    .flag("--color"),
    variable(
        XDG_DATA_HOME,
        "Installed plugins lie in `tinsmith/plugins` below it. Default: `~/.local/share`.",
    ),
    variable(
        XDG_DATA_DIRS,
        "Plugins of the whole machine lie in `tinsmith/plugins` below each of these folders. \
         Default: `/usr/local/share:/usr/share`.",
    ),
    variable(
        XDG_CONFIG_HOME,
        "`tinsmith/trusted.toml`, the list of trusted plugins, lies below it. \
         Default: `~/.config`.",
    ),
    variable(
        XDG_CACHE_HOME,
        "Private copies of loaded plugins lie in `tinsmith/plugins` below it, and in \
         `tinsmith/tokenizers` an empty file for each tokenizer whose fast encoder was compared with \
         the reference. Default: `~/.cache`.",
    ),
    variable(
        TINSMITH_FAILPOINT,
        "For tests, in debug builds only: `NAME@N` aborts the process at the N-th passage of the \
         failpoint NAME.",
    ),
    variable(
        TINSMITH_FAILPOINT_TRACE,
        "For tests, in debug builds only: the name of every failpoint that is passed is appended \
         to this file.",
    ),
];

/// A variable's value; empty counts as unset.
#[must_use]
pub fn var_os(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|v| !v.is_empty())
}

/// A variable's text.
fn var(name: &str) -> Result<Option<String>> {
    var_os(name)
        .map(|v| {
            v.into_string()
                .map_err(|_| Error::usage(format!("environment: `{name}` is not valid UTF-8")))
        })
        .transpose()
}

/// `TINSMITH_CONFIG`.
#[must_use]
pub fn config() -> Option<PathBuf> {
    var_os(TINSMITH_CONFIG).map(PathBuf::from)
}

/// `TINSMITH_OUTPUT`.
#[must_use]
pub fn output() -> Option<PathBuf> {
    var_os(TINSMITH_OUTPUT).map(PathBuf::from)
}

/// `TINSMITH_PLUGIN_PATH`, split into its paths.
#[must_use]
pub fn plugin_path() -> Vec<PathBuf> {
    var_os(TINSMITH_PLUGIN_PATH).map_or_else(Vec::new, |v| {
        std::env::split_paths(&v).filter(|p| !p.as_os_str().is_empty()).collect()
    })
}

/// `TINSMITH_THREADS`.
///
/// # Errors
/// A usage error if it is no number from 1 to 4096.
pub fn threads() -> Result<Option<usize>> {
    let Some(text) = var(TINSMITH_THREADS)? else { return Ok(None) };
    match text.trim().parse() {
        Ok(n @ 1..=4096) => Ok(Some(n)),
        _ => Err(Error::usage(format!(
            "environment: `{TINSMITH_THREADS}` must be a number from 1 to 4096, not `{text}`"
        ))),
    }
}

/// `TINSMITH_LOG`.
///
/// # Errors
/// A usage error if it names no level.
pub fn log() -> Result<Option<Verbosity>> {
    let Some(text) = var(TINSMITH_LOG)? else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "quiet" | "warn" | "error" => Ok(Some(Verbosity::Quiet)),
        "normal" | "info" => Ok(Some(Verbosity::Normal)),
        "verbose" => Ok(Some(Verbosity::Verbose)),
        "debug" | "trace" => Ok(Some(Verbosity::Debug)),
        _ => Err(Error::usage(format!(
            "environment: `{TINSMITH_LOG}` must be quiet, normal, verbose or debug, not `{text}`"
        ))),
    }
}

/// Whether the environment asks for plain output.
#[must_use]
pub fn no_color() -> bool {
    var_os(NO_COLOR).is_some() || std::env::var_os("TERM").is_some_and(|t| t == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once() {
        let mut names: Vec<_> = ALL.iter().map(|v| v.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|v| v.doc.ends_with('.') || v.doc.ends_with(").")));
    }
}
