//! What the command line adds to a config before its tools are built.

use super::{Ui, Verbosity};
use crate::training::{Stop, ToolOptions};
use std::{io::Write, sync::Arc};
use tinsmith_plugin_api::Level;

/// Plugins, threads, Ctrl-C and log lines. Plugins' warnings are always shown, the rest with `-v`.
pub fn tool_options(ui: &Ui, stop: &Stop) -> ToolOptions {
    let verbosity = ui.verbosity();
    let log = move |level: Level, message: &str| {
        let shown = match level {
            Level::Warn => Verbosity::Quiet,
            Level::Info => Verbosity::Verbose,
            Level::Debug => Verbosity::Debug,
        };
        if verbosity >= shown {
            let mark = if level == Level::Warn { "warning: " } else { "" };
            let _ = writeln!(std::io::stderr().lock(), "{mark}{message}");
        }
    };
    ToolOptions {
        plugins: ui.plugin_paths().to_vec(),
        threads: ui.threads(),
        cancel: stop.flag(),
        log: Arc::new(log),
    }
}
