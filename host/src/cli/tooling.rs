//! What several commands share: what the command line adds to a config, and how text of a model is
//! shown.

use super::{Ui, Verbosity, args::OutputArgs};
use crate::{
    Result,
    config::load_recorded,
    error,
    runs::{RunFolder, RunRecord},
    training::{Stop, ToolOptions, Tools},
};
use std::{path::Path, sync::Arc};
use tinsmith_plugin_api::{Level, TrainerHandle};

/// Plugins, threads, Ctrl-C and log lines: warnings are shown always, debug lines with `-vv`.
pub fn tool_options(ui: &Ui, stop: &Stop) -> ToolOptions {
    let (verbosity, terminal) = (ui.verbosity(), ui.terminal());
    let log = move |level: Level, message: &str| {
        let shown = match level {
            Level::Warn => Verbosity::Quiet,
            Level::Info => Verbosity::Normal,
            Level::Debug => Verbosity::Debug,
        };
        if verbosity >= shown {
            let mark = if level == Level::Warn { "warning: " } else { "" };
            terminal.line(&format_args!("{mark}{}", error::printable(message)));
        }
    };
    ToolOptions {
        plugins: ui.plugin_paths().to_vec(),
        threads: ui.threads(),
        cancel: stop.flag(),
        log: Arc::new(log),
    }
}

/// The tools that a run was recorded with, some settings laid over them, and its trainer with the run's
/// storage.
pub fn tools_of_run(
    folder: &RunFolder,
    record: &RunRecord,
    set: &[String],
    ui: &Ui,
    stop: &Stop,
) -> Result<(Tools, Arc<dyn TrainerHandle>)> {
    let base_dir = Path::new(&record.base_dir);
    let loaded = load_recorded(&record.config, &folder.record(), base_dir, set)?;
    let tools = Tools::new(loaded, tool_options(ui, stop))?;
    let trainer = tools.trainer(Some(tools.store(folder)?))?;
    Ok((tools, trainer))
}

/// What a user types to mean this run: its id, the folder of runs where commands would not look
/// there by themselves, and the plugins that its command line named.
pub fn typed(folder: &RunFolder, record: &RunRecord) -> String {
    let (mut text, output) = (folder.id().to_owned(), folder.output());
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if absolute(&OutputArgs::default().dir(None)) != absolute(output) {
        text += &format!(" --output {}", quoted(&output.to_string_lossy()));
    }
    for plugin in &record.plugin_paths {
        text += &format!(" --plugin {}", quoted(plugin));
    }
    text
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Text of a model, safe to show: control characters, which could move the cursor or recolour the
/// terminal, become U+FFFD.
pub fn printable(text: &str) -> String {
    let safe = |c: char| c == '\n' || c == '\t' || !c.is_control();
    text.chars().map(|c| if safe(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// `1:05`, `2:03:04`.
pub fn clock(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s / 3600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        h => format!("{h}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{clock, printable};

    #[test]
    fn clocks() {
        assert_eq!(clock(64.6), "1:05");
        assert_eq!(clock(7384.0), "2:03:04");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\tb\n\u{1b}[2Jc\r\u{9b}"), "a\tb\n\u{fffd}[2Jc\u{fffd}\u{fffd}");
    }
}
