//! Arguments of the commands about the tool itself: `plugins`, `config`, `completions`.

use super::{FormatArgs, SetArgs};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// `tinsmith plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// List plugins without running their code
    List(PluginsListArgs),
    /// Show what a plugin provides and how it is configured
    Show(PluginsShowArgs),
    /// Load a plugin in a process of its own and report
    Check(PluginsCheckArgs),
    /// Install a plugin and trust it
    Add(PluginsAddArgs),
    /// Trust the library at this path, as it is now
    Trust(PluginsTrustArgs),
}

/// `tinsmith plugins list`.
#[derive(Args, Clone, Debug)]
pub struct PluginsListArgs {
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith plugins show`.
#[derive(Args, Clone, Debug)]
pub struct PluginsShowArgs {
    /// Id of the plugin
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith plugins check`.
#[derive(Args, Clone, Debug)]
pub struct PluginsCheckArgs {
    /// The library, or the folder with its `plugin.toml`
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Load it in this process: what the command itself starts
    #[arg(long, hide = true)]
    pub in_process: bool,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith plugins add`.
#[derive(Args, Clone, Debug)]
pub struct PluginsAddArgs {
    /// The library, or the folder with its `plugin.toml`
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Replace an installed plugin of the same id
    #[arg(long)]
    pub replace: bool,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith plugins trust`.
#[derive(Args, Clone, Debug)]
pub struct PluginsTrustArgs {
    /// The library, or the folder with its `plugin.toml`
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show a config with every default and where each value comes from
    Show(ConfigShowArgs),
    /// Print the JSON Schema of the config, for editors
    Schema,
    /// Start a config: print it, or write it to FILE
    Init(ConfigInitArgs),
}

/// `tinsmith config show`.
#[derive(Args, Clone, Debug)]
pub struct ConfigShowArgs {
    /// The config, YAML or TOML [env: TINSMITH_CONFIG]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Overrides of the config.
    #[command(flatten)]
    pub set: SetArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith config init`.
#[derive(Args, Clone, Debug)]
pub struct ConfigInitArgs {
    /// Where to write it; an existing file is never touched
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// How much of it
    #[arg(long, value_name = "TEMPLATE", default_value = "minimal")]
    pub template: Template,
}

/// The configs that `config init` writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// What every run needs
    #[default]
    Minimal,
    /// Every key, with its default and meaning
    Full,
}

/// `tinsmith completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}
