//! An admitted plugin, as the host uses it.

use super::{
    Description, Imported, Kind, PluginRoot, RawError,
    error::from_raw,
    loss::import_loss,
    root::Factory,
    services::{ServicesObject, export_services},
    std_types::{RResult, RSlice, RStr, RString},
    storage::import_storage,
};
use crate::{Error, LossHandle, RendererHandle, Result, Services, StorageHandle, TrainerHandle};
use serde_json::{Map, Value};
use std::{fmt, sync::Arc};

/// A plugin that passed [`super::admit`].
#[derive(Clone)]
pub struct Plugin {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) api: String,
    pub(super) rustc: String,
    pub(super) root: PluginRoot,
}

/// The name of one thing that a plugin provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// What it is.
    pub kind: Kind,
    /// The name a config file uses.
    pub name: String,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} {})", self.id, self.version)
    }
}

type Describe = extern "C" fn() -> RResult<RString, RawError>;
type Make<T> = extern "C" fn(RStr<'_>, ServicesObject) -> RResult<T, RawError>;

impl Plugin {
    /// A plugin made of what a test gives, without a handshake.
    #[cfg(feature = "testing")]
    pub(crate) fn under_test(builder: super::Builder) -> Self {
        Self {
            id: "under-test".to_owned(),
            version: String::new(),
            api: crate::API_VERSION.to_owned(),
            rustc: super::RUSTC.to_owned(),
            root: builder.finish(),
        }
    }

    /// Its id: `chat`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its own version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Version of this crate that it was built against.
    #[must_use]
    pub fn api(&self) -> &str {
        &self.api
    }

    /// The compiler that built it.
    #[must_use]
    pub fn rustc(&self) -> &str {
        &self.rustc
    }

    /// Everything it provides, by kind, in the order of its source.
    #[must_use]
    pub fn provides(&self) -> Vec<Provided> {
        Kind::ALL.into_iter().flat_map(|kind| self.named(kind)).collect()
    }

    fn named(&self, kind: Kind) -> Vec<Provided> {
        let names: Vec<RStr<'static>> = match kind {
            Kind::Renderer => self.root.renderers().iter().map(|f| f.name).collect(),
            Kind::Loss => self.root.losses().iter().map(|f| f.name).collect(),
            Kind::Storage => self.root.storages().iter().map(|f| f.name).collect(),
            Kind::Trainer => self.root.trainers().iter().map(|f| f.name).collect(),
        };
        names.into_iter().map(|name| Provided { kind, name: name.as_str().to_owned() }).collect()
    }

    /// What it says about one thing.
    ///
    /// # Errors
    /// `not_found` if it does not provide that; `panic`.
    pub fn describe(&self, kind: Kind, name: &str) -> Result<Description> {
        let describe: Describe = match kind {
            Kind::Renderer => self.factory(self.root.renderers(), kind, name)?.describe,
            Kind::Loss => self.loss_factory(name)?.describe,
            Kind::Storage => self.factory(self.root.storages(), kind, name)?.describe,
            Kind::Trainer => self.factory(self.root.trainers(), kind, name)?.describe,
        };
        let json = from_raw(describe()).map_err(|e| self.named_in(e))?;
        serde_json::from_str(&json).map_err(|e| {
            self.named_in(Error::from(e).context(format!("description of {kind} `{name}`")))
        })
    }

    /// Builds a renderer from its config section.
    ///
    /// # Errors
    /// `config` with the path of the key; `not_found`; `panic`.
    pub fn renderer(
        &self,
        name: &str,
        config: &Map<String, Value>,
        services: &Services,
    ) -> Result<Arc<dyn RendererHandle>> {
        let make = self.factory(self.root.renderers(), Kind::Renderer, name)?.make;
        Ok(Arc::new(Imported(self.make(make, config, services)?)))
    }

    /// Builds a loss from its config section.
    ///
    /// # Errors
    /// As [`Plugin::renderer`].
    pub fn loss(&self, name: &str, config: &Map<String, Value>) -> Result<Arc<dyn LossHandle>> {
        let make = self.loss_factory(name)?.make;
        let json = serde_json::to_string(config)?;
        let raw = from_raw(make(json.as_str().into())).map_err(|e| self.named_in(e))?;
        import_loss(raw)
    }

    /// Opens a storage from its config section.
    ///
    /// # Errors
    /// As [`Plugin::renderer`].
    pub fn storage(
        &self,
        scheme: &str,
        config: &Map<String, Value>,
        services: &Services,
    ) -> Result<Arc<dyn StorageHandle>> {
        let make = self.factory(self.root.storages(), Kind::Storage, scheme)?.make;
        Ok(import_storage(self.make(make, config, services)?))
    }

    /// Builds a trainer from its config section.
    ///
    /// # Errors
    /// As [`Plugin::renderer`].
    pub fn trainer(
        &self,
        name: &str,
        config: &Map<String, Value>,
        services: &Services,
    ) -> Result<Arc<dyn TrainerHandle>> {
        let make = self.factory(self.root.trainers(), Kind::Trainer, name)?.make;
        Ok(Arc::new(Imported(self.make(make, config, services)?)))
    }

    fn make<T>(
        &self,
        make: Make<T>,
        config: &Map<String, Value>,
        services: &Services,
    ) -> Result<T> {
        let json = serde_json::to_string(config)?;
        let result = make(json.as_str().into(), export_services(services));
        from_raw(result).map_err(|e| self.named_in(e))
    }

    fn named_in(&self, e: Error) -> Error {
        e.context(format!("plugin `{}`", self.id))
    }

    fn factory<T>(
        &self,
        all: RSlice<'static, Factory<T>>,
        kind: Kind,
        name: &str,
    ) -> Result<&'static Factory<T>> {
        let found = all.as_slice().iter().find(|factory| factory.name.as_str() == name);
        found.ok_or_else(|| self.missing(kind, name))
    }

    fn loss_factory(&self, name: &str) -> Result<&'static super::root::LossFactory> {
        let all = self.root.losses().as_slice();
        let found = all.iter().find(|factory| factory.name.as_str() == name);
        found.ok_or_else(|| self.missing(Kind::Loss, name))
    }

    fn missing(&self, kind: Kind, name: &str) -> Error {
        let names: Vec<String> = self.named(kind).into_iter().map(|p| p.name).collect();
        let e = Error::not_found(format!("plugin `{}` has no {kind} `{name}`", self.id));
        match names.is_empty() {
            true => e.with_hint(format!("it provides no {kind} at all")),
            false => e.with_hint(format!("it provides `{}`", names.join("`, `"))),
        }
    }
}
