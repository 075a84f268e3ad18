//! Renders records like `{"question": "…", "answer": "…"}`.
#![forbid(unsafe_code)]

use schemars::JsonSchema;
use serde::Deserialize;
use tinsmith_plugin_api::{DatasetRenderer, Examples, Record, Result, Services, plugin};

#[derive(Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Text put before every question.
    prefix: String,
}

struct Hello {
    config: Config,
    services: Services,
}

impl DatasetRenderer for Hello {
    const NAME: &'static str = "hello";
    type Config = Config;

    fn new(config: Config, services: Services) -> Result<Self> {
        Ok(Self { config, services })
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        let question = format!("{}{}\n", self.config.prefix, record.text("question")?);
        let prompt = self.services.encode(&question)?;
        let answer = self.services.encode(record.text("answer")?)?;
        out.span(&prompt, 0.0).span(&answer, 1.0).finish();
        Ok(())
    }
}

plugin! { renderers: [Hello] }

#[cfg(test)]
mod tests {
    use super::*;
    use tinsmith_plugin_api::testing::render_to_table;

    #[test]
    fn the_answer_is_trained_and_the_question_is_not() {
        let config = serde_json::json!({ "prefix": "Q: " });
        let records = [r#"{"question": "2+2?", "answer": "4"}"#, r#"{"question": "why?"}"#];
        assert_eq!(
            render_to_table::<Hello>(&config, &records),
            "0.0  0.0  \"Q: 2+2?\\n\"\n0.0  1.0  \"4\"\n1  refused  `answer`: is missing\n"
        );
    }
}
