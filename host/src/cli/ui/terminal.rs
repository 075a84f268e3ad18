//! Stderr, shared by lines of text and progress bars.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often progress is told where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Stderr. Lines come from any thread (the training loop, plugins, Ctrl-C); a bar that is shown
/// steps aside for each, so that neither ends up within the other.
#[derive(Clone, Debug)]
pub struct Terminal {
    bars: MultiProgress,
}

impl Terminal {
    /// With bars, or without them: where they are not wanted, or stderr is no terminal.
    #[must_use]
    pub fn new(bars: bool) -> Self {
        let shown = bars && io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target) }
    }

    /// Writes a line. When even that fails, nobody is left to tell.
    pub fn line(&self, line: &dyn Display) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{line}");
        });
    }

    /// A progress bar. `template` is indicatif's, such as `{wide_bar} {pos}/{len} {msg}`.
    #[must_use]
    pub fn bar(&self, total: u64, template: &str) -> Bar {
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new(total));
        bar.set_style(style.progress_chars("━━╌"));
        if !self.bars.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Bar { terminal: self.clone(), bar, told: Mutex::new(Instant::now()) }
    }
}

/// A progress bar, or nothing where there is no terminal. It goes when it is dropped.
#[derive(Debug)]
pub struct Bar {
    terminal: Terminal,
    bar: ProgressBar,
    /// When progress was last told in a line.
    told: Mutex<Instant>,
}

impl Bar {
    /// So much is done.
    pub fn set_position(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// What stands before it.
    pub fn set_prefix(&self, text: impl Into<String>) {
        self.bar.set_prefix(text.into());
    }

    /// What stands beside it.
    pub fn set_message(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// Work begins here: what was done before says nothing about speed.
    pub fn begin_at(&self, done: u64) {
        self.bar.set_position(done);
        self.bar.reset_eta();
        self.bar.tick();
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Whether nobody sees it.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.bar.is_hidden()
    }

    /// Whether progress is due in a line: nobody sees the bar, and ten seconds went by since it was
    /// made or this was last so.
    pub fn line_is_due(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = self.is_hidden() && told.elapsed() >= LINE_EVERY;
        if due {
            *told = Instant::now();
        }
        due
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.terminal.bars.remove(&self.bar);
    }
}
