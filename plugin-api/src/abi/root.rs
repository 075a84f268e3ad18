//! The list of what a plugin provides, and how `plugin!` builds it.

use super::{
    Description, Kind, RawError, guard,
    loss::{RawLoss, make_loss},
    renderer::{RendererObject, make_renderer},
    services::ServicesObject,
    std_types::{RResult, RSlice, RStr, RString},
    storage::{StorageObject, make_storage},
    trainer::{TrainerObject, make_trainer},
};
use crate::{DatasetRenderer, Loss, LossScope, Result, StorageBackend, Trainer};
use abi_stable::{StableAbi, prefix_type::PrefixTypeTrait, type_layout::TypeLayout};

/// What a plugin provides, as data. A field added at the end needs no new ABI number.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRoot, prefix_fields = RootPrefix)))]
#[sabi(missing_field(panic))]
pub struct Root {
    pub(super) renderers: RSlice<'static, Factory<RendererObject>>,
    pub(super) losses: RSlice<'static, LossFactory>,
    pub(super) storages: RSlice<'static, Factory<StorageObject>>,
    #[sabi(last_prefix_field)]
    pub(super) trainers: RSlice<'static, Factory<TrainerObject>>,
}

/// Makes renderers, storages or trainers of one name.
#[repr(C)]
#[derive(StableAbi)]
pub struct Factory<T> {
    pub(super) name: RStr<'static>,
    /// A [`Description`] as JSON.
    pub(super) describe: extern "C" fn() -> RResult<RString, RawError>,
    /// From a config section as JSON.
    pub(super) make: extern "C" fn(RStr<'_>, ServicesObject) -> RResult<T, RawError>,
}

/// Makes losses of one name. A loss borrows nothing from the host.
#[repr(C)]
#[derive(StableAbi)]
pub struct LossFactory {
    pub(super) name: RStr<'static>,
    /// A [`Description`] as JSON.
    pub(super) describe: extern "C" fn() -> RResult<RString, RawError>,
    /// From a config section as JSON.
    pub(super) make: extern "C" fn(RStr<'_>) -> RResult<RawLoss, RawError>,
}

/// How this build lays out everything that crosses.
#[must_use]
pub const fn root_layout() -> &'static TypeLayout {
    <PluginRoot as StableAbi>::LAYOUT
}

/// Collects what a plugin provides. `plugin!` uses it.
#[derive(Default)]
pub struct Builder {
    renderers: Vec<Factory<RendererObject>>,
    losses: Vec<LossFactory>,
    storages: Vec<Factory<StorageObject>>,
    trainers: Vec<Factory<TrainerObject>>,
}

impl Builder {
    /// Adds a renderer.
    pub fn renderer<T: DatasetRenderer>(&mut self) {
        let name = RStr::from_str(T::NAME);
        let (describe, make) = (describe_renderer::<T> as _, make_renderer::<T> as _);
        self.renderers.push(Factory { name, describe, make });
    }

    /// Adds a loss.
    pub fn loss<T: Loss>(&mut self) {
        let name = RStr::from_str(T::NAME);
        self.losses.push(LossFactory { name, describe: describe_loss::<T>, make: make_loss::<T> });
    }

    /// Adds a storage backend.
    pub fn storage<T: StorageBackend>(&mut self) {
        let name = RStr::from_str(T::SCHEME);
        let (describe, make) = (describe_storage::<T> as _, make_storage::<T> as _);
        self.storages.push(Factory { name, describe, make });
    }

    /// Adds a trainer.
    pub fn trainer<T: Trainer>(&mut self) {
        let name = RStr::from_str(T::NAME);
        let (describe, make) = (describe_trainer::<T> as _, make_trainer::<T> as _);
        self.trainers.push(Factory { name, describe, make });
    }

    /// The list. It lives as long as the process: plugins are never unloaded.
    #[must_use]
    pub fn finish(self) -> PluginRoot {
        let root = Root {
            renderers: RSlice::from_slice(self.renderers.leak()),
            losses: RSlice::from_slice(self.losses.leak()),
            storages: RSlice::from_slice(self.storages.leak()),
            trainers: RSlice::from_slice(self.trainers.leak()),
        };
        root.leak_into_prefix()
    }
}

fn to_json(kind: Kind, name: &str, f: fn() -> Description) -> RResult<RString, RawError> {
    guard(&format!("{kind} `{name}`"), || -> Result<RString> {
        Ok(serde_json::to_string(&f())?.into())
    })
}

extern "C" fn describe_renderer<T: DatasetRenderer>() -> RResult<RString, RawError> {
    to_json(Kind::Renderer, T::NAME, || {
        Description::new::<T::Config>(Kind::Renderer, T::NAME, T::SUMMARY)
    })
}

extern "C" fn describe_loss<T: Loss>() -> RResult<RString, RawError> {
    to_json(Kind::Loss, T::NAME, || {
        let scope = match T::SCOPE {
            LossScope::Token => "token",
            LossScope::Group => "group",
            LossScope::Batch => "batch",
        };
        Description {
            inputs: T::INPUTS.iter().map(|&name| name.to_owned()).collect(),
            scope: Some(scope.to_owned()),
            ..Description::new::<T::Config>(Kind::Loss, T::NAME, T::SUMMARY)
        }
    })
}

extern "C" fn describe_storage<T: StorageBackend>() -> RResult<RString, RawError> {
    to_json(Kind::Storage, T::SCHEME, || {
        Description::new::<T::Config>(Kind::Storage, T::SCHEME, T::SUMMARY)
    })
}

extern "C" fn describe_trainer<T: Trainer>() -> RResult<RString, RawError> {
    to_json(Kind::Trainer, T::NAME, || {
        Description::new::<T::Config>(Kind::Trainer, T::NAME, T::SUMMARY)
    })
}
