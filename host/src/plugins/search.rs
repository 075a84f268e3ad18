//! Where plugins are looked for. Never in the current folder.

use super::{
    dirs::{self, Places},
    load::{Consent, Request},
    manifest::{self, Manifest},
};
use crate::{Error, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How a plugin was found, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `--plugin`.
    CommandLine,
    /// `plugins` of the config.
    Config,
    /// `TINSMITH_PLUGIN_PATH`.
    Environment,
    /// Below `XDG_DATA_HOME`.
    Installed,
    /// Below one of `XDG_DATA_DIRS`.
    Machine,
    /// Linked into the program.
    BuiltIn,
}

/// A plugin that was found outside of the program.
#[derive(Debug)]
pub(super) struct Candidate {
    pub origin: Origin,
    /// The key of the config that names it, such as `plugins[1]`.
    pub key: Option<String>,
    /// The manifest's folder, or the library where there is no manifest.
    pub path: PathBuf,
    /// None for a library without a manifest; an error for a broken one.
    pub manifest: Option<Result<Manifest>>,
}

impl Candidate {
    /// How to load it.
    pub(super) fn request(&self) -> Request {
        let consent = match self.origin {
            Origin::CommandLine => Consent::ByHand,
            _ => Consent::IfTrusted,
        };
        match &self.manifest {
            Some(Ok(manifest)) => Request {
                library: manifest.library_in(&self.path),
                sha256: manifest.sha256.clone(),
                symbol: manifest.symbol.clone(),
                consent,
            },
            _ => Request { consent, ..Request::by_hand(self.path.clone()) },
        }
    }
}

/// Everything that can be found, in the order of importance. Paths that somebody named must exist;
/// folders that are searched need not.
pub(super) fn find(
    places: &Places,
    named: &[PathBuf],
    configured: &[PathBuf],
) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    let asked = [
        (Origin::CommandLine, named),
        (Origin::Config, configured),
        (Origin::Environment, &places.path),
    ];
    for (origin, paths) in asked {
        for (i, path) in paths.iter().enumerate() {
            let key = (origin == Origin::Config).then(|| format!("plugins[{i}]"));
            let named = at(origin, path).map_err(|e| match &key {
                Some(key) => e.field(key.clone()),
                None => e.context(asked_by(origin)),
            })?;
            found.extend(named.into_iter().map(|one| Candidate { key: key.clone(), ..one }));
        }
    }
    let installed = places.installed.iter().map(|dir| (Origin::Installed, dir));
    let machine = places.machine.iter().map(|dir| (Origin::Machine, dir));
    for (origin, folder) in installed.chain(machine) {
        if folder.is_dir() {
            found.extend(below(origin, folder)?);
        }
    }
    Ok(found)
}

fn asked_by(origin: Origin) -> &'static str {
    match origin {
        Origin::CommandLine => "`--plugin`",
        _ => "`TINSMITH_PLUGIN_PATH`",
    }
}

/// Plugins at a path that somebody named: a library, a plugin's folder, or a folder of plugins.
fn at(origin: Origin, path: &Path) -> Result<Vec<Candidate>> {
    let real = path.canonicalize().map_err(|e| {
        Error::io("find", path, &e).hint("name a library, or a folder with a `plugin.toml`")
    })?;
    if !real.is_dir() {
        return Ok(vec![Candidate { origin, key: None, path: real, manifest: None }]);
    }
    if real.join(manifest::FILE).is_file() {
        return Ok(vec![with_manifest(origin, real)]);
    }
    let found = below(origin, &real)?;
    if found.is_empty() && origin != Origin::Environment {
        return Err(Error::failed(format!("no plugin lies in `{}`", dirs::short(path)))
            .hint("name a library, or a folder with a `plugin.toml`"));
    }
    Ok(found)
}

/// Folders with a manifest directly below `folder`, by name.
fn below(origin: Origin, folder: &Path) -> Result<Vec<Candidate>> {
    let io = |e: std::io::Error| Error::io("list", folder, &e);
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.join(manifest::FILE).is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders.into_iter().map(|path| with_manifest(origin, path)).collect())
}

fn with_manifest(origin: Origin, folder: PathBuf) -> Candidate {
    let manifest = Some(Manifest::read(&folder));
    Candidate { origin, key: None, path: folder, manifest }
}

/// The one plugin at a path that the user named on this command line.
pub(super) fn request_for(path: &Path) -> Result<Request> {
    let mut found = at(Origin::CommandLine, path)?;
    match (found.pop(), found.is_empty()) {
        (Some(Candidate { manifest: Some(Err(e)), .. }), true) => Err(e),
        (Some(one), true) => Ok(one.request()),
        _ => Err(Error::usage(format!("`{}` holds several plugins", dirs::short(path)))
            .hint("name one of them")),
    }
}
