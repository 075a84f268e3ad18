//! No panic crosses the boundary: it becomes an error with its file and line.

use super::{RawError, std_types::RResult, to_raw};
use crate::{Error, ErrorKind, Result};
use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::Once,
};

thread_local! {
    /// How many guards are open on this thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic inside a guard happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f` and makes its answer ready to cross; a panic becomes an error of kind `panic`.
///
/// `what` names the object for the error's context: ``renderer `hello` ``.
pub(super) fn guard<T>(what: &str, f: impl FnOnce() -> Result<T>) -> RResult<T, RawError> {
    to_raw(caught(what, f).and_then(|result| result))
}

/// As [`guard`], for what stays on this side.
pub(super) fn caught<T>(what: &str, f: impl FnOnce() -> T) -> Result<T> {
    install_hook();
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(f));
    DEPTH.set(DEPTH.get() - 1);
    // The closure's captures may be half-changed; that is what the kind `panic` tells the host.
    result.map_err(|payload| as_error(payload).context(what))
}

/// Runs `f` where no error can be answered; a panic gives `fallback`.
pub(super) fn quietly<T>(fallback: T, f: impl FnOnce() -> T) -> T {
    caught("", f).unwrap_or(fallback)
}

/// Whether this thread is unwinding inside a guard, which will answer with a better error.
pub(super) fn unwinding() -> bool {
    DEPTH.get() > 0 && std::thread::panicking()
}

/// Each shared library carries its own std, and so its own hook. A linked plugin shares the host's:
/// the hook that was there before is kept for every panic outside of a guard.
fn install_hook() {
    static ONCE: Once = Once::new();
    if std::thread::panicking() {
        // The hook cannot be changed now: a destructor calls while its thread unwinds.
        return;
    }
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.get() > 0 {
                PLACE.with(|place| *place.borrow_mut() = location(info));
            } else {
                previous(info);
            }
        }));
    });
}

fn location(info: &PanicHookInfo<'_>) -> Option<String> {
    info.location().map(|at| format!("{}:{}", at.file(), at.line()))
}

fn as_error(payload: Box<dyn Any + Send>) -> Error {
    let message = match payload.downcast::<&str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(other) => {
                // Dropping a value of unknown type could panic again, outside of any guard.
                std::mem::forget(other);
                "no message".to_owned()
            }
        },
    };
    // A pool hands on the panic of its worker: then the worker's hook has printed the place.
    let text = match PLACE.with(|place| place.borrow_mut().take()) {
        Some(place) => format!("panicked at {place}: {message}"),
        None => format!("panicked: {message}"),
    };
    Error::new(ErrorKind::PANIC, text).with_hint("this is a bug: report it to the plugin's author")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::from_raw;

    #[test]
    fn a_panic_becomes_an_error_with_its_place() {
        let line = line!() + 1;
        let e = from_raw(guard::<()>("renderer `x`", || panic!("no {}", "luck"))).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::PANIC);
        let place = format!("{}:{line}", file!());
        assert_eq!(e.to_string(), format!("renderer `x`: panicked at {place}: no luck"));
        assert!(e.hint().is_some());
    }

    #[test]
    fn a_payload_of_any_type_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let e = caught("x", || std::panic::panic_any(Bomb)).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::PANIC);
    }

    #[test]
    fn a_guard_inside_a_guard_catches_its_own() {
        let outer = from_raw(guard("outer", || {
            let inner: Result<()> = from_raw(guard("inner", || panic!("inside")));
            assert!(inner.is_err());
            Ok(7)
        }));
        assert_eq!(outer, Ok(7));
    }
}
