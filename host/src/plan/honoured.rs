//! Refuses, before step 1, every setting that the trainer would ignore.

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
    if config.limits.max_usd.is_some() {
        let e = Error::usage(format!("trainer `{trainer}` tells no prices"));
        let e = e.hint("use `limits.max_tokens` or `limits.max_hours`");
        return Err(loaded.error_at("limits.max_usd", e));
    }
    let mut notes = Vec::new();
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
