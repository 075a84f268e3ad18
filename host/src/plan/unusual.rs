//! Settings that are allowed and seldom meant.

use crate::config::{Config, Mode};

/// What a user should look at twice, for a run of so many steps.
#[must_use]
pub fn unusual(config: &Config, steps: u64, warmup: u64) -> Vec<String> {
    let mut notes = Vec::new();
    let rate = config.optimizer.learning_rate;
    let most = if config.training.mode == Mode::Full { 1e-2 } else { 5e-2 };
    if rate > most {
        notes.push(format!(
            "`optimizer.learning_rate` is {rate:e}; adapters are seldom trained above 1e-2, whole \
             models above 1e-3"
        ));
    }
    if warmup >= steps {
        notes.push(format!(
            "the warm-up takes {warmup} steps and the run has {steps}: the learning rate never \
             reaches its peak"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_unusual_is_noted() {
        let config = |rate: f64| -> Config {
            serde_json::from_value(json!({
                "model": {"base_model": "m"}, "datasets": [{"path": "d"}],
                "optimizer": {"learning_rate": rate},
            }))
            .unwrap()
        };
        assert!(unusual(&config(1e-4), 10, 3).is_empty());
        assert!(unusual(&config(3.0), 10, 0)[0].contains("is 3e0"));
        assert!(unusual(&config(1e-4), 5, 300)[0].contains("takes 300 steps"));
    }
}
