//! The command line as types: every command, flag and default. The reference page
//! `docs/reference/cli.md` is generated from here.

mod checkpoints;
mod datasets;
mod runs;
mod serve;
mod tools;

pub use checkpoints::*;
pub use datasets::*;
pub use runs::*;
pub use serve::*;
pub use tools::*;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Chat JSONL to a trained LoRA adapter
#[derive(Debug, Parser)]
#[command(
    name = "tinsmith",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "A first run:\n  tinsmith train configs/quickstart.yaml\n  tinsmith status latest\n  tinsmith sample latest --prompt \"…\""
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Load a plugin from this file or folder; may be given again
    #[arg(long = "plugin", value_name = "PATH", global = true, value_hint = ValueHint::AnyPath)]
    pub plugins: Vec<PathBuf>,
    /// Use at most this many threads [default: all cores]
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub threads: Option<u32>,
    /// Say more on stderr; twice for debug lines
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on stderr but warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to colour the output
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: ColorChoice,
    /// Print help
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort)]
    pub help: Option<bool>,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plan, check, train and record a run
    Train(TrainArgs),
    /// Check, render and stage a dataset; prints its id
    Upload(UploadArgs),
    /// Show runs, or one run as it goes
    Status(StatusArgs),
    /// List runs, show one, or write its report anew
    #[command(subcommand)]
    Runs(RunsCommand),
    /// List what a run has saved, let it expire, or delete it
    #[command(subcommand)]
    Checkpoints(CheckpointsCommand),
    /// Fetch a run's adapter in PEFT layout, verified
    Download(DownloadArgs),
    /// Show tokens and weights of a dataset as training sees them
    Render(RenderArgs),
    /// Check datasets, or measure them
    #[command(subcommand)]
    Data(DataCommand),
    /// Talk to the result of a run, beside its base
    Sample(SampleArgs),
    /// Train the first steps on two trainers and compare them
    Parity(ParityArgs),
    /// Serve the Tinker API in front of a trainer
    Serve(ServeArgs),
    /// List, check, add and trust plugins
    #[command(subcommand)]
    Plugins(PluginsCommand),
    /// Show, describe or start a config
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// `--format` of the commands that print data.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct FormatArgs {
    /// How to print the data
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// `--output` of the commands that read or write runs.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Folder of runs and adapters [default: models/adapters/tinker]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// `--set` of the commands that read a config.
#[derive(Args, Clone, Debug, Default)]
pub struct SetArgs {
    /// Override a key, such as `training.epochs=2` or `datasets.0.path=b.jsonl`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}
