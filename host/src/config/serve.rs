//! What `tinsmith serve` listens to and offers: `serve`.

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

/// The server of `tinsmith serve`. Without effect on other commands.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Serve {
    /// Base models by the name that clients give: folders, relative to the config. Default:
    /// `model.base_model` under the name of its folder.
    pub models: BTreeMap<String, String>,
    /// Address to listen on. Any but a loopback address needs `api_key`.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Address under which clients reach the server, such as `https://host/path`, where something
    /// stands before it: downloads are fetched from there. Default: the host that a request names.
    pub public_url: Option<String>,
    /// Folder of sessions and checkpoints, relative to the config. Default: `models/serve` below the
    /// current folder.
    pub state: Option<String>,
    /// The environment variable that holds the key that clients must send: `{env: NAME}`.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub api_key: Option<ApiKey>,
    /// Seconds without a heartbeat after which a session ends, if it ever sent one.
    #[schemars(range(min = 1))]
    pub session_timeout_seconds: u64,
    /// Largest body of a request, in bytes, before and after decompression.
    #[schemars(range(min = 1))]
    pub max_body_bytes: u64,
    /// Steps of the optimizer between two snapshots of a model, from which a server that was killed
    /// goes on. Only for trainers that compute the same bytes again.
    #[schemars(range(min = 1))]
    pub snapshot_steps: u64,
    /// Weights without a name that a model keeps to be sampled from, the newest of them.
    #[schemars(range(min = 1))]
    pub nameless_weights: u64,
    /// Whether clients ask once for the results of all samples of a sampling session, and not for each:
    /// fewer connections for many samples at once. A server that is killed leaves such clients waiting for
    /// the samples in flight.
    pub retrieve_futures: bool,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            models: BTreeMap::new(),
            host: "127.0.0.1".into(),
            port: 8410,
            public_url: None,
            state: None,
            api_key: None,
            session_timeout_seconds: 300,
            max_body_bytes: 64 << 20,
            snapshot_steps: 20,
            nameless_weights: 32,
            retrieve_futures: false,
        }
    }
}

/// Names the environment variable of a key; a key itself is refused before anything can print it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Name of the variable.
    pub env: String,
}

impl<'de> Deserialize<'de> for ApiKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;
        impl<'de> Visitor<'de> for Named {
            type Value = ApiKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the variable that holds the key, as `{env: NAME}`")
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<ApiKey, E> {
                Err(E::custom(
                    "a secret must not stand in a config; name a variable: `{env: NAME}`",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ApiKey, A::Error> {
                let mut env = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key == "env" {
                        env = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        return Err(de::Error::unknown_field(&key, &["env"]));
                    }
                }
                Ok(ApiKey { env: env.ok_or_else(|| de::Error::missing_field("env"))? })
            }
        }
        deserializer.deserialize_any(Named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_spelled_out_is_refused_and_not_told() {
        let e = serde_json::from_str::<Serve>(r#"{"api_key": "hunter2"}"#).unwrap_err().to_string();
        assert!(e.contains("must not stand in a config") && !e.contains("hunter2"), "{e}");
        let serve: Serve = serde_json::from_str(r#"{"api_key": {"env": "KEY"}}"#).unwrap();
        assert_eq!(serve.api_key, Some(ApiKey { env: "KEY".into() }));
    }
}
