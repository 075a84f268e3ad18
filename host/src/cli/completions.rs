//! `tinsmith completions SHELL`.

use super::{Cli, Ui, args::CompletionsArgs};
use crate::{Error, Result};
use clap::CommandFactory;

/// Prints the completion script of a shell.
pub fn run(args: &CompletionsArgs, ui: &Ui) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tinsmith", &mut script);
    let script = String::from_utf8(script)
        .map_err(|e| Error::failed(format!("write the completion script: {e}")))?;
    ui.data(script)
}
