//! `tinsmith status`.

use super::{Ui, args::StatusArgs};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &StatusArgs, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`status` is not in this build yet"))
}
