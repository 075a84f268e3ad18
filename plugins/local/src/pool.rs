//! The threads of a trainer: started when first needed, shared by all it opens.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, Mutex, PoisonError};
use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// A thread pool to be.
#[derive(Debug)]
pub struct Pool {
    threads: usize,
    started: Mutex<Option<Arc<ThreadPool>>>,
}

impl Pool {
    /// A pool of so many threads; none is started yet.
    pub fn new(threads: usize) -> Self {
        Self { threads, started: Mutex::new(None) }
    }

    /// The pool itself.
    ///
    /// # Errors
    /// `other` if the system refuses a thread.
    pub fn get(&self) -> Result<Arc<ThreadPool>> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*started {
            return Ok(Arc::clone(pool));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|i| format!("local {i}"))
            .build()
            .map_err(|e| {
                Error::new(ErrorKind::OTHER, format!("start {} threads: {e}", self.threads))
                    .with_hint("set `trainer.threads` to a smaller number")
            })?;
        Ok(Arc::clone(started.insert(Arc::new(pool))))
    }
}
