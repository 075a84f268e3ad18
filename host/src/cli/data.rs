//! `tinsmith data`.

use super::{Ui, args::DataCommand};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &DataCommand, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`data` is not in this build yet"))
}
