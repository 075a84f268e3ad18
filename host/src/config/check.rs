//! What types cannot say: ranges, and keys that must or must not stand together. Everything here is
//! known without reading a file of data or asking a plugin.

use super::{Config, Curve, Dataset, Format, Loaded, Mode, secret};
use crate::{Error, Result, text::nearest};

/// Checks a decoded config.
///
/// # Errors
/// The first fault, with its place and a hint.
pub fn check(loaded: &Loaded) -> Result<()> {
    let config = &loaded.config;
    let faults = [
        secrets, model, datasets, eval_split, training, optimizer, schedule, evaluation, limits,
        serve,
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

fn serve(config: &Config) -> Fault {
    let serve = config.serve.as_ref()?;
    let is_web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if serve.public_url.as_ref().is_some_and(|url| !is_web(url)) {
        return fault(
            "serve.public_url",
            "is no address of the web",
            "write the whole address, such as `https://tinker.example.org`",
        );
    }
    [
        ("serve.session_timeout_seconds", serve.session_timeout_seconds),
        ("serve.max_body_bytes", serve.max_body_bytes),
        ("serve.snapshot_steps", serve.snapshot_steps),
        ("serve.nameless_weights", serve.nameless_weights),
    ]
    .iter()
    .find(|(_, value)| *value == 0)
    .and_then(|(key, _)| fault(*key, "must be at least 1, not 0", "remove the key for the default"))
}

fn datasets(config: &Config) -> Fault {
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

/// What roles mean to renderers. They may know others.
const ROLES: [&str; 5] = ["system", "user", "assistant", "tool", "developer"];

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

fn eval_split(config: &Config) -> Fault {
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

fn training(config: &Config) -> Fault {
    let training = &config.training;
    let whole = "a step trains at least one example";
    let found = rules(&[
        (
            "training.batch_size",
            f64::from(training.batch_size),
            training.batch_size > 0,
            "at least 1",
            whole,
        ),
        (
            "training.epochs",
            f64::from(training.epochs),
            training.epochs > 0,
            "at least 1",
            "use `max_steps` to stop earlier",
        ),
    ]);
    if found.is_some() {
        return found;
    }
    if training.max_steps == Some(0) {
        let hint = "`tinsmith train CONFIG --dry-run` plans without training";
        return fault("training.max_steps", "must be at least 1, not 0", hint);
    }
    None
}

fn optimizer(config: &Config) -> Fault {
    let o = &config.optimizer;
    let unit = |x: f64| (0.0..1.0).contains(&x);
    let least = |x: f64| x >= 0.0 && x.is_finite();
    rules(&[
        (
            "optimizer.learning_rate",
            o.learning_rate,
            o.learning_rate > 0.0 && o.learning_rate.is_finite(),
            "above 0",
            "common rates are 1e-5 to 1e-3",
        ),
        ("optimizer.beta1", o.beta1, unit(o.beta1), "from 0 to below 1", "0.9 is common"),
        (
            "optimizer.beta2",
            o.beta2,
            unit(o.beta2),
            "from 0 to below 1",
            "0.95 to 0.999 are common",
        ),
        ("optimizer.eps", o.eps, o.eps > 0.0 && o.eps.is_finite(), "above 0", "1e-8 is common"),
        (
            "optimizer.weight_decay",
            o.weight_decay,
            least(o.weight_decay),
            "at least 0",
            "0 turns it off",
        ),
        (
            "optimizer.grad_clip_norm",
            o.grad_clip_norm,
            least(o.grad_clip_norm),
            "at least 0",
            "0 turns it off",
        ),
    ])
}

fn schedule(config: &Config) -> Fault {
    let s = &config.schedule;
    let found = rules(&[
        (
            "schedule.warmup_ratio",
            s.warmup_ratio,
            (0.0..1.0).contains(&s.warmup_ratio),
            "from 0 to below 1",
            "0.03 warms up for 3 % of the steps; for a number of steps use `warmup_steps`",
        ),
        (
            "schedule.min_lr_ratio",
            s.min_lr_ratio,
            (0.0..=1.0).contains(&s.min_lr_ratio),
            "from 0 to 1",
            "0.1 ends at a tenth of the learning rate",
        ),
        (
            "schedule.decay_ratio",
            s.decay_ratio,
            s.decay_ratio > 0.0 && s.decay_ratio <= 1.0,
            "above 0 and at most 1",
            "0.2 falls during the last fifth of the steps",
        ),
    ]);
    if found.is_some() {
        return found;
    }
    if s.warmup_steps > 0 && s.warmup_ratio > 0.0 {
        let message = "`warmup_steps` and `warmup_ratio` are both given";
        return fault("schedule.warmup_ratio", message, "keep one of the two");
    }
    if s.name == Curve::Wsd && s.warmup_ratio + s.decay_ratio > 1.0 {
        let message = format!(
            "warm-up ({}) and decay ({}) together are longer than the run",
            s.warmup_ratio, s.decay_ratio
        );
        return fault("schedule.decay_ratio", message, "their sum must be at most 1");
    }
    None
}

fn evaluation(config: &Config) -> Fault {
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

fn limits(config: &Config) -> Fault {
    let l = &config.limits;
    let above = |x: Option<f64>| x.is_none_or(|x| x > 0.0 && x.is_finite());
    let hint = "remove the key to have no limit";
    rules(&[
        ("limits.max_tokens", 0.0, l.max_tokens != Some(0), "at least 1", hint),
        ("limits.max_hours", l.max_hours.unwrap_or(0.0), above(l.max_hours), "above 0", hint),
        ("limits.max_usd", l.max_usd.unwrap_or(0.0), above(l.max_usd), "above 0", hint),
        (
            "limits.tokens_per_second",
            l.tokens_per_second.unwrap_or(0.0),
            above(l.tokens_per_second),
            "above 0",
            "remove the key where the speed is not known",
        ),
    ])
    .or_else(|| prices(config))
}

fn prices(config: &Config) -> Fault {
    let prices = &config.limits.prices;
    let keys = |train, prefill, sample| {
        [("train", train), ("prefill", prefill), ("sample", sample)]
            .into_iter()
            .filter_map(|(key, usd)| Some((format!("{key}_per_million_tokens"), usd?)))
    };
    let of_all = keys(
        prices.train_per_million_tokens,
        prices.prefill_per_million_tokens,
        prices.sample_per_million_tokens,
    );
    let of_models = prices.models.iter().flat_map(|(name, price)| {
        let train = Some(price.train_per_million_tokens);
        keys(train, price.prefill_per_million_tokens, price.sample_per_million_tokens)
            .map(move |(key, usd)| (format!("models.{name}.{key}"), usd))
    });
    let wrong = of_all.chain(of_models).find(|(_, usd)| !(*usd >= 0.0 && usd.is_finite()));
    wrong.and_then(|(key, usd)| {
        let message = format!("must be at least 0, not {usd}");
        fault(format!("limits.prices.{key}"), message, "give US dollars for a million tokens")
    })
}
