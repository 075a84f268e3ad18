//! Losses as they cross: the plugin's loss to the host, and the host's loss into the backward pass
//! of a trainer. The gradient is written into the caller's buffer.

use super::{
    Contained, Exported, Imported, RawError, config,
    done::{RawMetric, metrics_from_raw, metrics_to_raw},
    error::from_raw,
    guard,
    std_types::{RBox, RResult, RSlice, RSliceMut, RStr, RString, RVec},
};
use crate::{
    Error, EvaluateLoss, Loss, LossBatch, LossHandle, LossScope, LossValue, RemoteLoss, Result,
};
use abi_stable::{StableAbi, sabi_trait, sabi_trait::TD_Opaque};
use std::sync::Arc;

/// A loss that crosses. What never changes during its life is data, not a call.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawLoss {
    /// See [`EvaluateLoss::inputs`].
    inputs: RVec<RString>,
    /// 0 token, 1 group, 2 batch.
    scope: u8,
    /// A [`RemoteLoss`] as JSON, or nothing.
    remote: RString,
    call: RawEvaluate_TO<RBox<()>>,
}

/// [`EvaluateLoss`], laid out to cross.
#[sabi_trait]
pub trait RawEvaluate: Send + Sync + 'static {
    /// See [`Loss::evaluate`]. `gradient[T]` is overwritten.
    #[sabi(last_prefix_field)]
    fn evaluate(
        &self,
        batch: RawLossBatch<'_>,
        gradient: RSliceMut<'_, f32>,
    ) -> RResult<RawLossValue, RawError>;
}

/// [`LossBatch`], lent for the time of one call. Arrays as there.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawLossBatch<'a> {
    logprobs: RSlice<'a, f32>,
    inputs: RSlice<'a, RSlice<'a, f32>>,
    offsets: RSlice<'a, u64>,
    groups: RSlice<'a, u64>,
}

/// [`LossValue`], laid out to cross.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawLossValue {
    sum: f64,
    metrics: RVec<RawMetric>,
}

/// Builds a loss, plugin side.
pub extern "C" fn make_loss<T: Loss>(json: RStr<'_>) -> RResult<RawLoss, RawError> {
    let what = format!("loss `{}`", T::NAME);
    guard(&what, || {
        let loss = T::new(config::parse(&what, json.as_str())?)?;
        let remote = match loss.remote() {
            Some(remote) => serde_json::to_string(&remote)?.into(),
            None => RString::new(),
        };
        let inputs = T::INPUTS.iter().map(|name| RString::from(*name)).collect();
        let call: Box<Evaluate> = Box::new(move |batch, gradient| loss.evaluate(batch, gradient));
        Ok(RawLoss {
            inputs,
            scope: scope_to_raw(T::SCOPE),
            remote,
            call: export(what.clone(), call),
        })
    })
}

/// Offers the host's loss to a trainer.
pub(super) fn export_loss(loss: Arc<dyn EvaluateLoss>) -> RawLoss {
    let inputs = loss.inputs().iter().map(|name| RString::from(name.as_str())).collect();
    let scope = scope_to_raw(loss.scope());
    let call: Box<Evaluate> = Box::new(move |batch, gradient| loss.evaluate(batch, gradient));
    RawLoss { inputs, scope, remote: RString::new(), call: export("the run's loss".into(), call) }
}

/// Uses a loss that crossed.
pub(super) fn import_loss(raw: RawLoss) -> Result<Arc<dyn LossHandle>> {
    let remote = match raw.remote.as_str() {
        "" => None,
        json => Some(serde_json::from_str(json)?),
    };
    let inputs = raw.inputs.into_iter().map(RString::into_string).collect();
    let scope = scope_from_raw(raw.scope)?;
    Ok(Arc::new(Imported(Held { inputs, scope, remote, call: raw.call })))
}

/// A [`RawLoss`] made ready for use.
struct Held {
    inputs: Vec<String>,
    scope: LossScope,
    remote: Option<RemoteLoss>,
    call: RawEvaluate_TO<RBox<()>>,
}

type Evaluate = dyn Fn(&LossBatch<'_>, &mut [f32]) -> Result<LossValue> + Send + Sync;

fn export(what: String, call: Box<Evaluate>) -> RawEvaluate_TO<RBox<()>> {
    RawEvaluate_TO::from_value(Exported((what, Contained::new(call))), TD_Opaque)
}

fn scope_to_raw(scope: LossScope) -> u8 {
    match scope {
        LossScope::Token => 0,
        LossScope::Group => 1,
        LossScope::Batch => 2,
    }
}

fn scope_from_raw(number: u8) -> Result<LossScope> {
    match number {
        0 => Ok(LossScope::Token),
        1 => Ok(LossScope::Group),
        2 => Ok(LossScope::Batch),
        _ => Err(Error::unsupported(format!("loss of scope {number}, which this build lacks"))),
    }
}

impl RawEvaluate for Exported<(String, Contained<Box<Evaluate>>)> {
    fn evaluate(
        &self,
        raw: RawLossBatch<'_>,
        mut gradient: RSliceMut<'_, f32>,
    ) -> RResult<RawLossValue, RawError> {
        let (what, call) = &self.0;
        guard(what, || {
            let inputs: Vec<&[f32]> = raw.inputs.iter().map(RSlice::as_slice).collect();
            let batch = LossBatch {
                logprobs: raw.logprobs.as_slice(),
                inputs: &inputs,
                offsets: raw.offsets.as_slice(),
                groups: raw.groups.as_slice(),
            };
            let gradient = gradient.as_mut_slice();
            gradient.fill(0.0);
            let value = call.get()?(&batch, gradient)?;
            Ok(RawLossValue { sum: value.sum, metrics: metrics_to_raw(value.metrics) })
        })
    }
}

impl EvaluateLoss for Imported<Held> {
    fn inputs(&self) -> &[String] {
        &self.0.inputs
    }

    fn scope(&self) -> LossScope {
        self.0.scope
    }

    fn evaluate(&self, batch: &LossBatch<'_>, gradient: &mut [f32]) -> Result<LossValue> {
        let tokens = batch.logprobs.len();
        let whole = batch.inputs.len() == self.0.inputs.len()
            && batch.inputs.iter().all(|column| column.len() == tokens)
            && gradient.len() == tokens;
        if !whole {
            return Err(Error::rejected(format!(
                "the loss takes {} columns and a gradient of {tokens} values each",
                self.0.inputs.len()
            )));
        }
        let inputs: Vec<RSlice<'_, f32>> = batch.inputs.iter().map(|c| RSlice::from(*c)).collect();
        let raw = RawLossBatch {
            logprobs: batch.logprobs.into(),
            inputs: inputs.as_slice().into(),
            offsets: batch.offsets.into(),
            groups: batch.groups.into(),
        };
        let value = from_raw(self.0.call.evaluate(raw, gradient.into()))?;
        Ok(LossValue { sum: value.sum, metrics: metrics_from_raw(&value.metrics) })
    }
}

impl LossHandle for Imported<Held> {
    fn remote(&self) -> Result<Option<RemoteLoss>> {
        Ok(self.0.remote.clone())
    }
}
