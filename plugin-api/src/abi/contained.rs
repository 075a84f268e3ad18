//! A value of the other author's type, dropped without letting its panic out.

use crate::{Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Holds an exported object.
///
/// `abi_stable` ends the process when a destructor panics across the boundary. Here the panic is
/// caught; the hook of whoever owns the thread has told the user about it by then.
pub(super) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// The value, unless it was taken.
    pub(super) fn get(&self) -> Result<&T> {
        self.0.as_ref().ok_or_else(gone)
    }

    /// As [`Contained::get`], to change it.
    pub(super) fn get_mut(&mut self) -> Result<&mut T> {
        self.0.as_mut().ok_or_else(gone)
    }

    /// Takes the value out; every later use is an error.
    pub(super) fn take(&mut self) -> Result<T> {
        self.0.take().ok_or_else(gone)
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::REJECTED, "was used after it had been closed")
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take()
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        {
            // Its destructor could panic too.
            std::mem::forget(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panicking_destructor_stays_inside() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("while dropping");
            }
        }
        drop(Contained::new(Bad));
    }

    #[test]
    fn what_was_taken_is_gone() {
        let mut held = Contained::new(1);
        assert_eq!(held.take(), Ok(1));
        assert_eq!(held.get().unwrap_err().kind(), ErrorKind::REJECTED);
    }
}
