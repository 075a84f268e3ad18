//! A sampler as it crosses.

use super::{
    Contained, Exported, Imported,
    done::{DoneObject, RawSamples, answer, export_done},
    std_types::{RBox, RSlice, RStr},
};
use crate::{Done, Error, SampleRequest, Sampler, Samples};
use abi_stable::{sabi_trait, sabi_trait::TD_Opaque};

/// [`Sampler`], laid out to cross.
#[sabi_trait]
pub trait RawSampler: Send + Sync + 'static {
    /// `request` is a [`SampleRequest`] as JSON, without its prompt.
    #[sabi(last_prefix_field)]
    fn sample(&self, request: RStr<'_>, prompt: RSlice<'_, i32>, done: DoneObject<RawSamples>);
}

/// A sampler that crosses.
pub type SamplerObject = RawSampler_TO<RBox<()>>;

/// Offers a plugin's sampler to the host.
pub(super) fn export_sampler(trainer: &str, sampler: Box<dyn Sampler>) -> SamplerObject {
    let held = (format!("sampler of {trainer}"), Contained::new(sampler));
    RawSampler_TO::from_value(Exported(held), TD_Opaque)
}

/// Uses a sampler that crossed.
pub(super) fn import_sampler(raw: SamplerObject) -> Box<dyn Sampler> {
    Box::new(Imported(raw))
}

impl RawSampler for Exported<(String, Contained<Box<dyn Sampler>>)> {
    fn sample(&self, request: RStr<'_>, prompt: RSlice<'_, i32>, done: DoneObject<RawSamples>) {
        let (what, sampler) = &self.0;
        let prepare = || {
            let request: SampleRequest = serde_json::from_str(request.as_str())
                .map_err(|e| Error::rejected(e.to_string()).context("sampling request"))?;
            Ok((sampler.get()?, SampleRequest { prompt: prompt.to_vec(), ..request }))
        };
        answer::<Samples, _>(what, done, prepare, |(sampler, request), done| {
            sampler.sample(request, done);
        });
    }
}

impl Sampler for Imported<SamplerObject> {
    fn sample(&self, request: SampleRequest, done: Done<Samples>) {
        let prompt = request.prompt;
        match serde_json::to_string(&SampleRequest { prompt: Vec::new(), ..request }) {
            Ok(json) => {
                let (json, prompt) = (json.as_str().into(), prompt.as_slice().into());
                self.0.sample(json, prompt, export_done(done));
            }
            Err(e) => done.finish(Err(Error::rejected(e.to_string()))),
        }
    }
}
