//! The commands: one file each, with a `run` that does what its arguments say.

pub mod args;
mod checkpoints;
mod completions;
mod config;
mod data;
mod download;
mod parity;
mod plugins;
mod preflight;
mod render;
mod runs;
mod sample;
mod serve;
mod status;
mod tooling;
mod train;
pub mod ui;
mod upload;

pub use crate::env::Verbosity;
pub use args::Cli;
pub use ui::{Style, Ui};

use crate::{Result, config::Loaded, env, runs::DEFAULT_OUTPUT};
use args::{Command, OutputArgs};
use std::path::PathBuf;

/// Does what the command line says.
///
/// # Errors
/// Whatever the command could not do; [`crate::Error::kind`] is the exit code.
pub fn run(cli: &Cli, ui: &Ui) -> Result<()> {
    match &cli.command {
        Command::Train(args) => train::run(args, ui),
        Command::Upload(args) => upload::run(args, ui),
        Command::Status(args) => status::run(args, ui),
        Command::Runs(command) => runs::run(command, ui),
        Command::Checkpoints(command) => checkpoints::run(command, ui),
        Command::Download(args) => download::run(args, ui),
        Command::Render(args) => render::run(args, ui),
        Command::Data(command) => data::run(command, ui),
        Command::Sample(args) => sample::run(args, ui),
        Command::Parity(args) => parity::run(args, ui),
        Command::Serve(args) => serve::run(args, ui),
        Command::Plugins(command) => plugins::run(command, ui),
        Command::Config(command) => config::run(command, ui),
        Command::Completions(args) => completions::run(args, ui),
    }
}

impl OutputArgs {
    /// The folder of runs: `--output`, then what the environment or the config names, then
    /// [`DEFAULT_OUTPUT`].
    #[must_use]
    pub fn dir(&self, config: Option<&Loaded>) -> PathBuf {
        self.output
            .clone()
            // A loaded config has the environment laid over it already.
            .or_else(|| config.map_or_else(env::output, Loaded::output))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_OUTPUT))
    }
}
