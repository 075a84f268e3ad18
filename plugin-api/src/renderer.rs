//! Dataset renderers: records in, packed examples out.

use crate::{Error, Examples, Record, Result, Services};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Turns one record of a dataset into zero or more training examples.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a dataset renderer",
    note = "implement `DatasetRenderer`: NAME, Config, `new` and `render` are enough"
)]
pub trait DatasetRenderer: Sized + Send + Sync + 'static {
    /// The name a config file uses, unique within the plugin.
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str = "";
    /// The plugin's part of the config section; serde is the validator.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds the renderer. Cheap: called once per run, and by config validation.
    ///
    /// # Errors
    /// [`crate::ErrorKind::CONFIG`] for settings that do not fit together.
    fn new(config: Self::Config, services: Services) -> Result<Self>;

    /// Pushes the examples of one record into `out`. None means that the record is skipped; the
    /// host counts and shows it.
    ///
    /// # Errors
    /// A data error names the field. Nothing of a failed record is kept.
    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()>;

    /// Token ids that put the model right before its answer to `messages`: a JSON array of chat
    /// messages, or where there are tools an object with `messages` and `tools`.
    ///
    /// # Errors
    /// `unsupported` unless implemented.
    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        let _ = messages;
        Err(Error::unsupported(format!("renderer `{}` has no generation prompt", Self::NAME)))
    }

    /// What ends an answer.
    fn stop(&self) -> Stop {
        Stop::default()
    }

    /// Reads a sampled answer back into a message.
    ///
    /// # Errors
    /// `unsupported` unless implemented.
    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        let _ = tokens;
        Err(Error::unsupported(format!("renderer `{}` cannot parse a response", Self::NAME)))
    }
}

/// What ends a sampled answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Token ids, any of which ends the answer.
    #[serde(default)]
    pub tokens: Vec<i32>,
    /// Texts, any of which ends the answer.
    #[serde(default)]
    pub strings: Vec<String>,
}

/// A sampled answer, read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parsed {
    /// The message as chat JSON: `{"role": "assistant", "content": …}`.
    pub message: Value,
    /// How the answer ended.
    pub termination: Termination,
}

/// How a sampled answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Termination {
    /// By the renderer's stop token or string.
    Stop,
    /// By the tokenizer's end-of-sequence token.
    Eos,
    /// It did not end, or not as it should.
    Malformed,
}
