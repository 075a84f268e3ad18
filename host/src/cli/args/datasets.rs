//! Arguments of the commands about datasets: `upload`, `render`, `data`.

use super::{FormatArgs, OutputArgs, SetArgs};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// How a dataset becomes tokens: a config, or the flags that stand for its keys.
#[derive(Args, Clone, Debug, Default)]
pub struct RenderingArgs {
    /// Take tokenizer, renderer and data settings from this config
    #[arg(long, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Folder of the tokenizer, or its name
    #[arg(long, value_name = "DIR|NAME", value_hint = ValueHint::DirPath)]
    pub tokenizer: Option<String>,
    /// The renderer, such as `chatml` or `plugin/renderer`
    #[arg(long, value_name = "NAME")]
    pub renderer: Option<String>,
    /// Which tokens are trained, such as `last_assistant_message`
    #[arg(long, value_name = "MODE")]
    pub train_on: Option<String>,
    /// Longest example, in tokens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub max_length: Option<u32>,
    /// Whether a conversation may become several examples
    #[arg(long, value_name = "WHEN")]
    pub split: Option<Split>,
    /// Overrides of the config, and `renderer.KEY`.
    #[command(flatten)]
    pub set: SetArgs,
}

/// Whether a conversation may become several examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// Where training needs it to see what inference shows
    Auto,
    /// Always one example a conversation
    Never,
}

/// `tinsmith upload`.
#[derive(Args, Clone, Debug)]
pub struct UploadArgs {
    /// Datasets: JSON Lines, also `.gz` and `.zst`, JSON arrays, Parquet
    #[arg(value_name = "DATA", required = true, value_hint = ValueHint::FilePath)]
    pub data: Vec<PathBuf>,
    /// Where to stage them, such as `file:///data` [default: the output folder]
    #[arg(long, value_name = "URI")]
    pub storage: Option<String>,
    /// How they become tokens.
    #[command(flatten)]
    pub rendering: RenderingArgs,
    /// Where the default storage lies.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith render`.
#[derive(Args, Clone, Debug)]
pub struct RenderArgs {
    /// Datasets: JSON Lines, also `.gz` and `.zst`, JSON arrays, Parquet
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// How they become tokens.
    #[command(flatten)]
    pub rendering: RenderingArgs,
    /// Show the prompt that inference would give the model instead
    #[arg(long)]
    pub generation_prompt: bool,
    /// Stop after this many records
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How to print the examples
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: RenderFormat,
}

/// How rendered examples are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RenderFormat {
    /// Coloured text; trained tokens are marked
    #[default]
    Table,
    /// One object a line: record, tokens, weights
    Json,
    /// One page that needs nothing else
    Html,
}

/// `tinsmith data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Report every bad row by file, line, column and field
    Check(CheckArgs),
    /// Lengths, trained tokens, truncations, duplicates
    Stats(DataArgs),
}

/// `tinsmith data check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// What is checked.
    #[command(flatten)]
    pub data: DataArgs,
    /// Prove for every example that what is not trained is the prompt of inference
    #[arg(long)]
    pub prove: bool,
    /// Print every bad row, not only the first 50; JSON always has them all
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `tinsmith data check` and `stats`.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Datasets: JSON Lines, also `.gz` and `.zst`, JSON arrays, Parquet
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// How they become tokens.
    #[command(flatten)]
    pub rendering: RenderingArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}
