//! The command line as types: every command, flag and default. The reference page
//! `docs/reference/cli.md` is generated from here.

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Chat JSONL to a trained LoRA adapter
#[derive(Debug, Parser)]
#[command(
    name = "tinsmith",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "A first run:\n  tinsmith train configs/quickstart.yaml\n  tinsmith status latest\n  tinsmith sample latest --prompt \"…\""
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Load a plugin from this file or folder; may be given again
    #[arg(long = "plugin", value_name = "PATH", global = true, value_hint = ValueHint::AnyPath)]
    pub plugins: Vec<PathBuf>,
    /// Use at most this many threads [default: all cores]
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub threads: Option<u32>,
    /// Say more on stderr; twice for debug lines
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on stderr but warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to colour the output
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: ColorChoice,
    /// Print help
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort)]
    pub help: Option<bool>,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plan, check, train and record a run
    Train(TrainArgs),
    /// Check, render and stage a dataset; prints its id
    Upload(UploadArgs),
    /// Show runs, or one run as it goes
    Status(StatusArgs),
    /// Fetch a run's adapter in PEFT layout, verified
    Download(DownloadArgs),
    /// Show tokens and weights of a dataset as training sees them
    Render(RenderArgs),
    /// Check datasets, or measure them
    #[command(subcommand)]
    Data(DataCommand),
    /// Talk to the result of a run, beside its base
    Sample(SampleArgs),
    /// List, check, add and trust plugins
    #[command(subcommand)]
    Plugins(PluginsCommand),
    /// Show, describe or start a config
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// `--format` of the commands that print data.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct FormatArgs {
    /// How to print the data
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// `--output` of the commands that read or write runs.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Folder of runs and adapters [default: models/adapters/tinker]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// `--set` of the commands that read a config.
#[derive(Args, Clone, Debug, Default)]
pub struct SetArgs {
    /// Override a key, such as `training.epochs=2` or `datasets.0.path=b.jsonl`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `tinsmith train`.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// The config, YAML or TOML [env: TINSMITH_CONFIG]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Overrides of the config.
    #[command(flatten)]
    pub set: SetArgs,
    /// Show the plan and stop before training
    #[arg(long)]
    pub dry_run: bool,
    /// Go on with this run from its last good checkpoint; `latest` is the newest
    #[arg(long, value_name = "RUN")]
    pub resume: Option<String>,
    /// Resume although data, tokenizer, renderer or plugins have changed
    #[arg(long, requires = "resume")]
    pub accept_changes: bool,
    /// Where runs go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// How a dataset becomes tokens: a config, or the flags that stand for its keys.
#[derive(Args, Clone, Debug, Default)]
pub struct RenderingArgs {
    /// Take tokenizer, renderer and data settings from this config
    #[arg(long, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Folder of the tokenizer, or its name
    #[arg(long, value_name = "DIR|NAME", value_hint = ValueHint::DirPath)]
    pub tokenizer: Option<String>,
    /// The renderer, such as `chatml` or `plugin/renderer`
    #[arg(long, value_name = "NAME")]
    pub renderer: Option<String>,
    /// Which tokens are trained, such as `last_assistant_message`
    #[arg(long, value_name = "MODE")]
    pub train_on: Option<String>,
    /// Longest example, in tokens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub max_length: Option<u32>,
    /// Whether a conversation may become several examples
    #[arg(long, value_name = "WHEN")]
    pub split: Option<Split>,
    /// Overrides of the config, and `renderer.KEY`.
    #[command(flatten)]
    pub set: SetArgs,
}

/// Whether a conversation may become several examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// Where training needs it to see what inference shows
    Auto,
    /// Always one example a conversation
    Never,
}

/// `tinsmith upload`.
#[derive(Args, Clone, Debug)]
pub struct UploadArgs {
    /// Datasets, JSONL
    #[arg(value_name = "DATA", required = true, value_hint = ValueHint::FilePath)]
    pub data: Vec<PathBuf>,
    /// Where to stage them, such as `file:///data` [default: the output folder]
    #[arg(long, value_name = "URI")]
    pub storage: Option<String>,
    /// How they become tokens.
    #[command(flatten)]
    pub rendering: RenderingArgs,
    /// Where the default storage lies.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith status`.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// One run; `latest` is the newest. Without it, all runs are listed
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Keep showing the run until it ends
    #[arg(long)]
    pub follow: bool,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith download`.
#[derive(Args, Clone, Debug)]
pub struct DownloadArgs {
    /// The run; `latest` is the newest
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Which checkpoint [default: the last]
    #[arg(long, value_name = "NAME")]
    pub checkpoint: Option<String>,
    /// Where the adapter goes [default: ./RUN]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dest: Option<PathBuf>,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith render`.
#[derive(Args, Clone, Debug)]
pub struct RenderArgs {
    /// Datasets, JSONL
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// How they become tokens.
    #[command(flatten)]
    pub rendering: RenderingArgs,
    /// Show the prompt that inference would give the model instead
    #[arg(long)]
    pub generation_prompt: bool,
    /// Stop after this many records
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How to print the examples
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: RenderFormat,
}

/// How rendered examples are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RenderFormat {
    /// Coloured text; trained tokens are marked
    #[default]
    Table,
    /// One object a line: record, tokens, weights
    Json,
    /// One page that needs nothing else
    Html,
}

/// `tinsmith data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Report every bad row by file, line, column and field
    Check(DataArgs),
    /// Lengths, trained tokens, truncations
    Stats(DataArgs),
}

/// Arguments of `tinsmith data check` and `stats`.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Datasets, JSONL
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// How they become tokens.
    #[command(flatten)]
    pub rendering: RenderingArgs,
    /// Prove for every example that what is not trained is the prompt of inference
    #[arg(long)]
    pub prove: bool,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `tinsmith sample`.
#[derive(Args, Clone, Debug)]
pub struct SampleArgs {
    /// A run (`latest` is the newest) or the folder of an adapter
    #[arg(value_name = "RUN|PATH")]
    pub source: String,
    /// What to say; without it, one prompt a line is read from stdin
    #[arg(long, short, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// The system message
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Show the answer of the base model beside it
    #[arg(long)]
    pub base: bool,
    /// Which checkpoint of the run [default: the last]
    #[arg(long, value_name = "NAME")]
    pub checkpoint: Option<String>,
    /// Longest answer, in tokens
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// 0 always takes the likeliest token
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    pub temperature: f32,
    /// Choose among the likeliest tokens that together have this probability
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub top_p: f32,
    /// Choose among this many likeliest tokens
    #[arg(long, value_name = "K")]
    pub top_k: Option<u32>,
    /// Seed of the draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Number of answers
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub num_samples: u32,
    /// Overrides of the run's config.
    #[command(flatten)]
    pub set: SetArgs,
    /// Where runs lie.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How data is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

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
}

/// `tinsmith plugins trust`.
#[derive(Args, Clone, Debug)]
pub struct PluginsTrustArgs {
    /// The library, or the folder with its `plugin.toml`
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
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
