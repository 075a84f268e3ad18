//! From a path to an admitted plugin: every check in order.

use super::{
    Places,
    cache::{self, Library},
    dirs, elf, loader,
    seen::Seen,
    trust,
    trust::Trusted,
};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tinsmith_plugin_api::abi::{self, Description, Plugin};

/// Why a library may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// The user named it on this command line.
    ByHand,
    /// Only if it is on the list of trusted libraries.
    IfTrusted,
}

/// A library to load, and what its manifest says of it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub library: PathBuf,
    pub sha256: Option<String>,
    pub symbol: Option<String>,
    pub consent: Consent,
}

/// An admitted plugin from a library.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub plugin: Plugin,
    pub sha256: String,
}

impl Request {
    /// A library that the user named, without a manifest.
    pub(super) fn by_hand(library: PathBuf) -> Self {
        Self { library, sha256: None, symbol: None, consent: Consent::ByHand }
    }

    /// Loads it.
    ///
    /// # Errors
    /// `failed`: one line that says which library and what is wrong with it, and a hint.
    pub(super) fn load(&self, places: &Places) -> Result<Loaded> {
        self.steps(places)
            .map_err(|e| e.context(format!("plugin library `{}`", dirs::short(&self.library))))
    }

    fn steps(&self, places: &Places) -> Result<Loaded> {
        let path = real_path(&self.library)?;
        trust::check_owner(&path)?;
        let folder = cache::folder(places)?;
        let known = Seen::recall(folder, &path).filter(|seen| {
            let symbol = self.symbol.as_ref().is_none_or(|symbol| *symbol == seen.symbol);
            symbol && cache::is_whole(&cache::copy_of(folder, &seen.sha256), seen.bytes())
        });
        let (sha256, symbol, copy) = match known {
            Some(seen) => {
                self.require_trust(places, &path, &seen.sha256)?;
                let copy = cache::copy_of(folder, &seen.sha256);
                (seen.sha256, seen.symbol, copy)
            }
            None => {
                let library = Library::read(&path)?;
                self.require_trust(places, &path, &library.sha256)?;
                let symbol = self.check_format(&library.bytes)?;
                let copy = library.private_copy(folder)?;
                Seen::note(folder, &path, &library.facts, &library.sha256, &symbol);
                (library.sha256, symbol, copy)
            }
        };
        let plugin = abi::admit(loader::open(&copy, &symbol)?)?;
        super::manifest::check_id(plugin.id())?;
        Ok(Loaded { plugin, sha256 })
    }

    /// Refuses a library that is not the one that was meant.
    fn require_trust(&self, places: &Places, path: &Path, sha256: &str) -> Result<()> {
        if self.sha256.as_ref().is_some_and(|pinned| *pinned != sha256) {
            return Err(Error::failed(
                "the library is not the one that its `plugin.toml` describes",
            )
            .hint("install it again with `tinsmith plugins add --replace PATH`"));
        }
        match self.consent {
            Consent::ByHand => Ok(()),
            Consent::IfTrusted => Trusted::read(places)?.require(path, sha256),
        }
    }

    /// Looks at the file's structure and finds the plugin's symbol.
    fn check_format(&self, bytes: &[u8]) -> Result<String> {
        if !elf::USED_HERE {
            return self.symbol.clone().map_or_else(|| self.symbol_by_name(), Ok);
        }
        elf::check(bytes)?;
        if let Some(symbol) = &self.symbol {
            return Ok(symbol.clone());
        }
        let mut found = elf::plugin_symbols(bytes)?;
        match (found.pop(), found.pop()) {
            (Some(symbol), None) => Ok(symbol),
            (Some(one), Some(two)) => {
                Err(Error::failed(format!("the library holds two plugins, `{one}` and `{two}`"))
                    .hint("name one as `symbol` in its `plugin.toml`"))
            }
            (None, _) => Err(Error::failed("the library is no tinsmith plugin")
                .hint("a plugin is built from a crate that calls `plugin!`")),
        }
    }

    /// Where symbols cannot be listed, the library's file name tells the crate.
    fn symbol_by_name(&self) -> Result<String> {
        let stem = self.library.file_stem().and_then(|stem| stem.to_str());
        let name = stem.map(|stem| stem.strip_prefix("lib").unwrap_or(stem).replace('-', "_"));
        let name = name.ok_or_else(|| {
            Error::failed("the library's name is not valid UTF-8").hint("rename the library")
        })?;
        Ok(format!("{}{name}", elf::SYMBOL_PREFIX))
    }
}

/// The path without symbolic links. A bare name would make the system search its own folders.
pub(super) fn real_path(path: &Path) -> Result<PathBuf> {
    const HINT: &str = "name the library, or a folder with a `plugin.toml`";
    let found = path.canonicalize().map_err(|e| Error::io("find", path, &e).hint(HINT))?;
    if found.is_dir() {
        return Err(Error::failed("it is a folder, not a library").hint(HINT));
    }
    // To open a pipe would wait for somebody to write into it.
    if !found.is_file() {
        return Err(Error::failed("it is no file").hint(HINT));
    }
    Ok(found)
}

/// What a loaded plugin says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// The plugin's id.
    pub id: String,
    /// Its own version.
    pub version: String,
    /// Version of plugin-api that it was built against.
    pub api: String,
    /// The ABI that it speaks.
    pub abi: u32,
    /// The compiler that built it.
    pub rustc: String,
    /// sha256 of the library.
    pub sha256: String,
    /// Everything that it provides.
    pub provides: Vec<Description>,
}

/// Loads a library in this process and asks it everything. A crash of the plugin is a crash of
/// the caller: run this in a process of its own.
///
/// # Errors
/// As loading it for use; `panic` if a description panics.
pub fn inspect(places: &Places, path: &Path) -> Result<Inspection> {
    let Loaded { plugin, sha256 } = super::search::request_for(path)?.load(places)?;
    let provides = plugin.provides().into_iter();
    let provides = provides.map(|item| plugin.describe(item.kind, &item.name));
    Ok(Inspection {
        provides: provides.collect::<std::result::Result<_, _>>()?,
        id: plugin.id().to_owned(),
        version: plugin.version().to_owned(),
        api: plugin.api().to_owned(),
        abi: abi::ABI_VERSION,
        rustc: plugin.rustc().to_owned(),
        sha256,
    })
}
