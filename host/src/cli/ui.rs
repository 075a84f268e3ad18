/*!
How the tool speaks: data on stdout, everything else on stderr.

A reader that goes away (`tinsmith render … | head`) is not a failure: what is printed afterwards is
thrown away, [`Ui::stdout_closed`] tells loops that they may stop, and training goes on.
*/

mod terminal;

pub use terminal::{Bar, Terminal};

use super::args::{ColorChoice, Global};
use crate::{
    Error, Result,
    env::{self, Verbosity},
    error::printable,
};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

/// What a piece of text is, for its colour. Colour never carries meaning alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A heading or a name that matters.
    Bold,
    /// Of lesser importance.
    Dim,
    /// It went well; a trained token.
    Good,
    /// A warning.
    Warn,
    /// An error.
    Bad,
    /// A path, a command, a hint.
    Accent,
}

impl Style {
    /// The escape sequence that starts it.
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
            Self::Accent => "\x1b[36m",
        }
    }
}

/// The terminal, or what stands in its place.
#[derive(Debug)]
pub struct Ui {
    color_out: bool,
    color_err: bool,
    verbosity: Verbosity,
    stdout_closed: AtomicBool,
    terminal: Terminal,
    plugins: Vec<PathBuf>,
    threads: usize,
}

impl Ui {
    /// From the flags and the environment.
    ///
    /// # Errors
    /// A usage error for an environment variable that cannot be read.
    pub fn new(global: &Global) -> Result<Self> {
        let verbosity = match (global.quiet, global.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => env::log()?.unwrap_or(Verbosity::Normal),
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Debug,
        };
        let threads = match global.threads {
            Some(n) => Some(n as usize),
            None => env::threads()?,
        };
        Ok(Self {
            color_out: color(global.color, io::stdout().is_terminal()),
            color_err: color(global.color, io::stderr().is_terminal()),
            verbosity,
            stdout_closed: AtomicBool::new(false),
            terminal: Terminal::new(verbosity >= Verbosity::Normal),
            plugins: global.plugins.clone(),
            threads: threads
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        })
    }

    /// Without colour and with nothing known: for an error before there is a command line.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            color_out: false,
            color_err: false,
            verbosity: Verbosity::Normal,
            stdout_closed: AtomicBool::new(false),
            terminal: Terminal::new(false),
            plugins: Vec::new(),
            threads: 1,
        }
    }

    /// The paths given by `--plugin`.
    #[must_use]
    pub fn plugin_paths(&self) -> &[PathBuf] {
        &self.plugins
    }

    /// The thread budget: `--threads`, `TINSMITH_THREADS`, or all cores.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// How much is said on stderr.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Whether the reader of stdout has gone away.
    #[must_use]
    pub fn stdout_closed(&self) -> bool {
        self.stdout_closed.load(Ordering::Relaxed)
    }

    /// Prints data, with a newline at its end if it has none.
    ///
    /// # Errors
    /// When stdout cannot be written; not when its reader has gone away.
    pub fn data(&self, text: impl AsRef<str>) -> Result<()> {
        let text = text.as_ref();
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        self.out(text.as_bytes(), newline)
    }

    /// Prints a part of a line, as it comes.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn part(&self, text: &str) -> Result<()> {
        self.out(text.as_bytes(), "")
    }

    /// Prints one JSON value on one line.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn json_line(&self, value: &impl Serialize) -> Result<()> {
        let text =
            serde_json::to_string(value).map_err(|e| Error::failed(format!("write JSON: {e}")))?;
        self.out(text.as_bytes(), "\n")
    }

    /// Prints one JSON value, indented.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn json(&self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Error::failed(format!("write JSON: {e}")))?;
        self.out(text.as_bytes(), "\n")
    }

    fn out(&self, bytes: &[u8], end: &str) -> Result<()> {
        if self.stdout_closed() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let written = out
            .write_all(bytes)
            .and_then(|()| out.write_all(end.as_bytes()))
            .and_then(|()| out.flush());
        match written {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.stdout_closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(e) => Err(Error::failed(format!("write to stdout: {e}"))),
        }
    }

    /// A line about what is being done. Not shown with `-q`.
    pub fn info(&self, line: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.terminal.line(&line);
        }
    }

    /// A line about how it is done. Shown with `-v`.
    pub fn detail(&self, line: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            self.terminal.line(&self.paint_err(Style::Dim, line));
        }
    }

    /// A warning. Always shown.
    pub fn warn(&self, line: impl Display) {
        self.terminal.line(&format_args!("{} {line}", self.paint_err(Style::Warn, "warning:")));
    }

    /// What to do next, after an empty line. Not shown with `-q`.
    pub fn hint(&self, line: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.hint_line(&line);
        }
    }

    fn hint_line(&self, line: &dyn Display) {
        self.terminal.line(&format_args!("\n{} {line}", self.paint_err(Style::Accent, "hint:")));
    }

    /// An error: what and where, then an empty line and the hint.
    pub fn error(&self, error: &Error) {
        // What it quotes may come from anywhere.
        let text = error.to_string();
        let text = text.lines().map(printable).collect::<Vec<_>>().join("\n");
        self.terminal.line(&format_args!("{} {text}", self.paint_err(Style::Bad, "error:")));
        if let Some(hint) = &error.hint {
            self.hint_line(&printable(hint));
        }
    }

    /// Text for stdout, coloured if stdout is.
    #[must_use]
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        paint(self.color_out, style, text)
    }

    /// Text for stderr, coloured if stderr is.
    #[must_use]
    pub fn paint_err(&self, style: Style, text: impl Display) -> String {
        paint(self.color_err, style, text)
    }

    /// Whether stdout is coloured.
    #[must_use]
    pub fn color(&self) -> bool {
        self.color_out
    }

    /// What stands before a line that the user types: only where somebody types.
    pub fn prompt(&self, sign: &str) {
        if self.verbosity >= Verbosity::Normal && io::stdin().is_terminal() {
            let mut stderr = io::stderr().lock();
            // When even that fails, nobody is left to tell.
            let _ = stderr.write_all(sign.as_bytes()).and_then(|()| stderr.flush());
        }
    }

    /// A progress bar on stderr, hidden with `-q` and where stderr is no terminal. `template` is
    /// indicatif's, such as `{wide_bar} {pos}/{len} {msg}`.
    #[must_use]
    pub fn progress(&self, total: u64, template: &str) -> Bar {
        self.terminal.bar(total, template)
    }

    /// The width of the terminal behind stderr, in characters; None where there is none.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        let stderr = io::stderr();
        let terminal = stderr.is_terminal().then(|| terminal_size::terminal_size_of(stderr))??;
        Some(usize::from(terminal.0.0))
    }

    /// Stderr, for what speaks from a thread of its own.
    #[must_use]
    pub fn terminal(&self) -> Terminal {
        self.terminal.clone()
    }
}

fn paint(on: bool, style: Style, text: impl Display) -> String {
    if on { format!("{}{text}\x1b[0m", style.code()) } else { text.to_string() }
}

/// Whether to colour a stream, from the flag, `NO_COLOR` (<https://no-color.org>) and `TERM`.
fn color(choice: ColorChoice, terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => terminal && !env::no_color(),
    }
}
