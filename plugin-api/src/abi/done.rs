//! Promises as they cross: the host's [`Done`] inside a plugin, and the answers it carries.

use super::{
    Contained, Exported, RawError,
    error::from_raw,
    guard::{caught, quietly, unwinding},
    std_types::{RBox, RNone, ROption, RResult, RSlice, RSome, RStr, RString, RVec},
    to_raw,
};
use crate::{
    Done, DoneSink, Error, ErrorKind, Forward, Metrics, Result, Sampled, Samples, Saved,
    StopReason, TopLogprobs,
};
use abi_stable::{StableAbi, sabi_trait, sabi_trait::TD_Opaque};
use std::sync::{Arc, Mutex, PoisonError};

/// [`DoneSink`], laid out to cross. Dropped unfinished, the host answers `lost`.
#[sabi_trait]
pub trait RawDone<T>: Send + 'static {
    /// See [`DoneSink::finish`].
    fn finish(&mut self, result: RResult<T, RawError>);
    /// See [`DoneSink::partial`].
    fn partial(&mut self, tokens: RSlice<'_, i32>);
    /// See [`DoneSink::waiting`].
    fn waiting(&mut self, reason: RStr<'_>);
    /// See [`DoneSink::cancelled`].
    #[sabi(last_prefix_field)]
    fn cancelled(&self) -> bool;
}

/// A promise that crosses.
pub type DoneObject<T> = RawDone_TO<RBox<()>, T>;

/// One named figure. Not JSON, which has no NaN and no infinity.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawMetric {
    name: RString,
    value: f64,
}

/// [`Forward`], laid out to cross.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawForward {
    logprobs: RVec<f32>,
    metrics: RVec<RawMetric>,
}

/// [`Samples`], laid out to cross.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawSamples {
    sequences: RVec<RawSampled>,
    /// NaN stands for none.
    prompt_logprobs: ROption<RVec<f32>>,
    topk_prompt_logprobs: ROption<RawTop>,
    target_prompt_logprobs: ROption<RVec<f32>>,
}

/// [`Sampled`], laid out to cross.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawSampled {
    tokens: RVec<i32>,
    logprobs: RVec<f32>,
    /// Whether `max_tokens` or the context length ended it.
    length: bool,
    topk_logprobs: ROption<RawTop>,
}

/// [`TopLogprobs`], laid out to cross: the tokens of all places end to end.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawTop {
    /// Tokens of each place.
    counts: RVec<u32>,
    tokens: RVec<i32>,
    logprobs: RVec<f32>,
}

fn top_to_raw(top: &TopLogprobs) -> RawTop {
    RawTop {
        counts: top.iter().map(|place| place.len() as u32).collect(),
        tokens: top.iter().flatten().map(|(token, _)| *token).collect(),
        logprobs: top.iter().flatten().map(|(_, logprob)| *logprob).collect(),
    }
}

fn top_from_raw(raw: RawTop) -> TopLogprobs {
    let mut pairs = raw.tokens.into_iter().zip(raw.logprobs);
    raw.counts.into_iter().map(|count| pairs.by_ref().take(count as usize).collect()).collect()
}

/// An answer that has a form to cross in.
pub(super) trait Answer: Sized + Send + 'static {
    type Raw: StableAbi + Send + 'static;
    fn to_raw(self) -> Result<Self::Raw>;
    fn from_raw(raw: Self::Raw) -> Result<Self>;
}

pub(super) fn metrics_to_raw(metrics: Metrics) -> RVec<RawMetric> {
    metrics.into_iter().map(|(name, value)| RawMetric { name: name.into(), value }).collect()
}

pub(super) fn metrics_from_raw(raw: &[RawMetric]) -> Metrics {
    raw.iter().map(|metric| (metric.name.as_str().to_owned(), metric.value)).collect()
}

impl Answer for Forward {
    type Raw = RawForward;

    fn to_raw(self) -> Result<RawForward> {
        Ok(RawForward { logprobs: self.logprobs.into(), metrics: metrics_to_raw(self.metrics) })
    }

    fn from_raw(raw: RawForward) -> Result<Self> {
        Ok(Self { logprobs: raw.logprobs.into_vec(), metrics: metrics_from_raw(&raw.metrics) })
    }
}

impl Answer for Metrics {
    type Raw = RVec<RawMetric>;

    fn to_raw(self) -> Result<RVec<RawMetric>> {
        Ok(metrics_to_raw(self))
    }

    fn from_raw(raw: RVec<RawMetric>) -> Result<Self> {
        Ok(metrics_from_raw(&raw))
    }
}

impl Answer for Saved {
    /// JSON.
    type Raw = RString;

    fn to_raw(self) -> Result<RString> {
        Ok(serde_json::to_string(&self)?.into())
    }

    fn from_raw(raw: RString) -> Result<Self> {
        Ok(serde_json::from_str(&raw)?)
    }
}

impl Answer for Samples {
    type Raw = RawSamples;

    fn to_raw(self) -> Result<RawSamples> {
        let sequence = |s: Sampled| RawSampled {
            tokens: s.tokens.into(),
            logprobs: s.logprobs.into(),
            length: s.stop_reason == StopReason::Length,
            topk_logprobs: s.topk_logprobs.as_ref().map(top_to_raw).into(),
        };
        let prompt = |values: Vec<Option<f32>>| {
            values.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect()
        };
        Ok(RawSamples {
            sequences: self.sequences.into_iter().map(sequence).collect(),
            prompt_logprobs: self.prompt_logprobs.map(prompt).into(),
            topk_prompt_logprobs: self.topk_prompt_logprobs.as_ref().map(top_to_raw).into(),
            target_prompt_logprobs: self.target_prompt_logprobs.map(RVec::from).into(),
        })
    }

    fn from_raw(raw: RawSamples) -> Result<Self> {
        let sequence = |s: RawSampled| Sampled {
            tokens: s.tokens.into_vec(),
            logprobs: s.logprobs.into_vec(),
            stop_reason: if s.length { StopReason::Length } else { StopReason::Stop },
            topk_logprobs: s.topk_logprobs.into_option().map(top_from_raw),
        };
        Ok(Self {
            sequences: raw.sequences.into_iter().map(sequence).collect(),
            prompt_logprobs: match raw.prompt_logprobs {
                RSome(values) => {
                    Some(values.into_iter().map(|v| (!v.is_nan()).then_some(v)).collect())
                }
                RNone => None,
            },
            topk_prompt_logprobs: raw.topk_prompt_logprobs.into_option().map(top_from_raw),
            target_prompt_logprobs: raw.target_prompt_logprobs.into_option().map(RVec::into_vec),
        })
    }
}

/// Offers the host's promise to a plugin.
pub(super) fn export_done<T: Answer>(done: Done<T>) -> DoneObject<T::Raw> {
    RawDone_TO::from_value(Exported(Contained::new(done)), TD_Opaque)
}

impl<T: Answer> RawDone<T::Raw> for Exported<Contained<Done<T>>> {
    fn finish(&mut self, result: RResult<T::Raw, RawError>) {
        if let Ok(done) = self.0.take() {
            quietly((), || done.finish(from_raw(result).and_then(T::from_raw)));
        }
    }

    fn partial(&mut self, tokens: RSlice<'_, i32>) {
        if let Ok(done) = self.0.get_mut() {
            quietly((), || done.partial(tokens.as_slice()));
        }
    }

    fn waiting(&mut self, reason: RStr<'_>) {
        if let Ok(done) = self.0.get_mut() {
            quietly((), || done.waiting(reason.as_str()));
        }
    }

    fn cancelled(&self) -> bool {
        self.0.get().is_ok_and(|done| quietly(false, || done.cancelled()))
    }
}

/// A promise inside a plugin: shared between the plugin's [`Done`] and the adapter of the call that
/// received it, which answers if the call panics.
pub(super) struct Pending<T: Answer>(Arc<Mutex<Option<DoneObject<T::Raw>>>>);

impl<T: Answer> Pending<T> {
    pub(super) fn new(raw: DoneObject<T::Raw>) -> Self {
        Self(Arc::new(Mutex::new(Some(raw))))
    }

    /// The plugin's side.
    pub(super) fn done(&self) -> Done<T> {
        Done::new(Box::new(Self(Arc::clone(&self.0))))
    }

    /// Answers with an error, unless an answer was given.
    pub(super) fn fail(&self, error: Error) {
        self.with(|slot| {
            if let Some(mut raw) = slot.take() {
                raw.finish(RResult::RErr(error.into()));
            }
        });
    }

    fn with<R>(&self, f: impl FnOnce(&mut Option<DoneObject<T::Raw>>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Answer> DoneSink<T> for Pending<T> {
    fn finish(&mut self, result: Result<T>) {
        let lost = result.as_ref().is_err_and(|e| e.kind() == ErrorKind::LOST);
        if lost && unwinding() {
            // Dropped by the panic of the very call that received it: the adapter will say so,
            // with file and line. Should another call have received it, dropping the last
            // reference answers `lost`.
            return;
        }
        self.with(|slot| {
            if let Some(mut raw) = slot.take() {
                raw.finish(to_raw(result.and_then(T::to_raw)));
            }
        });
    }

    fn partial(&mut self, tokens: &[i32]) {
        self.with(|slot| {
            if let Some(raw) = slot {
                raw.partial(tokens.into());
            }
        });
    }

    fn waiting(&mut self, reason: &str) {
        self.with(|slot| {
            if let Some(raw) = slot {
                raw.waiting(reason.into());
            }
        });
    }

    fn cancelled(&self) -> bool {
        self.with(|slot| slot.as_ref().is_some_and(RawDone_TO::cancelled))
    }
}

/// Runs an operation that answers through `raw`. What `prepare` refuses and where `call` panics is
/// the answer.
pub(super) fn answer<T: Answer, A>(
    what: &str,
    raw: DoneObject<T::Raw>,
    prepare: impl FnOnce() -> Result<A>,
    call: impl FnOnce(A, Done<T>),
) {
    let pending = Pending::<T>::new(raw);
    let result = caught(what, || {
        let arguments = prepare()?;
        call(arguments, pending.done());
        Ok(())
    });
    if let Err(e) = result.and_then(|result| result) {
        pending.fail(e);
    }
}
