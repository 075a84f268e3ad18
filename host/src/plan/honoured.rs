//! Refuses, before step 1, every setting that the trainer would ignore.

use super::usd_per_token;
use crate::{
    Error, Result,
    config::{Loaded, Mode},
};
use tinsmith_plugin_api::Capabilities;

const LORA_KEYS: [&str; 6] = ["rank", "alpha", "seed", "train_attn", "train_mlp", "train_unembed"];
const ADAM_KEYS: [&str; 6] =
    ["learning_rate", "beta1", "beta2", "eps", "weight_decay", "grad_clip_norm"];

/// Compares the config with what the trainer can do. A key that the user set and the trainer does
/// not honour is an error; a default that is not sent is a note. A run that goes on (`fresh` is
/// false) has passed this before, and its recorded config no longer tells defaults apart: notes
/// only.
///
/// # Errors
/// `usage` with the place of the key.
pub fn check_honoured(loaded: &Loaded, can: &Capabilities, fresh: bool) -> Result<Vec<String>> {
    let config = &loaded.config;
    let trainer = &config.trainer.name;
    let mut not_sent = Vec::new();
    let mut honour = |section: &str, keys: &[&str], honoured: &[String]| {
        for key in keys.iter().filter(|key| !honoured.iter().any(|h| h == *key)) {
            let path = format!("{section}.{key}");
            if fresh && loaded.origin(&path).is_some() {
                let e = Error::usage(format!("trainer `{trainer}` does not honour this setting"));
                return Err(loaded.error_at(&path, e.hint("remove it, or choose another trainer")));
            }
            not_sent.push(format!("`{path}`"));
        }
        Ok(())
    };
    match config.training.mode {
        Mode::Lora => honour("lora", &LORA_KEYS, &can.lora_keys)?,
        Mode::Full if !can.full_parameters => {
            let e = Error::usage(format!("trainer `{trainer}` trains adapters only"));
            return Err(loaded.error_at("training.mode", e.hint("set `training.mode: lora`")));
        }
        Mode::Full => {}
    }
    honour("optimizer", &ADAM_KEYS, &can.adam_keys)?;
    let base = &config.model.base_model;
    if !can.models.is_empty() && !can.models.iter().any(|m| m.name == *base) {
        let names: Vec<String> = can.models.iter().map(|m| format!("`{}`", m.name)).collect();
        let e = Error::usage(format!("trainer `{trainer}` has no model `{base}`"));
        let e = e.hint(format!("it has {}", names.join(", ")));
        return Err(loaded.error_at("model.base_model", e));
    }
    let mut notes = Vec::new();
    match (config.limits.max_usd, usd_per_token(config)) {
        (Some(_), None) => {
            let e = Error::usage("nobody says what a token costs");
            let e = e.hint("set `limits.prices.train_per_million_tokens`");
            return Err(loaded.error_at("limits.max_usd", e));
        }
        (Some(_), Some(0.0)) => {
            notes.push(format!("trainer `{trainer}` costs nothing: `limits.max_usd` is idle"));
        }
        _ => {}
    }
    if !not_sent.is_empty() {
        notes.push(format!("not sent to trainer `{trainer}`: {}", not_sent.join(", ")));
    }
    let ahead = can.max_in_flight.saturating_sub(1);
    if config.training.submit_ahead > ahead && loaded.origin("training.submit_ahead").is_some() {
        notes.push(format!(
            "`training.submit_ahead` is {}, trainer `{trainer}` takes {ahead}",
            config.training.submit_ahead
        ));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use std::fs;
    use tinsmith_plugin_api::ModelInfo;

    fn loaded(more: &str) -> (tempfile::TempDir, Loaded) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.yaml");
        let text = format!("model: {{base_model: org/m}}\ndatasets: [{{path: d.jsonl}}]\n{more}");
        fs::write(&path, text).unwrap();
        let loaded = load(&path, &[]).unwrap();
        (dir, loaded)
    }

    /// As a server without alpha, decay and clipping.
    fn can() -> Capabilities {
        let keys = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
        Capabilities {
            lora_keys: keys(&["rank", "seed", "train_attn", "train_mlp", "train_unembed"]),
            adam_keys: keys(&["learning_rate", "beta1", "beta2", "eps"]),
            ..Capabilities::default()
        }
    }

    #[test]
    fn a_default_that_is_not_sent_is_said_and_a_setting_is_refused() {
        let (_dir, plain) = loaded("");
        let notes = check_honoured(&plain, &can(), true).unwrap();
        assert_eq!(
            notes,
            ["not sent to trainer `local`: `lora.alpha`, `optimizer.weight_decay`, \
              `optimizer.grad_clip_norm`"]
        );
        let (_dir, set) = loaded("lora: {alpha: 16}\n");
        let e = check_honoured(&set, &can(), true).unwrap_err();
        assert!(e.to_string().contains("run.yaml:3:"), "{e}");
        assert_eq!(e.field.as_deref(), Some("lora.alpha"));
        assert!(check_honoured(&set, &can(), false).is_ok(), "a run that goes on passed it before");
    }

    #[test]
    fn unknown_models_full_training_and_prices_are_refused() {
        let (_dir, plain) = loaded("");
        let model = ModelInfo { name: "org/other".into(), max_context_length: None };
        let e = check_honoured(&plain, &Capabilities { models: vec![model], ..can() }, true);
        assert_eq!(e.unwrap_err().hint.unwrap(), "it has `org/other`");
        for (more, key) in [
            ("training: {mode: full}\n", "training.mode"),
            ("trainer: remote\nlimits: {max_usd: 1.0}\n", "limits.max_usd"),
        ] {
            let (_dir, set) = loaded(more);
            let e = check_honoured(&set, &can(), true).unwrap_err();
            assert_eq!(e.field.as_deref(), Some(key));
        }
    }
}
