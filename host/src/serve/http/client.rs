//! What a client asks before anything else, and what it tells.

use super::{
    Shared,
    reply::{Answer, Refusal, ok, reply},
};
use axum::{
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tinsmith_tinker_wire::messages::{
    ClientConfig, DynamicConfig, ServerCapabilities, SupportedModel,
};

/// `GET /healthz`.
pub async fn health() -> Response {
    reply(StatusCode::OK, &json!({ "status": "ok" }))
}

/// `POST /client/config`. What is said under `tinsmith` is for clients of our own: that an operation
/// may be sent again without being done twice.
pub async fn config(State(app): Shared) -> Answer {
    let config = ClientConfig {
        proto_write_fwdbwd: Some(true),
        proto_compress_fwdbwd: false,
        sample_use_retrieve_futures: app.settings.retrieve_futures,
        sample_join_sampling_session: app.settings.retrieve_futures,
        ..ClientConfig::default()
    };
    let mut body = serde_json::to_value(config).unwrap_or_default();
    body["tinsmith"] = json!({ "version": env!("CARGO_PKG_VERSION"), "dedupes": true });
    ok(&body)
}

/// `POST /client/dynamic_config`.
pub async fn dynamic_config() -> Answer {
    ok(&DynamicConfig { sample_cancel_enabled: true, ..DynamicConfig::default() })
}

/// `POST /telemetry`: heard, and forgotten.
pub async fn telemetry() -> Answer {
    ok(&json!({ "status": "accepted" }))
}

/// `GET /get_server_capabilities`.
pub async fn capabilities(State(app): Shared) -> Answer {
    let model = |base: &std::sync::Arc<crate::serve::base::Base>| SupportedModel {
        model_name: Some(base.name.clone()),
        max_context_length: base.context,
        trainable: true,
        sampleable: true,
    };
    ok(&ServerCapabilities { supported_models: app.bases.iter().map(model).collect() })
}

/// `GET /metrics`.
pub async fn metrics(State(app): Shared) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, crate::serve::metrics::page(&app)).into_response()
}

/// Every other path.
pub async fn not_found(uri: Uri) -> Response {
    Refusal::not_found(format!("there is no `{}` here", uri.path())).into_response()
}
