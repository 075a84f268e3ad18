//! The error as it crosses.

use super::std_types::{ROption, RResult, RString, RVec};
use crate::{Error, ErrorKind, Result};
use abi_stable::StableAbi;

/// [`Error`], laid out to cross.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawError {
    kind: u16,
    message: RString,
    /// Innermost first.
    context: RVec<RString>,
    field: ROption<RString>,
    hint: ROption<RString>,
}

impl From<Error> for RawError {
    fn from(e: Error) -> Self {
        Self {
            kind: e.kind().0,
            message: e.message().into(),
            context: e.contexts().iter().map(|c| RString::from(c.as_str())).collect(),
            field: e.field().map(RString::from).into(),
            hint: e.hint().map(RString::from).into(),
        }
    }
}

impl From<RawError> for Error {
    fn from(raw: RawError) -> Self {
        let mut e = Self::new(ErrorKind(raw.kind), raw.message);
        for context in raw.context {
            e = e.context(context);
        }
        if let ROption::RSome(field) = raw.field {
            e = e.at(field);
        }
        if let ROption::RSome(hint) = raw.hint {
            e = e.with_hint(hint);
        }
        e
    }
}

/// A plain result, ready to cross.
pub(super) fn to_raw<T>(result: Result<T>) -> RResult<T, RawError> {
    result.map_err(RawError::from).into()
}

/// A result that crossed.
pub(super) fn from_raw<T>(result: RResult<T, RawError>) -> Result<T> {
    result.into_result().map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_as_it_went() {
        let e = Error::data("must be a string").at("content").context("record 7").context("render");
        let e = e.with_hint("write a string");
        assert_eq!(Error::from(RawError::from(e.clone())), e);
        let bare = Error::new(ErrorKind(4711), "a kind of the future");
        assert_eq!(Error::from(RawError::from(bare.clone())), bare);
    }
}
