//! What types cannot say: ranges, and keys that must or must not stand together. Everything here is
//! known without reading a file of data or asking a plugin.

mod data;
mod run;
mod training;

use super::{Config, Loaded, Mode, secret};
use crate::{Error, Result};

/// Checks a decoded config.
///
/// # Errors
/// The first fault, with its place and a hint.
pub fn check(loaded: &Loaded) -> Result<()> {
    let config = &loaded.config;
    let faults = [
        secrets,
        model,
        data::datasets,
        data::eval_split,
        training::training,
        training::optimizer,
        training::schedule,
        data::evaluation,
        run::limits,
        run::serve,
    ];
    for find in faults {
        if let Some((key, message, hint)) = find(config) {
            return Err(loaded.error_at(&key, Error::usage(message).hint(hint)));
        }
    }
    Ok(())
}

/// Key, message, hint.
type Fault = Option<(String, String, String)>;

fn fault(key: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Fault {
    Some((key.into(), message.into(), hint.into()))
}

/// A rule that a number must follow: key, value, whether it holds, what must hold.
fn rules(rules: &[(&str, f64, bool, &str, &str)]) -> Fault {
    rules.iter().find(|(_, _, holds, ..)| !holds).and_then(|(key, value, _, must, hint)| {
        fault(*key, format!("must be {must}, not {value}"), *hint)
    })
}

/// The message holds no value: it is a secret.
fn secrets(config: &Config) -> Fault {
    let sections = [
        ("trainer", Some(&config.trainer)),
        ("storage", config.storage.as_ref()),
        ("renderer", Some(&config.renderer)),
        ("training.loss", Some(&config.training.loss)),
    ];
    for (section, plugin) in sections {
        if let Some(path) = plugin.and_then(secret::spelled_out) {
            return fault(
                format!("{section}.{path}"),
                "a secret must not stand in a config",
                "put it into an environment variable and name that: `{env: NAME}`",
            );
        }
    }
    None
}

fn model(config: &Config) -> Fault {
    let Config { model, lora, .. } = config;
    if model.base_model.is_empty() {
        return fault("model.base_model", "must not be empty", "name the folder of a base model");
    }
    if model.tokenizer.as_deref() == Some("") {
        return fault("model.tokenizer", "must not be empty", "remove the key to use the model's");
    }
    let (rank, alpha) = (f64::from(lora.rank), f64::from(lora.alpha));
    let found = rules(&[
        ("lora.rank", rank, lora.rank > 0, "at least 1", "common ranks are 8 to 64"),
        (
            "lora.alpha",
            alpha,
            alpha > 0.0 && alpha.is_finite(),
            "above 0",
            "`alpha` equal to `rank` leaves the update unscaled",
        ),
    ]);
    if found.is_some() || config.training.mode == Mode::Full {
        return found;
    }
    if !(lora.train_attn || lora.train_mlp || lora.train_unembed) {
        return fault(
            "lora",
            "nothing is trained",
            "set one of `train_attn`, `train_mlp`, `train_unembed` to true",
        );
    }
    None
}
