//! Settings that are allowed and seldom meant.

use crate::config::{Config, Mode};

/// What a user should look at twice.
#[must_use]
pub fn unusual(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let rate = config.optimizer.learning_rate;
    let most = if config.training.mode == Mode::Full { 1e-2 } else { 5e-2 };
    if rate > most {
        notes.push(format!(
            "`optimizer.learning_rate` is {rate:e}; adapters are seldom trained above 1e-2, whole \
             models above 1e-3"
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
        assert!(unusual(&config(1e-4)).is_empty());
        assert!(unusual(&config(3.0))[0].contains("is 3e0"));
    }
}
