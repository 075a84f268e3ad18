//! `tinsmith render`.

use super::{Ui, args::RenderArgs};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &RenderArgs, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`render` is not in this build yet"))
}
