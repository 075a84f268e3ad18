//! `tinsmith train`.

use super::{Ui, args::TrainArgs};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &TrainArgs, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`train` is not in this build yet"))
}
