//! What a config file may say about the local trainer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tinsmith_plugin_api::{Error, Result};

/// Settings of `trainer: {name: local}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalConfig {
    /// Threads to compute with. Default: the host's budget, which is all cores. Results do not
    /// depend on it.
    pub threads: Option<usize>,
}

impl LocalConfig {
    pub(crate) fn check(&self) -> Result<()> {
        if self.threads == Some(0) {
            return Err(Error::config("must be at least 1").at("threads"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_mean_nothing_are_refused_by_name() {
        let parse = |text| serde_json::from_str::<LocalConfig>(text).unwrap().check();
        assert_eq!(parse("{}"), Ok(()));
        assert_eq!(parse(r#"{"threads": 0}"#).unwrap_err().field(), Some("threads"));
        let e = serde_json::from_str::<LocalConfig>(r#"{"dtype": "bf16"}"#).unwrap_err();
        assert!(e.to_string().starts_with("unknown field `dtype`"), "{e}");
    }
}
