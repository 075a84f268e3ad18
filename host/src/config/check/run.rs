//! What a run or a server may use, and what it costs.

use super::{Fault, fault, rules};
use crate::config::Config;

pub fn limits(config: &Config) -> Fault {
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

pub fn serve(config: &Config) -> Fault {
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
