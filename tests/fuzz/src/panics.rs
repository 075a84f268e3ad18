//! Panics that somebody contains. A plugin's guard turns a panic into an error, so that nothing is
//! lost but the batch; here it is a finding all the same. Panics of libraries on damaged files are
//! expected, and the host says which those are.

use std::{
    panic,
    sync::{Mutex, Once, PoisonError},
};
use tinsmith::contained::is_contained;

static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes every panic from now on, but for the expected ones, before whatever hook there is.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // libFuzzer's hook ends the process: it must not hear of these.
            if is_contained() {
                return;
            }
            FOUND.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
            before(info);
        }));
    });
}

/// # Panics
/// If there was one since the last call.
pub fn assert_none() {
    let found = std::mem::take(&mut *FOUND.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(found.is_empty(), "a contained panic: {}", found.join("; "));
}
