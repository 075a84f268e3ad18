//! Failpoints: places where a test stops the process dead, as a power cut would.
//!
//! They exist in builds with debug assertions only; elsewhere [`crate::failpoint!`] is nothing. Two
//! environment variables drive them:
//!
//! - `TINSMITH_FAILPOINT=NAME@N` aborts the process at the N-th passage (from 1) of NAME.
//! - `TINSMITH_FAILPOINT_TRACE=FILE` appends the name of every failpoint that is passed, so that a
//!   test finds all of them by running once.

use std::{
    fs::OpenOptions,
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Marks a place at which a test may stop the process: before and after each step of a write that
/// matters. The name is `room:step`.
#[macro_export]
macro_rules! failpoint {
    ($name:expr) => {
        if cfg!(debug_assertions) {
            $crate::__private::failpoint($name);
        }
    };
}

struct Armed {
    name: String,
    passage: u64,
    passed: AtomicU64,
}

/// Passes a failpoint. Behind [`crate::failpoint!`].
pub fn pass(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    static TRACE: OnceLock<Option<String>> = OnceLock::new();
    if let Some(path) = TRACE.get_or_init(|| std::env::var("TINSMITH_FAILPOINT_TRACE").ok()) {
        // A test's own file: if it cannot be written, the test sees that the trace is empty.
        let _ = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
    }
    let armed = ARMED.get_or_init(|| {
        let armed = std::env::var("TINSMITH_FAILPOINT").ok()?;
        let (name, passage) = armed.rsplit_once('@')?;
        Some(Armed {
            name: name.to_owned(),
            passage: passage.parse().ok()?,
            passed: AtomicU64::new(0),
        })
    });
    if let Some(armed) = armed.as_ref().filter(|armed| armed.name == name)
        && armed.passed.fetch_add(1, Ordering::Relaxed) + 1 == armed.passage
    {
        std::process::abort();
    }
}
