//! A training run as it crosses.

use super::{
    Contained, Exported, Imported, RawError,
    batch::{RawBatch, lend},
    done::{DoneObject, RawForward, RawMetric, answer, export_done},
    error::from_raw,
    guard,
    loss::{RawLoss, export_loss, import_loss},
    std_types::{RBox, RNone, ROption, RResult, RSome, RStr, RString, RVec},
};
use crate::{
    Adam, Batch, Done, Error, EvaluateLoss, Forward, LossRef, Metrics, Outcome, Result, Run, RunId,
    Save, Saved,
};
use abi_stable::{StableAbi, sabi_trait, sabi_trait::TD_Opaque};
use std::sync::Arc;

/// [`Run`], laid out to cross.
#[sabi_trait]
pub trait RawRun: Send + 'static {
    /// See [`Run::forward`].
    fn forward(&mut self, batch: RawBatch<'_>, done: DoneObject<RawForward>);
    /// See [`Run::forward_backward`].
    fn forward_backward(
        &mut self,
        batch: RawBatch<'_>,
        loss: RawLossRef<'_>,
        done: DoneObject<RawForward>,
    );
    /// `adam` is an [`Adam`] as JSON.
    fn optim_step(&mut self, adam: RStr<'_>, done: DoneObject<RVec<RawMetric>>);
    /// `what` is a [`Save`] as JSON.
    fn save(&mut self, what: RStr<'_>, done: DoneObject<RString>);
    /// `why` is an [`Outcome`] as JSON.
    #[sabi(last_prefix_field)]
    fn close(&mut self, why: RStr<'_>) -> RResult<(), RawError>;
}

/// A run that crosses.
#[repr(C)]
#[derive(StableAbi)]
pub struct OpenedRun {
    id: RString,
    run: RawRun_TO<RBox<()>>,
}

/// [`LossRef`], lent for the time of one call.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawLossRef<'a> {
    name: RStr<'a>,
    /// JSON.
    config: RStr<'a>,
    /// The loss itself, where the trainer calls back.
    call: ROption<RawLoss>,
}

/// Offers a plugin's run to the host.
pub(super) fn export_run(trainer: &str, run: Box<dyn Run>) -> OpenedRun {
    let id = run.id().0.into();
    let held = Held { what: format!("run of {trainer}"), run: Contained::new(run) };
    OpenedRun { id, run: RawRun_TO::from_value(Exported(held), TD_Opaque) }
}

/// Uses a run that crossed.
pub(super) fn import_run(raw: OpenedRun) -> Box<dyn Run> {
    Box::new(Imported(raw))
}

struct Held {
    what: String,
    run: Contained<Box<dyn Run>>,
}

impl RawRun for Exported<Held> {
    fn forward(&mut self, batch: RawBatch<'_>, done: DoneObject<RawForward>) {
        let Held { what, run } = &mut self.0;
        answer::<Forward, _>(
            what,
            done,
            || Ok((run.get_mut()?, batch.to_shared())),
            |(run, batch), done| run.forward(batch, done),
        );
    }

    fn forward_backward(
        &mut self,
        batch: RawBatch<'_>,
        loss: RawLossRef<'_>,
        done: DoneObject<RawForward>,
    ) {
        let Held { what, run } = &mut self.0;
        answer::<Forward, _>(
            what,
            done,
            || Ok((run.get_mut()?, batch.to_shared(), loss.into_plain()?)),
            |(run, batch, loss), done| {
                run.forward_backward(batch, loss, done);
            },
        );
    }

    fn optim_step(&mut self, adam: RStr<'_>, done: DoneObject<RVec<RawMetric>>) {
        let Held { what, run } = &mut self.0;
        answer::<Metrics, _>(
            what,
            done,
            || Ok((run.get_mut()?, control::<Adam>(adam)?)),
            |(run, adam), done| run.optim_step(adam, done),
        );
    }

    fn save(&mut self, save: RStr<'_>, done: DoneObject<RString>) {
        let Held { what, run } = &mut self.0;
        answer::<Saved, _>(
            what,
            done,
            || Ok((run.get_mut()?, control::<Save>(save)?)),
            |(run, save), done| run.save(save, done),
        );
    }

    fn close(&mut self, why: RStr<'_>) -> RResult<(), RawError> {
        let Held { what, run } = &mut self.0;
        guard(what, || {
            let why: Outcome = control(why)?;
            run.take()?.close(why)
        })
    }
}

/// What cannot be read was not begun: `rejected`.
fn control<T: serde::de::DeserializeOwned>(json: RStr<'_>) -> Result<T> {
    serde_json::from_str(json.as_str()).map_err(|e| Error::rejected(e.to_string()))
}

fn to_control<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::rejected(e.to_string()))
}

impl RawLossRef<'_> {
    fn into_plain(self) -> Result<LossRef> {
        let call: Option<Arc<dyn EvaluateLoss>> = match self.call {
            RSome(raw) => Some(import_loss(raw)?),
            RNone => None,
        };
        Ok(LossRef { name: self.name.as_str().to_owned(), config: control(self.config)?, call })
    }
}

impl Run for Imported<OpenedRun> {
    fn id(&self) -> RunId {
        RunId(self.0.id.to_string())
    }

    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>) {
        let run = &mut self.0.run;
        lend(&batch, |raw| run.forward(raw, export_done(done)));
    }

    fn forward_backward(&mut self, batch: Arc<Batch>, loss: LossRef, done: Done<Forward>) {
        let config = match to_control(&loss.config) {
            Ok(config) => config,
            Err(e) => return done.finish(Err(e)),
        };
        let run = &mut self.0.run;
        let raw_loss = RawLossRef {
            name: loss.name.as_str().into(),
            config: config.as_str().into(),
            call: loss.call.map(export_loss).into(),
        };
        lend(&batch, |raw| run.forward_backward(raw, raw_loss, export_done(done)));
    }

    fn optim_step(&mut self, adam: Adam, done: Done<Metrics>) {
        match to_control(&adam) {
            Ok(json) => self.0.run.optim_step(json.as_str().into(), export_done(done)),
            Err(e) => done.finish(Err(e)),
        }
    }

    fn save(&mut self, what: Save, done: Done<Saved>) {
        match to_control(&what) {
            Ok(json) => self.0.run.save(json.as_str().into(), export_done(done)),
            Err(e) => done.finish(Err(e)),
        }
    }

    fn close(mut self: Box<Self>, why: Outcome) -> Result<()> {
        from_raw(self.0.run.close(to_control(&why)?.as_str().into()))
    }
}
