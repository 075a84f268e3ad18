//! Operations of a model: each is put in its place, and promised a result.

use super::{
    Shared,
    body::Raw,
    models::place,
    reply::{Answer, text},
};
use crate::serve::requests::{Kind, Request};
use axum::{extract::State, http::header};
use tinsmith_tinker_wire::PROTOBUF;

/// `POST /forward_backward`, in both dialects.
pub async fn forward_backward(State(app): Shared, raw: Raw) -> Answer {
    let binary = text(&raw.headers, header::CONTENT_TYPE).starts_with(PROTOBUF);
    let kind = if binary { Kind::ForwardBackwardBinary } else { Kind::ForwardBackward };
    place(&app, &Request::read(kind, raw.bytes)?)
}

/// `POST /forward`, which has the JSON dialect only.
pub async fn forward(State(app): Shared, raw: Raw) -> Answer {
    place(&app, &Request::read(Kind::Forward, raw.bytes)?)
}

/// `POST /optim_step`.
pub async fn optim_step(State(app): Shared, raw: Raw) -> Answer {
    place(&app, &Request::read(Kind::OptimStep, raw.bytes)?)
}

/// `POST /save_weights`.
pub async fn save_weights(State(app): Shared, raw: Raw) -> Answer {
    place(&app, &Request::read(Kind::SaveWeights, raw.bytes)?)
}

/// `POST /save_weights_for_sampler`.
pub async fn save_for_sampler(State(app): Shared, raw: Raw) -> Answer {
    place(&app, &Request::read(Kind::SaveForSampler, raw.bytes)?)
}

/// `POST /save_weights_external`.
pub async fn save_external(State(app): Shared, raw: Raw) -> Answer {
    place(&app, &Request::read(Kind::SaveExternal, raw.bytes)?)
}
