//! `tinsmith plugins`.

use super::{Ui, args::PluginsCommand};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &PluginsCommand, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`plugins` is not in this build yet"))
}
