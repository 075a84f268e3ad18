//! `tinsmith download`.

use super::{Ui, args::DownloadArgs};
use crate::{Error, Result};

/// Runs the command.
pub fn run(_args: &DownloadArgs, _ui: &Ui) -> Result<()> {
    Err(Error::usage("`download` is not in this build yet"))
}
