//! What a run will cost and how long it will take, as far as that can be said before it.

use crate::config::{Config, DEFAULT_TRAINER};
use serde::Serialize;

/// A speed that is known, and from where.
#[derive(Clone, Debug, PartialEq)]
pub struct Speed {
    /// Tokens a second.
    pub tokens_per_second: f64,
    /// Where the figure comes from, in words.
    pub from: String,
}

/// An estimate. What is not known is None, never a guess.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Tokens that the model reads in training, all epochs together.
    pub tokens: u64,
    /// US dollars for a million of them.
    pub usd_per_million_tokens: Option<f64>,
    /// US dollars: tokens times price. Evaluation, samples and steps that are computed again after
    /// an interruption are not in it.
    pub usd: Option<f64>,
    /// Where the price comes from.
    pub price_from: Option<String>,
    /// Tokens a second.
    pub tokens_per_second: Option<f64>,
    /// Seconds.
    pub seconds: Option<f64>,
    /// Where the speed comes from.
    pub speed_from: Option<String>,
}

impl Estimate {
    /// For so many tokens. A speed that the config states goes before `measured`.
    #[must_use]
    pub fn new(config: &Config, tokens: u64, measured: Option<Speed>) -> Self {
        let price = price(config);
        let stated = config.limits.tokens_per_second.map(|tokens_per_second| Speed {
            tokens_per_second,
            from: "`limits.tokens_per_second`".into(),
        });
        let speed = stated.or(measured);
        let usd = |(per_million, _): &(f64, String)| tokens as f64 / 1e6 * per_million;
        Self {
            tokens,
            usd: price.as_ref().map(usd),
            usd_per_million_tokens: price.as_ref().map(|(usd, _)| *usd),
            price_from: price.map(|(_, from)| from),
            seconds: speed.as_ref().map(|s| tokens as f64 / s.tokens_per_second),
            tokens_per_second: speed.as_ref().map(|s| s.tokens_per_second),
            speed_from: speed.map(|s| s.from),
        }
    }

    /// The cost in words.
    #[must_use]
    pub fn cost_text(&self) -> String {
        match (self.usd, self.usd_per_million_tokens, &self.price_from) {
            (Some(_), Some(0.0), Some(from)) => format!("$0 ({from})"),
            (Some(usd), Some(price), Some(from)) => {
                format!("about {} ({} a million tokens, {from})", dollars(usd), dollars(price))
            }
            _ => "unknown; `limits.prices` states what a million tokens cost".to_owned(),
        }
    }

    /// The time in words.
    #[must_use]
    pub fn time_text(&self) -> String {
        match (self.seconds, self.tokens_per_second, &self.speed_from) {
            (Some(seconds), Some(speed), Some(from)) => {
                format!("about {} ({speed:.0} tokens a second, {from})", duration(seconds))
            }
            _ => "unknown; no run of this model and trainer is recorded here, and \
                  `limits.tokens_per_second` is not set"
                .to_owned(),
        }
    }
}

/// US dollars for a token, where somebody says it. The trainer `local` costs nothing.
#[must_use]
pub fn usd_per_token(config: &Config) -> Option<f64> {
    price(config).map(|(usd, _)| usd / 1e6)
}

/// What a token costs, in US dollars, by what is done with it; None where nobody says it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Read in training, forward passes included.
    pub train: Option<f64>,
    /// Read as the prompt of a sample.
    pub prefill: Option<f64>,
    /// Sampled.
    pub sample: Option<f64>,
}

/// What tokens of the config's model cost. With the trainer `local` nothing does.
#[must_use]
pub fn rates(config: &Config) -> Rates {
    if config.trainer.name == DEFAULT_TRAINER {
        return Rates { train: Some(0.0), prefill: Some(0.0), sample: Some(0.0) };
    }
    let prices = &config.limits.prices;
    let of_model = prices.models.get(&config.model.base_model);
    let rate =
        |of_model: Option<f64>, of_all: Option<f64>| of_model.or(of_all).map(|usd| usd / 1e6);
    let prefill = of_model.and_then(|price| price.prefill_per_million_tokens);
    let sample = of_model.and_then(|price| price.sample_per_million_tokens);
    Rates {
        train: usd_per_token(config),
        prefill: rate(prefill, prices.prefill_per_million_tokens),
        sample: rate(sample, prices.sample_per_million_tokens),
    }
}

/// US dollars for a million tokens, and where that stands.
fn price(config: &Config) -> Option<(f64, String)> {
    if config.trainer.name == DEFAULT_TRAINER {
        return Some((0.0, format!("the trainer `{DEFAULT_TRAINER}` computes on this machine")));
    }
    let prices = &config.limits.prices;
    let of_model = prices.models.get(&config.model.base_model);
    let of_model = of_model.map(|p| (p.train_per_million_tokens, "`limits.prices.models`".into()));
    let of_all = prices
        .train_per_million_tokens
        .map(|usd| (usd, "`limits.prices.train_per_million_tokens`".into()));
    of_model.or(of_all)
}

/// `$12.30`; below a dollar with as many digits as tell something.
#[must_use]
pub fn dollars(usd: f64) -> String {
    match usd {
        0.0 => "$0".to_owned(),
        x if x >= 1.0 => format!("${x:.2}"),
        x if x >= 0.01 => format!("${x:.3}"),
        x => format!("${x:.1e}"),
    }
}

/// `40 s`, `3 min`, `2 h 5 min`: an estimate has no use for more.
fn duration(seconds: f64) -> String {
    match seconds.max(0.0).round() as u64 {
        whole @ 0..60 => format!("{whole} s"),
        whole @ 60..3600 => format!("{} min", (whole + 30) / 60),
        whole => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn config(more: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.yaml");
        let text = "model: {base_model: org/a}\ndatasets: [{path: d.jsonl}]\n";
        std::fs::write(&path, format!("{text}{more}")).unwrap();
        load(&path, &[]).unwrap().config
    }

    #[test]
    fn a_price_is_that_of_the_model_or_of_all_and_nothing_here() {
        let prices = "limits: {prices: {train_per_million_tokens: 2.0, models: \
            {org/a: {train_per_million_tokens: 0.5}, org/b: {train_per_million_tokens: 9}}}}\n";
        // 3 million tokens at 50 cents.
        let remote = format!("trainer: remote\n{prices}");
        let a = Estimate::new(&config(&remote), 3_000_000, None);
        assert_eq!((a.usd, a.usd_per_million_tokens), (Some(1.5), Some(0.5)));
        assert_eq!(a.cost_text(), "about $1.50 ($0.500 a million tokens, `limits.prices.models`)");
        let c = Estimate::new(&config(&remote.replace("org/a:", "org/c:")), 3_000_000, None);
        assert_eq!(c.usd, Some(6.0));
        let local = Estimate::new(&config(prices), 3_000_000, None);
        assert_eq!(local.usd, Some(0.0));
        assert!(local.cost_text().starts_with("$0 (the trainer `local`"), "{}", local.cost_text());
        let none = Estimate::new(&config("trainer: remote\n"), 3_000_000, None);
        assert_eq!(none.usd, None);
        assert!(none.cost_text().starts_with("unknown"));
    }

    #[test]
    fn rates_are_those_of_the_model_then_of_all_and_zero_here() {
        let prices = "limits: {prices: {prefill_per_million_tokens: 3, sample_per_million_tokens: 4, \
            models: {org/a: {train_per_million_tokens: 1, sample_per_million_tokens: 2}}}}\n";
        let of = |trainer: &str| rates(&config(&format!("trainer: {trainer}\n{prices}")));
        let usd = |million: f64| Some(million / 1e6);
        assert_eq!(of("remote"), Rates { train: usd(1.0), prefill: usd(3.0), sample: usd(2.0) });
        assert_eq!(of("local"), Rates { train: usd(0.0), prefill: usd(0.0), sample: usd(0.0) });
        assert_eq!(rates(&config("trainer: remote\n")), Rates::default());
    }

    #[test]
    fn a_time_needs_a_speed_that_somebody_stated_or_measured() {
        let speed = || Some(Speed { tokens_per_second: 500.0, from: "run r".into() });
        let measured = Estimate::new(&config(""), 60_000, speed());
        assert_eq!(measured.seconds, Some(120.0));
        assert_eq!(measured.time_text(), "about 2 min (500 tokens a second, run r)");
        let stated = config("limits: {tokens_per_second: 100}\n");
        assert_eq!(Estimate::new(&stated, 60_000, speed()).seconds, Some(600.0));
        let unknown = Estimate::new(&config(""), 60_000, None);
        assert_eq!(unknown.seconds, None);
        assert!(unknown.time_text().starts_with("unknown"));
    }

    #[test]
    fn few_digits() {
        assert_eq!([0.0, 0.0004, 0.25, 12.345].map(dollars), ["$0", "$4.0e-4", "$0.250", "$12.35"]);
        assert_eq!([40.4, 200.0, 7500.0].map(duration), ["40 s", "3 min", "2 h 5 min"]);
    }
}
