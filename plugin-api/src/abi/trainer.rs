//! Trainers as they cross.

use super::{
    Contained, Exported, Imported, RawError, config,
    error::from_raw,
    guard,
    run::{OpenedRun, export_run, import_run},
    sampler::{SamplerObject, export_sampler, import_sampler},
    services::{ServicesObject, import_services},
    std_types::{RBox, ROption, RResult, RSlice, RStr, RString},
};
use crate::{
    Capabilities, Checkpoint, Error, Export, FileSink, OpenRun, Result, Run, RunId, Sampler,
    Trainer, TrainerHandle,
};
use abi_stable::{sabi_trait, sabi_trait::TD_Opaque};
use serde::{Serialize, de::DeserializeOwned};

/// [`Trainer`], laid out to cross.
#[sabi_trait]
pub trait RawTrainer: Send + Sync + 'static {
    /// [`Capabilities`] as JSON.
    fn capabilities(&self) -> RResult<RString, RawError>;
    /// `from` is an [`OpenRun`] as JSON.
    fn open(&self, from: RStr<'_>) -> RResult<OpenedRun, RawError>;
    /// See [`Trainer::sampler`].
    fn sampler(&self, source: RStr<'_>) -> RResult<SamplerObject, RawError>;
    /// A list of [`Checkpoint`]s as JSON.
    fn checkpoints(&self, run: ROption<RStr<'_>>) -> RResult<RString, RawError>;
    /// See [`Trainer::delete`].
    fn delete(&self, uri: RStr<'_>) -> RResult<(), RawError>;
    /// See [`Trainer::set_ttl`].
    fn set_ttl(&self, uri: RStr<'_>, seconds: ROption<u64>) -> RResult<(), RawError>;
    /// See [`Trainer::publish`].
    fn publish(&self, uri: RStr<'_>, public: bool) -> RResult<(), RawError>;
    /// `what` is an [`Export`] as JSON.
    #[sabi(last_prefix_field)]
    fn export(&self, uri: RStr<'_>, what: RStr<'_>, out: SinkObject<'_>) -> RResult<(), RawError>;
}

/// [`FileSink`], laid out to cross.
#[sabi_trait]
pub trait RawSink {
    /// See [`FileSink::start`].
    fn start(&mut self, name: RStr<'_>) -> RResult<(), RawError>;
    /// See [`FileSink::write`].
    fn write(&mut self, bytes: RSlice<'_, u8>) -> RResult<(), RawError>;
    /// See [`FileSink::finish`].
    #[sabi(last_prefix_field)]
    fn finish(&mut self) -> RResult<(), RawError>;
}

/// A trainer that crosses.
pub type TrainerObject = RawTrainer_TO<RBox<()>>;
/// A sink that crosses, for the time of one export.
pub type SinkObject<'a> = RawSink_TO<'a, RBox<()>>;

/// Builds a trainer, plugin side.
pub extern "C" fn make_trainer<T: Trainer>(
    json: RStr<'_>,
    services: ServicesObject,
) -> RResult<TrainerObject, RawError> {
    let what = format!("trainer `{}`", T::NAME);
    guard(&what, || {
        let config = config::parse(&what, json.as_str())?;
        let trainer = Contained::new(T::new(config, import_services(services))?);
        let held = Exported(Held { what: what.clone(), trainer });
        Ok(RawTrainer_TO::from_value(held, TD_Opaque))
    })
}

struct Held<T> {
    what: String,
    trainer: Contained<T>,
}

impl<T: Trainer> RawTrainer for Exported<Held<T>> {
    fn capabilities(&self) -> RResult<RString, RawError> {
        guard(&self.0.what, || to_json(&self.0.trainer.get()?.capabilities()?))
    }

    fn open(&self, from: RStr<'_>) -> RResult<OpenedRun, RawError> {
        guard(&self.0.what, || {
            let run = self.0.trainer.get()?.open(parse(&from)?)?;
            Ok(export_run(&self.0.what, run))
        })
    }

    fn sampler(&self, source: RStr<'_>) -> RResult<SamplerObject, RawError> {
        guard(&self.0.what, || {
            let sampler = self.0.trainer.get()?.sampler(source.as_str())?;
            Ok(export_sampler(&self.0.what, sampler))
        })
    }

    fn checkpoints(&self, run: ROption<RStr<'_>>) -> RResult<RString, RawError> {
        guard(&self.0.what, || {
            let run = run.into_option().map(|id| RunId(id.as_str().to_owned()));
            to_json(&self.0.trainer.get()?.checkpoints(run.as_ref())?)
        })
    }

    fn delete(&self, uri: RStr<'_>) -> RResult<(), RawError> {
        guard(&self.0.what, || self.0.trainer.get()?.delete(uri.as_str()))
    }

    fn set_ttl(&self, uri: RStr<'_>, seconds: ROption<u64>) -> RResult<(), RawError> {
        guard(&self.0.what, || self.0.trainer.get()?.set_ttl(uri.as_str(), seconds.into_option()))
    }

    fn publish(&self, uri: RStr<'_>, public: bool) -> RResult<(), RawError> {
        guard(&self.0.what, || self.0.trainer.get()?.publish(uri.as_str(), public))
    }

    fn export(&self, uri: RStr<'_>, what: RStr<'_>, out: SinkObject<'_>) -> RResult<(), RawError> {
        guard(&self.0.what, || {
            let what = parse(&what)?;
            self.0.trainer.get()?.export(uri.as_str(), what, &mut Imported(out))
        })
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<RString> {
    Ok(serde_json::to_string(value)?.into())
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| Error::rejected(e.to_string()))
}

impl FileSink for Imported<SinkObject<'_>> {
    fn start(&mut self, name: &str) -> Result<()> {
        from_raw(self.0.start(name.into()))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        from_raw(self.0.write(bytes.into()))
    }

    fn finish(&mut self) -> Result<()> {
        from_raw(self.0.finish())
    }
}

impl RawSink for Exported<&mut dyn FileSink> {
    fn start(&mut self, name: RStr<'_>) -> RResult<(), RawError> {
        guard("export", || self.0.start(name.as_str()))
    }

    fn write(&mut self, bytes: RSlice<'_, u8>) -> RResult<(), RawError> {
        guard("export", || self.0.write(bytes.as_slice()))
    }

    fn finish(&mut self) -> RResult<(), RawError> {
        guard("export", || self.0.finish())
    }
}

impl TrainerHandle for Imported<TrainerObject> {
    fn capabilities(&self) -> Result<Capabilities> {
        parse(&from_raw(self.0.capabilities())?)
    }

    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>> {
        let json = serde_json::to_string(&from)?;
        from_raw(self.0.open(json.as_str().into())).map(import_run)
    }

    fn sampler(&self, source: &str) -> Result<Box<dyn Sampler>> {
        from_raw(self.0.sampler(source.into())).map(import_sampler)
    }

    fn checkpoints(&self, run: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        let run = run.map(|id| RStr::from(id.0.as_str()));
        parse(&from_raw(self.0.checkpoints(run.into()))?)
    }

    fn delete(&self, uri: &str) -> Result<()> {
        from_raw(self.0.delete(uri.into()))
    }

    fn set_ttl(&self, uri: &str, seconds: Option<u64>) -> Result<()> {
        from_raw(self.0.set_ttl(uri.into(), seconds.into()))
    }

    fn publish(&self, uri: &str, public: bool) -> Result<()> {
        from_raw(self.0.publish(uri.into(), public))
    }

    fn export(&self, uri: &str, what: Export, out: &mut dyn FileSink) -> Result<()> {
        let what = serde_json::to_string(&what)?;
        let sink = RawSink_TO::from_value(Exported(out), TD_Opaque);
        from_raw(self.0.export(uri.into(), what.as_str().into(), sink))
    }
}
