//! What a config file may say about the Tinker trainer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tinsmith_plugin_api::{Error, Result};

/// The hosted service.
pub(crate) const OFFICIAL: &str = "https://tinker.thinkingmachines.dev/services/tinker-prod";
/// Shortest and longest life of a checkpoint, in seconds: an hour, ten years.
const TTL: std::ops::RangeInclusive<u64> = 3600..=315_360_000;

/// Settings of `trainer: {name: tinker}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TinkerConfig {
    /// Address of the server. Default: `TINKER_BASE_URL`, else the hosted service.
    pub base_url: Option<String>,
    /// The environment variable that holds the key. Default: `TINKER_API_KEY`, then the command
    /// `TINKER_CREDENTIAL_CMD`, then the key that the official command line tool keeps.
    pub api_key: Option<KeyRef>,
    /// How datums are sent. `auto` asks the server, before the first operation.
    pub dialect: Dialect,
    /// Whether an operation whose answer was lost is sent again. Default: to servers that are known to
    /// apply it once.
    pub resend: Option<bool>,
    /// Project that pays. Default: `TINKER_PROJECT_ID`.
    pub project_id: Option<String>,
    /// Words to find the session by. Default: `TINKER_TAGS`, separated by commas.
    pub tags: Option<Vec<String>>,
    /// Seconds until a checkpoint expires, from an hour to ten years. Default: never.
    pub checkpoint_ttl_seconds: Option<u64>,
    /// Steps that may be in flight at once.
    pub max_in_flight: u32,
    /// Seconds for which a server that does not answer is waited for.
    pub patience_seconds: u64,
}

impl Default for TinkerConfig {
    fn default() -> Self {
        Self {
            base_url: None,
            api_key: None,
            dialect: Dialect::Auto,
            resend: None,
            project_id: None,
            tags: None,
            checkpoint_ttl_seconds: None,
            max_in_flight: 3,
            patience_seconds: 300,
        }
    }
}

/// Names a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRef {
    /// The environment variable.
    pub env: String,
}

/// How datums are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// As the server wants them.
    #[default]
    Auto,
    /// As protobuf.
    Protobuf,
    /// As JSON.
    Json,
}

impl TinkerConfig {
    pub(crate) fn check(&self) -> Result<()> {
        if self.max_in_flight == 0 {
            return Err(Error::config("must be at least 1").at("max_in_flight"));
        }
        if let Some(seconds) = self.checkpoint_ttl_seconds.filter(|s| !TTL.contains(s)) {
            let e = Error::config(format!(
                "{seconds} is not between {} and {}",
                TTL.start(),
                TTL.end()
            ));
            return Err(e
                .at("checkpoint_ttl_seconds")
                .with_hint("leave it out to keep checkpoints"));
        }
        if let Some(url) = &self.base_url {
            check_url(url).map_err(|e| e.at("base_url"))?;
        }
        Ok(())
    }

    /// Where the server is: the config, then the environment, then the hosted service. Without a `/` at
    /// its end.
    pub(crate) fn base_url(&self) -> Result<String> {
        let named = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
        let url = match &self.base_url {
            Some(url) => url.clone(),
            None => named("TINKER_BASE_URL").unwrap_or_else(|| OFFICIAL.to_owned()),
        };
        check_url(&url)?;
        Ok(url.trim_end_matches('/').to_owned())
    }
}

fn check_url(url: &str) -> Result<()> {
    let example = "write `http://localhost:8000` or `https://host/path`";
    let parsed = reqwest::Url::parse(url)
        .map_err(|e| Error::config(format!("`{url}` is no address: {e}")).with_hint(example))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        // It would be told with every error.
        return Err(Error::config("the address holds a name or a password")
            .with_hint("leave them out: the key is all that the server is told"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(Error::config("the address ends in a query").with_hint(example));
    }
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
        return Err(Error::config(format!("`{url}` is no address of a server")).with_hint(example));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_mean_nothing_are_refused_by_name() {
        let parse = |text| serde_json::from_str::<TinkerConfig>(text).unwrap().check();
        assert_eq!(parse("{}"), Ok(()));
        for (text, field) in [
            (r#"{"max_in_flight": 0}"#, "max_in_flight"),
            (r#"{"checkpoint_ttl_seconds": 60}"#, "checkpoint_ttl_seconds"),
            (r#"{"base_url": "localhost:8000"}"#, "base_url"),
            (r#"{"base_url": "ftp://host"}"#, "base_url"),
            (r#"{"base_url": ""}"#, "base_url"),
            (r#"{"base_url": "https://me:hunter2@host"}"#, "base_url"),
            (r#"{"base_url": "https://host/path?key=hunter2"}"#, "base_url"),
        ] {
            let e = parse(text).unwrap_err();
            assert_eq!(e.field(), Some(field));
            assert!(!format!("{e:?}").contains("hunter2"), "{e}");
            assert!(e.hint().is_some() || field == "max_in_flight", "{e}");
        }
        let e = serde_json::from_str::<TinkerConfig>(r#"{"api_key": "tml-1"}"#).unwrap_err();
        assert!(!e.to_string().contains("unknown field"), "{e}");
    }

    #[test]
    fn a_path_before_the_api_is_kept() {
        let url = |url: &str| {
            TinkerConfig { base_url: Some(url.into()), ..TinkerConfig::default() }.base_url()
        };
        assert_eq!(url("https://h/services/x/").unwrap(), "https://h/services/x");
        assert_eq!(url("http://127.0.0.1:8000").unwrap(), "http://127.0.0.1:8000");
    }
}
