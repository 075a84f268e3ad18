//! The program that somebody built with more plugins inside: the test binary itself, as a child
//! process. What is linked into the binary is linked into it.

use clap::Parser;
use serde_json::json;
use std::process::{Command, Output, Stdio};
use tinsmith::cli::{self, Cli, Ui};
use tinsmith_test_support::cli::Sandbox;

/// Arguments of the program, a JSON list.
const ARGS: &str = "TINSMITH_TEST_LINKED_PROGRAM";

/// The command line of `tinsmith`.
#[test]
#[ignore = "what other tests start as a child process"]
fn linked_program() {
    let Ok(args) = std::env::var(ARGS) else { return };
    let args: Vec<String> = serde_json::from_str(&args).unwrap();
    let cli = Cli::try_parse_from(args).unwrap();
    let ui = Ui::new(&cli.global).unwrap();
    let code = cli::run(&cli, &ui).map_or_else(
        |e| {
            ui.error(&e);
            e.kind.exit_code()
        },
        |()| 0,
    );
    std::process::exit(code.into());
}

/// Runs [`linked_program`] in the sandbox.
#[allow(dead_code, reason = "not every test that links a plugin runs it to its end")]
pub fn linked(sandbox: &Sandbox, args: &[&str]) -> Output {
    command(sandbox, args).output().unwrap()
}

/// [`linked_program`] in the sandbox, not started yet. The test harness writes around what it prints.
pub fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let real = sandbox.command(&[]);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "linked::linked_program", "--ignored", "--nocapture"]);
    command.env_clear().envs(real.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let args: Vec<&str> = ["tinsmith"].iter().chain(args).copied().collect();
    command.env(ARGS, json!(args).to_string());
    command.current_dir(sandbox.path()).stdin(Stdio::null());
    command
}
