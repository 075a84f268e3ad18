//! `tinsmith plugins check`: loads a plugin where its crash is a report.

use crate::{
    Error, Result,
    cli::{
        Style, Ui,
        args::{Format, PluginsCheckArgs},
    },
    plugins::{self, Inspection, Places},
};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

/// Prints what a plugin says of itself.
pub fn check(args: &PluginsCheckArgs, ui: &Ui) -> Result<()> {
    let facts = inspect_in_child(&args.path)?;
    if args.format.format == Format::Json {
        return ui.json(&facts);
    }
    let mut text = format!(
        "{} {}  ABI {}, plugin-api {}, {}\nsha256 {}\n",
        ui.paint(Style::Bold, &facts.id),
        facts.version,
        facts.abi,
        facts.api,
        facts.rustc,
        facts.sha256
    );
    for item in &facts.provides {
        text += &format!("{} `{}`\n", item.kind, item.name);
    }
    ui.data(text)?;
    ui.info(ui.paint_err(Style::Good, "the plugin loads and answers"));
    Ok(())
}

/// What the child does: loads the plugin and prints what it says, or why not, as JSON.
pub fn check_here(args: &PluginsCheckArgs, ui: &Ui) -> Result<()> {
    match plugins::inspect(&Places::from_env(), &args.path) {
        Ok(facts) => ui.json_line(&json!({ "ok": facts })),
        Err(e) => ui.json_line(&json!({
            "error": { "message": e.to_string(), "hint": e.hint },
        })),
    }
}

/// How long a plugin may take to load and describe itself.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(unix)]
fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // It may have ended by itself meanwhile.
    let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
}

#[cfg(not(unix))]
fn kill(_: u32) {}

/// Loads the plugin in a process of its own, so that its crash is an error and not ours.
pub fn inspect_in_child(path: &Path) -> Result<Inspection> {
    let program = std::env::current_exe()
        .map_err(|e| Error::failed(format!("find the program's own file: {e}")))?;
    let mut child = Command::new(program);
    child.args(["plugins", "check", "--in-process", "--format", "json"]).arg(path);
    let failed = |e: std::io::Error| Error::failed(format!("start a child process: {e}"));
    let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(failed)?;
    let pid = child.id();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let output = match receive.recv_timeout(PATIENCE) {
        Ok(output) => output.map_err(failed)?,
        Err(_) => {
            kill(pid);
            return Err(Error::failed(format!(
                "the plugin did not answer within {} seconds",
                PATIENCE.as_secs()
            ))
            .hint("do not load it: a training would wait for ever")
            .context(format!("check `{}`", path.display())));
        }
    };
    answer(&output).map_err(|e| match e.context.is_empty() {
        true => e,
        false => e.context(format!("check `{}`", path.display())),
    })
}

fn answer(output: &Output) -> Result<Inspection> {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let answer: Option<Value> = serde_json::from_str(last).ok().filter(|_| output.status.success());
    let Some(mut answer) = answer else {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().map_or_else(String::new, |line| format!(" after `{line}`"));
        let message = format!("the plugin ended the process {}{said}", ending(output.status));
        return Err(Error::failed(message)
            .hint("do not load it: this cannot be contained inside of a training")
            .context("load in a process of its own"));
    };
    if let Some(error) = answer.get("error") {
        let message = error["message"].as_str().unwrap_or_default();
        let mut e = Error::failed(message);
        e.hint = error["hint"].as_str().map(str::to_owned);
        return Err(e);
    }
    serde_json::from_value(answer["ok"].take())
        .map_err(|e| Error::failed(format!("read the answer of the child process: {e}")))
}

#[cfg(unix)]
fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(6) => "with SIGABRT (built with `panic = \"abort\"`, or it called `abort`)".to_owned(),
        Some(7) => "with SIGBUS".to_owned(),
        Some(9) => "with SIGKILL (perhaps out of memory)".to_owned(),
        Some(11) => "with SIGSEGV (a fault in unsafe code, or a stack overflow)".to_owned(),
        Some(signal) => format!("with signal {signal}"),
        None => format!("with {status}"),
    }
}

#[cfg(not(unix))]
fn ending(status: ExitStatus) -> String {
    format!("with {status}")
}
