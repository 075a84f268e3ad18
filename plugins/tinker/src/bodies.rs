//! The bodies of `forward` and `forward_backward`: a batch, cut into requests of the server's dialect.

use crate::{http::Body, server::Server};
use bytes::Bytes;
use prost::Message;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, ops::Range};
use tinsmith_plugin_api::{Batch, Error, Result};
use tinsmith_tinker_wire::{
    PROTOBUF, chunks, datum, losses,
    messages::{ForwardBackward, LossInput},
    proto::{self, loss_config_value},
};

/// What is computed.
#[derive(Clone, Debug)]
pub(crate) struct Pass<'a> {
    pub model: &'a str,
    pub batch: &'a Batch,
    pub loss: &'a str,
    pub config: &'a Value,
    pub backward: bool,
}

/// One request of a pass.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub datums: Range<usize>,
    pub path: &'static str,
    pub body: Body,
    /// Estimated bytes.
    pub size: u64,
}

/// Cuts a pass into requests, with numbers from `first` on.
pub(crate) fn cut(server: &Server, pass: &Pass<'_>, first: i64) -> Result<Vec<Chunk>> {
    let cuts = chunks::cut(pass.batch, server.limits);
    let chunk = |(datums, number): (Range<usize>, i64)| {
        let path = match pass.backward {
            false if server.forward_endpoint && !server.binary => "forward",
            _ => "forward_backward",
        };
        let body = match server.binary {
            true => binary(server, pass, &datums, number),
            false => json(pass, &datums, number),
        }?;
        let size = datums.clone().map(|i| chunks::bytes_of(pass.batch, i)).sum();
        Ok(Chunk { datums, path, body, size })
    };
    cuts.into_iter().zip(first..).map(chunk).collect()
}

/// The inputs that a server is sent. Without a gradient every weight is as good, and it is sent for the
/// servers that want one.
fn inputs<'a>(pass: &Pass<'a>) -> Option<&'a [&'a str]> {
    losses::inputs(pass.loss)
}

fn binary(server: &Server, pass: &Pass<'_>, datums: &Range<usize>, number: i64) -> Result<Body> {
    let mut request = proto::ForwardBackwardRequest {
        model_id: pass.model.to_owned(),
        seq_id: i32::try_from(number)
            .map_err(|_| Error::rejected("the run has too many operations"))?,
        data: datums.clone().map(|i| datum::to_proto(pass.batch, i, inputs(pass))).collect(),
        loss_fn: pass.loss.to_owned(),
        forward_only: !pass.backward,
        ..proto::ForwardBackwardRequest::default()
    };
    (request.loss_fn_config, request.loss_fn_config_v2) = config(pass.config)?;
    let bytes = request.encode_to_vec();
    let bytes = match server.compress {
        true => zstd::bulk::compress(&bytes, 3)
            .map_err(|e| Error::from(e).context("compress a request"))?,
        false => bytes,
    };
    Ok(Body { kind: PROTOBUF, compressed: server.compress, bytes: Bytes::from(bytes) })
}

type Config = (BTreeMap<String, f64>, BTreeMap<String, proto::LossConfigValue>);

/// The config of a loss, as both readers of it want it.
fn config(config: &Value) -> Result<Config> {
    let (mut numbers, mut all) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in config.as_object().into_iter().flatten() {
        let value = match value {
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                numbers.insert(key.clone(), number);
                loss_config_value::Value::Number(number)
            }
            Value::String(text) => loss_config_value::Value::Text(text.clone()),
            Value::Null => continue,
            other => {
                return Err(Error::rejected(format!("`{other}` is no number and no text"))
                    .at(format!("training.loss.{key}")));
            }
        };
        all.insert(key.clone(), proto::LossConfigValue { value: Some(value) });
    }
    Ok((numbers, all))
}

fn json(pass: &Pass<'_>, datums: &Range<usize>, number: i64) -> Result<Body> {
    let datum = |i| datum::to_json(pass.batch, i, inputs(pass));
    let config: Option<Map<String, Value>> =
        pass.config.as_object().filter(|c| !c.is_empty()).cloned();
    let input = LossInput {
        data: datums.clone().map(datum).collect::<Result<_>>()?,
        loss_fn: pass.loss.to_owned(),
        loss_fn_config: config,
    };
    let (forward, backward) = if pass.backward { (None, Some(input)) } else { (Some(input), None) };
    Ok(Body::json(&ForwardBackward {
        forward_backward_input: backward,
        forward_input: forward,
        model_id: pass.model.to_owned(),
        seq_id: Some(number),
    }))
}
