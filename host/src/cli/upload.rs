//! `tinsmith upload`.

use super::{Ui, args::UploadArgs};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &UploadArgs, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`upload` is not in this build yet"))
}
