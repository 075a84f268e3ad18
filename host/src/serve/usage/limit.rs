//! The limits of a server's whole spending: `limits.max_tokens` and `limits.max_usd`.

use super::{Total, line::Tokens};
use crate::{
    Error, Result,
    config::{Config, Loaded},
    plan::Rates,
    serve::base::Base,
};
use tinsmith_plugin_api::{Error as Refusal, Result as Checked};

/// Sums of dollars are not exact: what is this much above a limit is at it.
const SLACK: f64 = 1e-9;

/// What may be spent at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Caps {
    /// Tokens of all kinds.
    pub max_tokens: Option<u64>,
    /// US dollars.
    pub max_usd: Option<f64>,
}

impl Caps {
    /// The limits of a config, over the models that are served.
    ///
    /// # Errors
    /// `usage` for a limit in dollars where somebody must say what a token costs.
    pub fn of(loaded: &Loaded, bases: &[Base]) -> Result<Self> {
        let limits = &loaded.config.limits;
        if limits.max_usd.is_some() {
            for base in bases {
                let rates = [
                    ("train", "trained on", base.rates.train),
                    ("prefill", "of a prompt", base.rates.prefill),
                    ("sample", "sampled", base.rates.sample),
                ];
                if let Some((key, what, _)) = rates.iter().find(|(.., price)| price.is_none()) {
                    let name = &base.name;
                    let e =
                        Error::usage(format!("nobody says what a token {what} costs (`{name}`)"));
                    let e = e.hint(format!("set `limits.prices.{key}_per_million_tokens`"));
                    return Err(loaded.error_at("limits.max_usd", e));
                }
            }
        }
        Ok(Self { max_tokens: limits.max_tokens, max_usd: limits.max_usd })
    }

    /// What whoever runs the server should know of its limits.
    pub fn notes(config: &Config, rates: &[Rates]) -> Vec<String> {
        let limits = &config.limits;
        let mut notes = Vec::new();
        let free = |rates: &Rates| {
            [rates.train, rates.prefill, rates.sample].iter().all(|price| *price == Some(0.0))
        };
        if limits.max_usd.is_some() && rates.iter().all(free) {
            let trainer = &config.trainer.name;
            notes.push(format!("trainer `{trainer}` costs nothing: `limits.max_usd` is idle"));
        }
        if limits.max_hours.is_some() {
            notes.push("`limits.max_hours` is for training runs: a server does not keep it".into());
        }
        notes
    }

    /// What was spent, and of how much.
    pub fn standing(&self, spent: Total) -> String {
        let of_tokens = self.max_tokens.map(|most| format!("{} of {most}", tokens(spent.tokens)));
        let of_usd =
            self.max_usd.map(|most| format!("{} of {}", dollars(spent.usd), dollars(most)));
        let both: Vec<String> = of_tokens.into_iter().chain(of_usd).collect();
        format!("spent so far: {}", both.join(", "))
    }

    /// Whether so much more may be spent.
    ///
    /// # Errors
    /// `rejected` that names the limit and what was spent.
    pub fn check(&self, spent: Total, set_aside: Total, need: Total) -> Checked<()> {
        let sum = spent + set_aside + need;
        let refused = |limit: String, amounts: [String; 3]| {
            let [spent, set_aside, need] = amounts;
            let text = format!(
                "it would exceed {limit}: {spent} spent, {set_aside} set aside for what is under \
                 way, and this may take {need}"
            );
            Err(Refusal::rejected(text).with_hint("raise the limit and start the server again"))
        };
        if let Some(most) = self.max_tokens.filter(|most| sum.tokens.all() > *most) {
            let text = |total: Total| tokens(total.tokens);
            let limit = format!("`limits.max_tokens` ({most})");
            return refused(limit, [text(spent), text(set_aside), text(need)]);
        }
        if let Some(most) = self.max_usd.filter(|most| sum.usd > most * (1.0 + SLACK)) {
            let text = |total: Total| dollars(total.usd);
            let limit = format!("`limits.max_usd` ({})", dollars(most));
            return refused(limit, [text(spent), text(set_aside), text(need)]);
        }
        Ok(())
    }
}

fn tokens(tokens: Tokens) -> String {
    crate::text::plural(tokens.all(), "token")
}

/// With as many digits as tell one small sum from the next.
fn dollars(usd: f64) -> String {
    match usd {
        0.0 => "$0".into(),
        usd if usd >= 0.01 => format!("${usd:.4}"),
        usd => format!("${usd:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::load, plan::rates};

    #[test]
    fn what_a_limit_does_not_do_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serve.yaml");
        let notes = |more: &str| {
            let text = format!("model: {{base_model: m}}\ndatasets: [{{path: d.jsonl}}]\n{more}");
            std::fs::write(&path, text).unwrap();
            let config = load(&path, &[]).unwrap().config;
            Caps::notes(&config, &[rates(&config)])
        };
        let both = "limits: {max_usd: 1.0, max_hours: 2.0}\n";
        let local = notes(both);
        assert!(local[0].contains("`local` costs nothing: `limits.max_usd` is idle"), "{local:?}");
        assert!(local[1].contains("`limits.max_hours` is for training runs"), "{local:?}");
        assert_eq!(notes(&format!("trainer: remote\n{both}")), local[1..]);
        assert!(notes("limits: {max_tokens: 9}\n").is_empty());
    }

    #[test]
    fn what_was_spent_is_said_of_each_limit() {
        let tokens = Tokens { train: 40, sample: 2, ..Tokens::default() };
        let spent = Total { tokens, usd: 0.5 };
        let both = Caps { max_tokens: Some(100), max_usd: Some(2.0) };
        assert_eq!(both.standing(spent), "spent so far: 42 tokens of 100, $0.5000 of $2.0000");
    }
}
