//! Ctrl-C: the first asks the loop to stop after the step in progress, the second ends the process.

use crate::{Error, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    fs,
    io::Write,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether the user asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens to Ctrl-C, to SIGTERM, and to SIGHUP unless it is ignored (`nohup`). Later calls
    /// answer the same.
    ///
    /// # Errors
    /// `failed` if the system refuses the handler.
    pub fn on_interrupt() -> Result<Self> {
        static INSTALLED: OnceLock<Stop> = OnceLock::new();
        if let Some(stop) = INSTALLED.get() {
            return Ok(stop.clone());
        }
        let stop = INSTALLED.get_or_init(Self::default).clone();
        let failed = |e: std::io::Error| Error::failed(format!("listen to Ctrl-C: {e}"));
        let mut listened = vec![SIGINT, SIGTERM];
        listened.extend((!hangup_ignored()).then_some(SIGHUP));
        let mut signals = Signals::new(listened).map_err(failed)?;
        let asked = stop.clone();
        let listen = move || {
            for _ in signals.forever() {
                if asked.0.swap(true, Ordering::SeqCst) {
                    std::process::exit(130);
                }
                // If nobody reads stderr, nobody needs to be told.
                let _ = writeln!(
                    std::io::stderr().lock(),
                    "\nstopping after this step, with a checkpoint; press Ctrl-C again to stop at once"
                );
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
        Ok(stop)
    }

    /// Whether the user asked to stop.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks, as Ctrl-C does.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The flag itself, for services.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// Whether whoever started this process wants it to outlive the terminal. True where the system
/// does not tell: then a hang-up ends the process as it always did, and the run can be resumed.
fn hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}
