//! Arguments of the commands about runs: `train`, `status`, `runs`, `download`, `sample`.

use super::{FormatArgs, OutputArgs, SetArgs};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// `tinsmith train`.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// The config, YAML or TOML [env: TINSMITH_CONFIG]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Overrides of the config.
    #[command(flatten)]
    pub set: SetArgs,
    /// Show the plan and stop before training
    #[arg(long)]
    pub dry_run: bool,
    /// Go on with this run from its last good checkpoint; `latest` is the newest
    #[arg(long, value_name = "RUN")]
    pub resume: Option<String>,
    /// Resume although data, tokenizer, renderer or plugins have changed
    #[arg(long, requires = "resume")]
    pub accept_changes: bool,
    /// Where runs go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith status`.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// One run; `latest` is the newest. Without it, all runs are listed
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Keep showing the run until it ends
    #[arg(long)]
    pub follow: bool,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith runs`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List all runs
    List(RunsListArgs),
    /// Show one run
    Show(RunsShowArgs),
    /// Show what differs between two runs: settings, data, losses, cost
    Diff(RunsDiffArgs),
    /// Write the report of a run, a page that needs nothing but itself; prints its path
    Report(RunsReportArgs),
}

/// `tinsmith runs list`.
#[derive(Args, Clone, Debug)]
pub struct RunsListArgs {
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith runs show`.
#[derive(Args, Clone, Debug)]
pub struct RunsShowArgs {
    /// The run; `latest` is the newest
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith runs diff`.
#[derive(Args, Clone, Debug)]
pub struct RunsDiffArgs {
    /// The first run; `latest` is the newest
    #[arg(value_name = "A")]
    pub a: String,
    /// The second run
    #[arg(value_name = "B")]
    pub b: String,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith runs report`.
#[derive(Args, Clone, Debug)]
pub struct RunsReportArgs {
    /// The run; `latest` is the newest
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith download`.
#[derive(Args, Clone, Debug)]
pub struct DownloadArgs {
    /// The run; `latest` is the newest
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Which checkpoint [default: the last]
    #[arg(long, value_name = "NAME")]
    pub checkpoint: Option<String>,
    /// Where the adapter goes [default: ./RUN]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dest: Option<PathBuf>,
    /// Replace another adapter that lies there
    #[arg(long)]
    pub replace: bool,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith sample`.
#[derive(Args, Clone, Debug)]
pub struct SampleArgs {
    /// A run (`latest` is the newest) or the folder of an adapter
    #[arg(value_name = "RUN|PATH")]
    pub source: String,
    /// What to say; without it, one prompt a line is read from stdin
    #[arg(long, short, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// The system message
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Show the answer of the base model beside it
    #[arg(long)]
    pub base: bool,
    /// Which checkpoint of the run [default: the last]
    #[arg(long, value_name = "NAME")]
    pub checkpoint: Option<String>,
    /// Longest answer, in tokens
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// 0 always takes the likeliest token
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    pub temperature: f32,
    /// Choose among the likeliest tokens that together have this probability
    #[arg(long, value_name = "P", default_value_t = 1.0, allow_negative_numbers = true)]
    pub top_p: f32,
    /// Choose among this many likeliest tokens
    #[arg(long, value_name = "K")]
    pub top_k: Option<u32>,
    /// Seed of the draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Number of answers
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub num_samples: u32,
    /// Override a key of the run's config, such as `trainer.threads=1`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith parity`.
#[derive(Args, Clone, Debug)]
pub struct ParityArgs {
    /// The config, YAML or TOML: data, loss, steps, and the first trainer
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
    /// The config of the second trainer: its `trainer` and `model` count
    #[arg(long, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub against: PathBuf,
    /// Steps to train on both
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: u64,
    /// Largest distance of a log-probability that counts as the same, in nats
    #[arg(long, value_name = "NATS", default_value_t = 0.05)]
    pub tolerance: f64,
    /// Overrides of the first config.
    #[command(flatten)]
    pub set: SetArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}
