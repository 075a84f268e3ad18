//! One plugin of the registry: found, perhaps not yet loaded.

use super::{
    Origin, Places, dirs,
    load::{Loaded, Request},
    manifest::Provides,
    search::Candidate,
    trust::Trusted,
};
use crate::{Error, Result};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tinsmith_plugin_api::abi::{self, ABI_VERSION, Handshake, Plugin};

/// A plugin that was found.
#[derive(Debug)]
pub struct Entry {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) abi: Option<u32>,
    pub(super) origin: Origin,
    key: Option<String>,
    pub(super) path: Option<PathBuf>,
    pub(super) provides: Provides,
    pub(super) state: State,
    source: Source,
    places: Arc<Places>,
    loaded: OnceLock<Result<Loaded>>,
}

/// Whether a plugin can be used.
#[derive(Clone, Debug)]
pub enum State {
    /// It can.
    Ready,
    /// Another place, which goes first, has a plugin of the same id.
    Overridden,
    /// It cannot; why, and what to do.
    Unusable(Error),
}

impl State {
    /// A few words for a listing.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Overridden => "overridden".to_owned(),
            Self::Unusable(e) => match &e.hint {
                Some(hint) => format!("{}: {hint}", e.message),
                None => e.message.clone(),
            },
        }
    }
}

#[derive(Debug)]
enum Source {
    Linked(&'static Handshake),
    Library(Request),
}

impl Entry {
    /// A plugin that is linked into this program.
    pub(super) fn linked(places: &Arc<Places>, handshake: &'static Handshake) -> Result<Self> {
        let plugin = abi::admit(handshake)?;
        Ok(Self {
            id: plugin.id().to_owned(),
            version: plugin.version().to_owned(),
            abi: Some(handshake.abi()),
            origin: Origin::BuiltIn,
            key: None,
            path: None,
            provides: Provides::from_plugin(&plugin),
            state: State::Ready,
            source: Source::Linked(handshake),
            places: Arc::clone(places),
            loaded: OnceLock::from(Ok(Loaded { plugin, sha256: String::new() })),
        })
    }

    /// A plugin that was found. Nothing but manifests is read.
    pub(super) fn found(places: &Arc<Places>, candidate: Candidate, trusted: &Trusted) -> Self {
        let request = candidate.request();
        let state = state(&candidate, &request, trusted);
        let mut entry = Self {
            id: String::new(),
            version: String::new(),
            abi: None,
            origin: candidate.origin,
            key: candidate.key,
            path: Some(candidate.path),
            provides: Provides::default(),
            state,
            source: Source::Library(request),
            places: Arc::clone(places),
            loaded: OnceLock::new(),
        };
        if let Some(Ok(manifest)) = candidate.manifest {
            entry.id = manifest.id;
            entry.version = manifest.version;
            entry.abi = Some(manifest.abi);
            entry.provides = manifest.provides;
        }
        entry
    }

    /// Its id; empty if that is not known without loading it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its own version; empty if that is not known without loading it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The plugin ABI that its manifest or handshake names.
    #[must_use]
    pub fn abi(&self) -> Option<u32> {
        self.abi
    }

    /// How it was found.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its folder or library; none for a built-in.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What it provides, as far as that is known without loading it.
    #[must_use]
    pub fn provides(&self) -> &Provides {
        &self.provides
    }

    /// Whether it can be used.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where it comes from, for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.path.as_deref().map_or_else(|| "built in".to_owned(), dirs::short)
    }

    /// An error with the key of the config that names this plugin, unless it has a place of its own.
    pub(super) fn at_its_key(&self, e: Error) -> Error {
        match (&self.key, &e.place) {
            (Some(key), None) => e.field(key.clone()),
            _ => e,
        }
    }

    /// Whether it must be loaded to be known: a library without a manifest that may run.
    pub(super) fn is_anonymous(&self) -> bool {
        self.id.is_empty() && matches!(self.state, State::Ready)
    }

    /// Learns what only the library itself tells.
    pub(super) fn introduce(&mut self) -> Result<()> {
        let plugin = self.plugin().map_err(|e| self.at_its_key(e))?.clone();
        self.id = plugin.id().to_owned();
        self.version = plugin.version().to_owned();
        self.abi = Some(ABI_VERSION);
        self.provides = Provides::from_plugin(&plugin);
        Ok(())
    }

    /// The plugin, loaded on first use.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn plugin(&self) -> Result<&Plugin> {
        Ok(&self.loaded()?.plugin)
    }

    /// sha256 of its library, once it is loaded; none for a built-in.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        let loaded = self.loaded.get()?.as_ref().ok()?;
        (!loaded.sha256.is_empty()).then_some(loaded.sha256.as_str())
    }

    /// Whether both are the same file or files of the same content, as far as manifests tell.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        match (&self.source, &other.source) {
            (Source::Library(a), Source::Library(b)) => {
                let hash = |entry: &Self, request: &Request| {
                    entry.sha256().map(str::to_owned).or_else(|| request.sha256.clone())
                };
                let (x, y) = (hash(self, a), hash(other, b));
                a.library == b.library || (x.is_some() && x == y)
            }
            (Source::Linked(a), Source::Linked(b)) => std::ptr::eq(*a, *b),
            _ => false,
        }
    }

    fn loaded(&self) -> Result<&Loaded> {
        if let State::Unusable(e) = &self.state {
            return Err(e.clone().context(format!("plugin `{}`", self.place())));
        }
        self.loaded.get_or_init(|| self.load()).as_ref().map_err(Clone::clone)
    }

    fn load(&self) -> Result<Loaded> {
        let loaded = match &self.source {
            Source::Linked(handshake) => {
                Loaded { plugin: abi::admit(handshake)?, sha256: String::new() }
            }
            Source::Library(request) => request.load(&self.places)?,
        };
        let real = Provides::from_plugin(&loaded.plugin);
        if !self.id.is_empty() && (loaded.plugin.id() != self.id || real != self.provides) {
            let message = format!(
                "the library of plugin `{}` provides other things than its `plugin.toml` says",
                self.id
            );
            return Err(Error::failed(message)
                .context(format!("plugin `{}`", self.place()))
                .hint("install it again with `tinsmith plugins add --replace PATH`"));
        }
        Ok(loaded)
    }
}

/// What manifests and the list of trusted libraries say, without a look at the library.
fn state(candidate: &Candidate, request: &Request, trusted: &Trusted) -> State {
    use super::load::Consent::ByHand;
    let manifest = match &candidate.manifest {
        Some(Ok(manifest)) => Some(manifest),
        Some(Err(e)) => return State::Unusable(e.clone()),
        None => None,
    };
    if let Some(manifest) = manifest
        && manifest.abi != ABI_VERSION
    {
        let e = Error::failed(format!("speaks plugin ABI {}", manifest.abi));
        return State::Unusable(e.hint(format!(
            "rebuild it against plugin-api {}, which speaks {ABI_VERSION}",
            tinsmith_plugin_api::API_VERSION
        )));
    }
    if request.consent == ByHand {
        return State::Ready;
    }
    // Pins name a library by its path without links. One that is missing is told when it is loaded.
    let real = request.library.canonicalize();
    let library = real.as_deref().unwrap_or(&request.library);
    let refused = match (&request.sha256, trusted.pin_of(library)) {
        (Some(sha256), _) => trusted.require(library, sha256),
        // Its content is compared when it is loaded.
        (None, Some(_)) => Ok(()),
        (None, None) => trusted.require(library, ""),
    };
    refused.map_or_else(State::Unusable, |()| State::Ready)
}
