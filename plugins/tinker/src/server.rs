/*!
What server this is, asked before anything else: what it wants of a client, in which dialect, and whether
it knows an operation that comes twice.
*/

use crate::{
    config::{Dialect, OFFICIAL, TinkerConfig},
    credentials::host,
    http::{Call, Http},
};
use serde::Deserialize;
use serde_json::Value;
use tinsmith_plugin_api::{ErrorKind, Result};
use tinsmith_tinker_wire::{
    chunks::Limits,
    messages::{ClientConfig, SdkVersion},
};
use tokio::sync::Semaphore;

/// The version of the official client whose protocol is spoken.
pub(crate) const SDK_VERSION: &str = "0.38.0";

/// What is known of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Whether datums are sent as protobuf.
    pub binary: bool,
    /// Whether forward alone has an endpoint of its own.
    pub forward_endpoint: bool,
    /// Whether an operation that comes twice is applied once.
    pub dedupes: bool,
    /// Whether it is known to make a model of a checkpoint in one call.
    pub makes_models_of_checkpoints: bool,
    /// Whether the requests of one operation may be sent at once.
    pub parallel: bool,
    /// Whether bodies are compressed.
    pub compress: bool,
    /// What a request holds at most.
    pub limits: Limits,
    /// Estimated bytes of requests that are being sent.
    pub in_flight_bytes: u64,
    /// Samples that may be under way at once.
    pub samples: usize,
    /// Whether a sample that fails is asked for again.
    pub samples_again: bool,
    /// Whether a loss is divided by its mask.
    pub divides_by_mask: bool,
    /// Whether the same operations give the same bytes.
    pub deterministic: bool,
}

/// The answer to `client/config`, and what only a server of tinsmith says there.
///
/// What the official client knows there and this one does not follow:
///
/// - `credential_default_source`: which of a user's secrets is sent is not the server's to say;
/// - `sample_dispatch_bytes_semaphore_size`, `inflight_response_bytes_semaphore_size`: the number of samples
///   and of steps under way bounds both;
/// - `sample_enable_stuck_detection`: a server that says that it is at work is believed, and one that says
///   nothing is given up after `patience_seconds`;
/// - `sample_use_retrieve_futures`, `sample_join_sampling_session`: each result is asked for by itself, and no
///   sampler is copied to another process;
/// - `custom_loss_server_side`: a loss of a plugin is no program that could be sent;
/// - `proto_write_fwdbwd`, `use_pyqwest_transport`: of older clients, and of Python's.
#[derive(Default, Deserialize)]
struct Config {
    #[serde(flatten)]
    config: ClientConfig,
    #[serde(default)]
    tinsmith: Option<Tinsmith>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tinsmith {
    dedupes: bool,
    deterministic: bool,
}

impl Server {
    /// Asks the server.
    pub async fn ask(http: &Http, config: &TinkerConfig) -> Result<Self> {
        let version = SdkVersion { sdk_version: SDK_VERSION.into() };
        let call = Call::post("client/config", &version).reach(5);
        let said = match http.json::<Config>(&call).await {
            Ok(said) => Some(said),
            // Servers of an older protocol have no such call.
            Err(e) if e.kind() == ErrorKind::NOT_FOUND => None,
            Err(e) => return Err(e),
        };
        let official = host(&http.base) == host(OFFICIAL);
        let ours = said.as_ref().and_then(|s| s.tinsmith.as_ref());
        let openapi = match (official, ours) {
            (false, None) => openapi(http, said.is_none()).await?,
            _ => Value::Null,
        };
        let client = said.as_ref().map(|s| s.config.clone());
        if let Some(client) = &client {
            if client.pjwt_auth_enabled {
                http.exchange_keys();
            }
            http.wait_for_funds(client.billing_exception_max_pause_duration_sec);
        }
        if official || ours.is_some() {
            http.is_prompt();
        }
        Ok(Self::of(client, &openapi, ours, official, config))
    }

    fn of(
        client: Option<ClientConfig>,
        openapi: &Value,
        ours: Option<&Tinsmith>,
        official: bool,
        config: &TinkerConfig,
    ) -> Self {
        let takes = |path: &str, kind: &str| {
            openapi["paths"][path]["post"]["requestBody"]["content"].get(kind).is_some()
        };
        let json = client.is_none() || takes("/api/v1/forward_backward", "application/json");
        let skyrl = openapi["info"]["title"] == "Tinker API Mock";
        let known = client.is_some();
        let client = client.unwrap_or_default();
        let knows_numbers = official || ours.is_some_and(|o| o.dedupes);
        Self {
            binary: match config.dialect {
                Dialect::Auto => !json,
                Dialect::Protobuf => true,
                Dialect::Json => false,
            },
            forward_endpoint: openapi["paths"].get("/api/v1/forward").is_some() || !known,
            dedupes: config.resend.unwrap_or(knows_numbers),
            makes_models_of_checkpoints: knows_numbers,
            // A server that ignores numbers executes in the order of arrival.
            parallel: client.parallel_fwdbwd_chunks && knows_numbers,
            compress: client.proto_compress_fwdbwd,
            limits: Limits {
                datums: client.fwdbwd_max_chunk_len.max(1),
                bytes: client.fwdbwd_max_chunk_bytes_count,
            },
            in_flight_bytes: client.fwdbwd_dispatch_bytes_semaphore_size,
            samples: client.sample_max_concurrent_requests.clamp(1, Semaphore::MAX_PERMITS),
            samples_again: !client.sample_no_retries,
            divides_by_mask: skyrl,
            deterministic: ours.is_some_and(|o| o.deterministic),
        }
    }
}

/// The server's description of itself, or nothing. Where `needed`, a server without one is none that
/// this client knows.
async fn openapi(http: &Http, needed: bool) -> Result<Value> {
    let call = Call::get("../../openapi.json").patience(5);
    match http.json(&call).await {
        Ok(description) => Ok(description),
        Err(e) if needed => Err(e),
        Err(_) => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(openapi: &Value, client: Option<ClientConfig>) -> Server {
        Server::of(client, openapi, None, false, &TinkerConfig::default())
    }

    #[test]
    fn the_dialect_is_what_the_server_describes() {
        let json_only = json!({"info": {"title": "Tinker API Mock"}, "paths": {
            "/api/v1/forward": {}, "/api/v1/forward_backward": {"post": {"requestBody": {"content": {
                "application/json": {}}}}}}});
        let old = of(&json_only, Some(ClientConfig::default()));
        assert!(!old.binary && old.forward_endpoint && old.divides_by_mask && !old.dedupes);
        let raw = json!({"info": {"title": "Tinker API Mock"}, "paths": {
            "/api/v1/forward_backward": {"post": {}}}});
        let new = of(&raw, Some(ClientConfig::default()));
        assert!(new.binary && !new.forward_endpoint && new.divides_by_mask && !new.parallel);
        assert!(!of(&Value::Null, None).binary, "older than `client/config`");
    }

    #[test]
    fn only_servers_that_know_numbers_get_an_operation_twice() {
        let config = TinkerConfig::default();
        let ours = Tinsmith { dedupes: true, deterministic: true };
        let server = |official, ours| {
            Server::of(Some(ClientConfig::default()), &Value::Null, ours, official, &config)
        };
        assert!(server(true, None).dedupes && server(true, None).parallel);
        assert!(server(false, Some(&ours)).dedupes && server(false, Some(&ours)).deterministic);
        assert!(!server(false, None).dedupes);
        let never = TinkerConfig { resend: Some(false), ..config.clone() };
        assert!(!Server::of(None, &Value::Null, None, true, &never).dedupes);
    }
}
