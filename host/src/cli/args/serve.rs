//! Arguments of `serve`.

use super::{FormatArgs, SetArgs};
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// `tinsmith serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// The config, YAML or TOML; its section `serve` says what is served
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Serve the base model in this folder; NAME=DIR gives it another name than the folder's. May be
    /// given again
    #[arg(long = "model", value_name = "DIR", required_unless_present = "config", value_hint = ValueHint::DirPath)]
    pub models: Vec<String>,
    /// Address to listen on; any but a loopback address needs a key [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    pub host: Option<String>,
    /// Port to listen on; 0 takes a free one [default: 8410]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Folder of sessions and checkpoints [default: models/serve]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// The environment variable that holds the key that clients must send
    #[arg(long, value_name = "NAME")]
    pub api_key_env: Option<String>,
    /// Overrides of the config.
    #[command(flatten)]
    pub set: SetArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}
