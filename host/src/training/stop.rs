//! Ctrl-C: the first asks the loop to stop after the step in progress, the second ends the process.

use crate::{Error, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    fs,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether the user asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    /// Set while there is nothing to finish first.
    idle: Arc<AtomicBool>,
}

impl Stop {
    /// Listens to Ctrl-C, to SIGTERM, and to SIGHUP unless it is ignored (`nohup`). `tell` is called
    /// when the first comes, on a thread of its own. Later calls answer the same.
    ///
    /// # Errors
    /// `failed` if the system refuses the handler.
    pub fn on_interrupt(tell: impl Fn() + Send + 'static) -> Result<Self> {
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
                let idle = asked.idle.load(Ordering::SeqCst);
                if asked.asked.swap(true, Ordering::SeqCst) || idle {
                    std::process::exit(130);
                }
                tell();
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
        Ok(stop)
    }

    /// Whether the user asked to stop.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Asks, as Ctrl-C does.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Does what may be given up at any instant, such as waiting for a user to type: meanwhile the
    /// first Ctrl-C ends the process.
    pub fn at_once<T>(&self, work: impl FnOnce() -> T) -> T {
        self.idle.store(true, Ordering::SeqCst);
        let done = work();
        self.idle.store(false, Ordering::SeqCst);
        done
    }

    /// The flag itself, for services.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.asked)
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
