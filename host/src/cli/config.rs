//! `tinsmith config`.

use super::{Ui, args::ConfigCommand};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &ConfigCommand, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`config` is not in this build yet"))
}
