//! What is wrong with a container, carried through `std::io` to where the place is known.

use std::{
    fmt,
    io::{Error, ErrorKind, Read, Result},
};

/// A container that is not what its beginning promises.
#[derive(Debug)]
pub(super) struct Damage {
    what: String,
    hint: &'static str,
}

impl Damage {
    /// As an error of reading.
    pub(super) fn error(what: impl Into<String>, hint: &'static str) -> Error {
        Error::new(ErrorKind::InvalidData, Self { what: what.into(), hint })
    }

    /// What the user can do.
    pub(super) fn hint(&self) -> &'static str {
        self.hint
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Damage {}

/// A decoder whose complaints are about the data, and not about the disk.
pub(super) struct Watched<R> {
    decoder: R,
    name: &'static str,
}

impl<R> Watched<R> {
    pub(super) fn new(decoder: R, name: &'static str) -> Self {
        Self { decoder, name }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let name = self.name;
        self.decoder.read(buffer).map_err(|e| match e.kind() {
            ErrorKind::Interrupted => e,
            ErrorKind::UnexpectedEof => Damage::error(
                format!("the {name} stream ends too early"),
                "the file is incomplete: copy or download it again",
            ),
            // The disk's own errors have a number.
            _ if e.raw_os_error().is_some() => e,
            _ => Damage::error(
                format!("the {name} stream is damaged: {e}"),
                "copy or download the file again; `gzip -t` or `zstd -t` checks it",
            ),
        })
    }
}
