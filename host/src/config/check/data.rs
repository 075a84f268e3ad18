//! Data that are trained on, and data that are held out.

use super::{Fault, fault};
use crate::{
    config::{Config, Dataset, Format},
    text::nearest,
};

/// What roles mean to renderers. They may know others.
const ROLES: [&str; 5] = ["system", "user", "assistant", "tool", "developer"];

pub fn datasets(config: &Config) -> Fault {
    if config.datasets.is_empty() {
        return fault("datasets", "is empty", "name the data: `datasets: [{path: chats.jsonl}]`");
    }
    for (i, dataset) in config.datasets.iter().enumerate() {
        if dataset.path.is_empty() {
            return fault(
                format!("datasets[{i}].path"),
                "must not be empty",
                "name a file of records",
            );
        }
        if dataset.limit == Some(0) {
            let hint = "remove the key to read every record";
            return fault(format!("datasets[{i}].limit"), "must be at least 1, not 0", hint);
        }
        if let Some((key, message, hint)) = dataset_shape(dataset) {
            return fault(format!("datasets[{i}].{key}"), message, hint);
        }
    }
    if config.data.max_length < 2 {
        let message = format!("must be at least 2, not {}", config.data.max_length);
        return fault(
            "data.max_length",
            message,
            "an example has a token to read and one to learn",
        );
    }
    None
}

fn dataset_shape(dataset: &Dataset) -> Fault {
    let weight = dataset.weight;
    if !(0.001..=1000.0).contains(&weight) {
        let hint = "2 shows each example twice an epoch, 0.5 every other epoch";
        return fault("weight", format!("must be from 0.001 to 1000, not {weight}"), hint);
    }
    let fields = dataset.fields.all();
    for (i, (field, name)) in fields.iter().enumerate() {
        let Some(name) = name else { continue };
        if name.is_empty() {
            return fault(
                format!("fields.{field}"),
                "must not be empty",
                "name a key of the records",
            );
        }
        if let Some((other, _)) = fields[..i].iter().find(|(_, n)| *n == Some(*name)) {
            let message = format!("`{name}` is already `{other}`");
            return fault(format!("fields.{field}"), message, "name another key of the records");
        }
    }
    if let Some((field, _)) = fields
        .iter()
        .find(|(field, name)| name.is_some() && !dataset.format.fields().contains(field))
    {
        let message = format!("`format: {}` reads no `{field}`", dataset.format.name());
        let hint = match dataset.format.fields() {
            [] => "it passes records on as they are".to_owned(),
            known => format!("its fields are {}", known.join(", ")),
        };
        return fault(format!("fields.{field}"), message, hint);
    }
    if !dataset.roles.is_empty() && !dataset.format.fields().contains(&"role") {
        let message = format!("`format: {}` maps no roles", dataset.format.name());
        return fault("roles", message, "they belong to formats of messages");
    }
    for (word, role) in &dataset.roles {
        if !ROLES.contains(&role.as_str())
            && let Some(near) = nearest(role, ROLES)
        {
            let hint = format!("did you mean `{near}`? known are {}", ROLES.join(", "));
            return fault(format!("roles.{word}"), format!("unknown role `{role}`"), hint);
        }
    }
    let tokens = matches!(dataset.format, Format::Tokens | Format::Auto);
    if dataset.columns.is_some() && !tokens {
        let message = format!("`format: {}` has no columns", dataset.format.name());
        return fault("columns", message, "they belong to `format: tokens`");
    }
    None
}

pub fn eval_split(config: &Config) -> Fault {
    let split = config.data.eval.as_ref()?;
    let given = [split.path.is_some(), split.fraction.is_some(), split.count.is_some()];
    if given.iter().filter(|g| **g).count() != 1 {
        return fault(
            "data.eval",
            "exactly one of `path`, `fraction` and `count` must be given",
            "for example `eval: {fraction: 0.1}`",
        );
    }
    if split.path.as_deref() == Some("") {
        return fault("data.eval.path", "must not be empty", "name a file of records");
    }
    if let Some(fraction) = split.fraction
        && !(fraction > 0.0 && fraction < 1.0)
    {
        let message = format!("must be between 0 and 1, not {fraction}");
        let hint = "0.1 holds out a tenth; for a number of records use `count`";
        return fault("data.eval.fraction", message, hint);
    }
    if split.count == Some(0) {
        let hint = "remove `data.eval` to hold nothing out";
        return fault("data.eval.count", "must be at least 1, not 0", hint);
    }
    None
}

pub fn evaluation(config: &Config) -> Fault {
    let Config { eval, checkpoint, data, .. } = config;
    let every = "remove the key to do it only at the end";
    if eval.every_steps == Some(0) {
        return fault("eval.every_steps", "must be at least 1, not 0", every);
    }
    if checkpoint.every_steps == Some(0) {
        return fault("checkpoint.every_steps", "must be at least 1, not 0", every);
    }
    if checkpoint.keep_last == Some(0) {
        let hint = "remove the key to keep every checkpoint";
        return fault("checkpoint.keep_last", "must be at least 1, not 0", hint);
    }
    if eval.max_tokens == 0 {
        return fault("eval.max_tokens", "must be at least 1, not 0", "128 is the default");
    }
    if data.eval.is_none() {
        let hint = "hold something out with `data.eval`, for example `eval: {fraction: 0.1}`";
        let message = "nothing is held out to evaluate on";
        for (key, given) in [
            ("eval.every_steps", eval.every_steps.is_some()),
            ("eval.samples", eval.samples > 0),
            ("eval.checks", eval.checks.is_some()),
        ] {
            if given {
                return fault(key, message, hint);
            }
        }
    }
    let checks = eval.checks.as_ref()?;
    for (key, pattern) in [("form", &checks.form), ("facts", &checks.facts)] {
        if let Some(pattern) = pattern
            && let Err(e) = regex::Regex::new(pattern)
        {
            let reason = e.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let message = format!("not a regular expression: {reason}");
            return fault(format!("eval.checks.{key}"), message, "put it in single quotes");
        }
    }
    None
}
