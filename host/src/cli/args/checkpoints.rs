//! Arguments of `checkpoints`.

use super::{FormatArgs, OutputArgs};
use clap::{Args, Subcommand};

/// `tinsmith checkpoints`.
#[derive(Debug, Subcommand)]
pub enum CheckpointsCommand {
    /// List what a run has saved, as its trainer keeps it now
    List(CheckpointsListArgs),
    /// Let a checkpoint expire, or keep it
    Ttl(CheckpointsTtlArgs),
    /// Let everybody read a checkpoint
    Publish(CheckpointsPublishArgs),
    /// Let nobody else read a checkpoint any more
    Unpublish(CheckpointArgs),
    /// Delete checkpoints
    Delete(CheckpointsDeleteArgs),
}

/// `tinsmith checkpoints list`.
#[derive(Args, Clone, Debug)]
pub struct CheckpointsListArgs {
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

/// `tinsmith checkpoints ttl`.
#[derive(Args, Clone, Debug)]
pub struct CheckpointsTtlArgs {
    /// The run; `latest` is the newest
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Name of the checkpoint
    #[arg(value_name = "CHECKPOINT")]
    pub name: String,
    /// Seconds from now until it expires
    #[arg(long, value_name = "N", required_unless_present = "never", conflicts_with = "never",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
    /// It never expires
    #[arg(long)]
    pub never: bool,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `tinsmith checkpoints publish`.
#[derive(Args, Clone, Debug)]
pub struct CheckpointsPublishArgs {
    /// Which one.
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// Everybody may read these weights
    #[arg(long)]
    pub yes: bool,
}

/// One checkpoint: all that `tinsmith checkpoints unpublish` takes.
#[derive(Args, Clone, Debug)]
pub struct CheckpointArgs {
    /// The run; `latest` is the newest
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Name of the checkpoint
    #[arg(value_name = "CHECKPOINT")]
    pub name: String,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `tinsmith checkpoints delete`.
#[derive(Args, Clone, Debug)]
pub struct CheckpointsDeleteArgs {
    /// The run; `latest` is the newest
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Names of the checkpoints
    #[arg(value_name = "CHECKPOINT", required = true)]
    pub names: Vec<String>,
    /// Also the run's result, or its last checkpoint
    #[arg(long)]
    pub yes: bool,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
}
