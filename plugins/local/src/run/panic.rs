//! Panics inside an operation come back as its answer.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};
use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// Runs `f`; a panic becomes an error of kind `panic`.
pub fn caught<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        Err(Error::new(ErrorKind::PANIC, format!("panicked: {}", message(payload)))
            .with_hint("go on from the last checkpoint; if it comes again, it is a bug: report it"))
    })
}

fn message(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<&str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(other) => {
                // Dropping a value of unknown type could panic again.
                std::mem::forget(other);
                "no message".into()
            }
        },
    }
}
