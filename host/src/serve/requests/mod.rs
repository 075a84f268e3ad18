/*!
Requests that have a place among a model's operations: read, and made into operations.

They are kept as they came, so that a server that was killed reads them again.
*/

mod save;
mod train;

pub use save::ttl;

use super::{
    app::App,
    models::{Model, Op},
};
use axum::body::Bytes;
use prost::Message;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tinsmith_plugin_api::{Error, Result};
use tinsmith_tinker_wire::{messages::LoadWeights, proto::ForwardBackwardRequest};

/// What a request asks for, and in which dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `forward_backward` as protobuf.
    ForwardBackwardBinary,
    /// `forward_backward` as JSON.
    ForwardBackward,
    /// `forward` as JSON.
    Forward,
    /// `optim_step`.
    OptimStep,
    /// `save_weights`.
    SaveWeights,
    /// `save_weights_for_sampler`.
    SaveForSampler,
    /// `save_weights_external`.
    SaveExternal,
    /// `load_weights` into a model that there is.
    LoadWeights,
}

enum Body {
    Binary(ForwardBackwardRequest),
    Json(Value),
}

/// A request.
pub struct Request {
    /// What it asks for.
    pub kind: Kind,
    /// As it came.
    pub bytes: Bytes,
    body: Body,
}

impl Request {
    /// Reads one as far as is needed to know its place.
    ///
    /// # Errors
    /// `rejected` for what is neither protobuf nor JSON.
    pub fn read(kind: Kind, bytes: Bytes) -> Result<Self> {
        let body = match kind {
            Kind::ForwardBackwardBinary => {
                let asked = ForwardBackwardRequest::decode(bytes.clone()).map_err(|e| {
                    Error::rejected(format!("the body is no ForwardBackwardRequest: {e}"))
                })?;
                Body::Binary(asked)
            }
            _ => Body::Json(
                serde_json::from_slice(&bytes).map_err(|e| Error::rejected(e.to_string()))?,
            ),
        };
        Ok(Self { kind, bytes, body })
    }

    /// The model.
    pub fn model(&self) -> &str {
        match &self.body {
            Body::Binary(asked) => &asked.model_id,
            Body::Json(body) => body["model_id"].as_str().unwrap_or_default(),
        }
    }

    /// Its number; None: the client does not count.
    pub fn seq(&self) -> Option<i64> {
        match &self.body {
            Body::Binary(asked) => Some(i64::from(asked.seq_id)),
            Body::Json(body) => body["seq_id"].as_i64(),
        }
    }

    /// The operation. What is well-formed and cannot be done is one that fails in its turn.
    ///
    /// # Errors
    /// `rejected` for what is not well-formed.
    pub fn op(&self, app: &App, model: &Model) -> Result<Op> {
        let made = match (&self.body, self.kind) {
            (Body::Binary(asked), _) => train::binary(app, model, asked),
            (Body::Json(body), Kind::ForwardBackward | Kind::Forward) => {
                train::json(app, model, typed(body)?, self.kind == Kind::Forward)
            }
            (Body::Json(body), Kind::OptimStep) => train::step(app, model, typed(body)?),
            (Body::Json(body), Kind::SaveWeights) => save::weights(model, typed(body)?),
            (Body::Json(body), Kind::SaveForSampler) => save::for_sampler(model, typed(body)?),
            (Body::Json(body), Kind::SaveExternal) => save::external(model, typed(body)?),
            (Body::Json(body), _) => {
                let LoadWeights { path, optimizer, .. } = typed(body)?;
                Ok(Op::Load { path, optimizer })
            }
        };
        Ok(made.unwrap_or_else(Op::Refused))
    }
}

fn typed<T: DeserializeOwned>(body: &Value) -> Result<T> {
    T::deserialize(body).map_err(|e| Error::rejected(e.to_string()))
}
