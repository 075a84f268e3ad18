//! One of `datasets`: a file, and how its lines are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A dataset.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// File of records, relative to the config: JSON Lines, also as `.gz` or `.zst`, a JSON array, or
    /// Parquet; or the id that `upload` printed.
    pub path: String,
    /// What its records are.
    #[serde(default)]
    pub format: Format,
    /// Read at most this many records. Default: all.
    #[serde(default)]
    pub limit: Option<u64>,
    /// How often its examples are seen, relative to once an epoch: 2 is twice, 0.5 every other epoch.
    #[serde(default = "once")]
    #[schemars(range(min = 0.001, max = 1000.0))]
    pub weight: f64,
    /// What the fields of its records are called, where that is not what the format calls them.
    #[serde(default)]
    pub fields: Fields,
    /// What its roles are called, and what they mean: `{human: user}`.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// Columns of a `tokens` dataset, one value a token. Default: every list of numbers that a
    /// record has besides its tokens, weights and labels.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
}

fn once() -> f64 {
    1.0
}

/// What the records of a dataset are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Told by each record's keys.
    #[default]
    Auto,
    /// `{"messages": [{"role": …, "content": …}, …]}`
    Messages,
    /// `{"prompt": …, "completion": …}`
    PromptCompletion,
    /// `{"conversations": [{"from": …, "value": …}, …]}`
    Sharegpt,
    /// `{"instruction": …, "input": …, "output": …}`
    Alpaca,
    /// `{"prompt": …, "chosen": …, "rejected": …}`
    Preference,
    /// `{"text": …}`, trained as a whole.
    Text,
    /// `{"tokens": […], "weights": […]}` or `{"input_ids": […], "labels": […]}`
    Tokens,
    /// Whatever the renderer reads; passed on as it is.
    Record,
}

impl Format {
    /// The word of the config.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Messages => "messages",
            Self::PromptCompletion => "prompt_completion",
            Self::Sharegpt => "sharegpt",
            Self::Alpaca => "alpaca",
            Self::Preference => "preference",
            Self::Text => "text",
            Self::Tokens => "tokens",
            Self::Record => "record",
        }
    }
}

impl Format {
    /// The fields that it reads, by the names that [`Fields`] gives them.
    #[must_use]
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Auto => &[
                "messages",
                "role",
                "content",
                "tools",
                "prompt",
                "completion",
                "chosen",
                "rejected",
                "instruction",
                "input",
                "output",
                "system",
                "history",
                "text",
                "tokens",
                "weights",
                "labels",
            ],
            Self::Messages => &["messages", "role", "content", "tools"],
            Self::PromptCompletion => &["prompt", "completion", "role", "content", "tools"],
            Self::Sharegpt => &["messages", "role", "content", "system", "tools"],
            Self::Alpaca => &["instruction", "input", "output", "system", "history", "tools"],
            Self::Preference => &["prompt", "chosen", "rejected", "role", "content", "tools"],
            Self::Text => &["text"],
            Self::Tokens => &["tokens", "weights", "labels"],
            Self::Record => &[],
        }
    }
}

/// What fields are called in a dataset. What is not given has the format's own name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// The list of messages: `messages`, or `conversations` (sharegpt).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// Who speaks, in a message: `role`, or `from` (sharegpt).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What is said, in a message: `content`, or `value` (sharegpt).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The list of tools: `tools`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// The question: `prompt` (prompt_completion, preference).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The answer: `completion` (prompt_completion).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// The better answer: `chosen` (preference).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The worse answer: `rejected` (preference).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// What is asked: `instruction` (alpaca).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// What it is asked about: `input` (alpaca).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The answer: `output` (alpaca).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The system message: `system` (alpaca, sharegpt).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Earlier questions and answers: `history` (alpaca).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The text: `text` (text).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The token ids: `tokens` or `input_ids` (tokens).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<String>,
    /// The weight of each token: `weights` (tokens).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The token ids again, -100 where nothing is trained: `labels` (tokens).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
}

impl Fields {
    /// Every field and what it is called here.
    #[must_use]
    pub fn all(&self) -> [(&'static str, Option<&str>); 17] {
        let Self {
            messages,
            role,
            content,
            tools,
            prompt,
            completion,
            chosen,
            rejected,
            instruction,
            input,
            output,
            system,
            history,
            text,
            tokens,
            weights,
            labels,
        } = self;
        [
            ("messages", messages.as_deref()),
            ("role", role.as_deref()),
            ("content", content.as_deref()),
            ("tools", tools.as_deref()),
            ("prompt", prompt.as_deref()),
            ("completion", completion.as_deref()),
            ("chosen", chosen.as_deref()),
            ("rejected", rejected.as_deref()),
            ("instruction", instruction.as_deref()),
            ("input", input.as_deref()),
            ("output", output.as_deref()),
            ("system", system.as_deref()),
            ("history", history.as_deref()),
            ("text", text.as_deref()),
            ("tokens", tokens.as_deref()),
            ("weights", weights.as_deref()),
            ("labels", labels.as_deref()),
        ]
    }
}
