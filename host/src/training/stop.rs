//! Ctrl-C: the first asks the loop to stop after the step in progress, the second ends the process.

use crate::{Error, Result};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// Whether the user asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens to Ctrl-C (and SIGTERM, SIGHUP). Later calls answer the same.
    ///
    /// # Errors
    /// `failed` if the system refuses the handler.
    pub fn on_interrupt() -> Result<Self> {
        static INSTALLED: OnceLock<Stop> = OnceLock::new();
        if let Some(stop) = INSTALLED.get() {
            return Ok(stop.clone());
        }
        let stop = INSTALLED.get_or_init(Self::default).clone();
        let asked = stop.clone();
        ctrlc::set_handler(move || {
            if asked.0.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"\nstopping after this step, with a checkpoint; press Ctrl-C again to stop at once\n",
            );
        })
        .map_err(|e| Error::failed(format!("listen to Ctrl-C: {e}")))?;
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
