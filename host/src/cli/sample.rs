//! `tinsmith sample`.

use super::{Ui, args::SampleArgs};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &SampleArgs, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`sample` is not in this build yet"))
}
