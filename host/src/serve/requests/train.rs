//! Passes over batches, and steps of the optimizer.

use crate::serve::{
    app::App,
    models::{Forward, Model, Op},
};
use serde_json::{Map, Value};
use std::sync::Arc;
use tinsmith_plugin_api::{Adam, Error, ErrorKind, Result};
use tinsmith_tinker_wire::{
    columns::{self, Columns},
    datum::{Datum, to_batch, to_batch_of},
    messages::{AdamParams, ForwardBackward, OptimStep},
    proto::ForwardBackwardRequest,
};

/// A step of the optimizer.
pub fn step(app: &App, model: &Model, asked: OptimStep) -> Result<Op> {
    let params = match (asked.adam_params, asked.optimizer_params) {
        (Some(params), _) => params,
        (None, Some(other)) => adam_of(other)?,
        (None, None) => AdamParams::default(),
    };
    app.base(&model.base)?.honours_adam(&params)?;
    let AdamParams { learning_rate, beta1, beta2, eps, weight_decay, grad_clip_norm } = params;
    Ok(Op::Step(Adam { learning_rate, beta1, beta2, eps, weight_decay, grad_clip_norm }))
}

/// Parameters under the key of other optimizers may still be Adam's.
fn adam_of(params: Value) -> Result<AdamParams> {
    match params["type"].as_str() {
        None | Some("adam" | "adamw") => Ok(serde_json::from_value(params)?),
        Some(other) => Err(Error::rejected(format!("the optimizer `{other}` is not known here"))
            .with_hint("send `adam_params`")),
    }
}

/// A pass, in the binary dialect.
pub fn binary(app: &App, model: &Model, asked: &ForwardBackwardRequest) -> Result<Op> {
    let datum = |(i, datum)| Datum::from_proto(datum).map_err(|e| e.within(format!("data[{i}]")));
    let datums = asked.data.iter().enumerate().map(datum).collect::<Result<Vec<_>>>()?;
    operation(app, model, datums, &asked.loss_fn, &asked.config()?, asked.forward_only)
}

/// A pass, in the JSON dialect; `only`: no gradient is wanted.
pub fn json(app: &App, model: &Model, asked: ForwardBackward, only: bool) -> Result<Op> {
    let input = asked.forward_backward_input.or(asked.forward_input);
    let input = input.ok_or_else(|| Error::rejected("is missing").at("forward_backward_input"))?;
    let datum = |(i, datum)| Datum::from_json(datum).map_err(|e| e.within(format!("data[{i}]")));
    let datums = input.data.iter().enumerate().map(datum).collect::<Result<Vec<_>>>()?;
    let config = input.loss_fn_config.unwrap_or_default();
    operation(app, model, datums, &input.loss_fn, &config, only)
}

fn operation(
    app: &App,
    model: &Model,
    datums: Vec<Datum>,
    loss: &str,
    config: &Map<String, Value>,
    only: bool,
) -> Result<Op> {
    let (batch, columns) = match loss {
        columns::LOSS => {
            let (datums, columns) = Columns::spread(datums)?;
            (to_batch_of(datums.into_iter())?, Some(columns))
        }
        _ => (to_batch(datums)?, None),
    };
    let loss = app.base(&model.base)?.loss(loss, config);
    let loss = loss.map_err(|e| e.told_as(ErrorKind::REJECTED))?;
    Ok(Op::Forward(Forward { batch: Arc::new(batch), columns, loss, only }))
}
