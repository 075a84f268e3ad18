//! Opens a library and finds its handshake. The one file of the host with `unsafe`.

#![allow(unsafe_code)]

use crate::{Error, Result};
use std::path::Path;
use tinsmith_plugin_api::abi::Handshake;

/// Opens the private copy of a library, which stays open as long as the process: code, statics and
/// threads of a plugin may be in use anywhere.
pub(super) fn open(copy: &Path, symbol: &str) -> Result<&'static Handshake> {
    // SAFETY: the initialisers of the library run here, with the rights of the process. The caller
    // has the user's word for this very content, and its headers were checked.
    let library = unsafe { open_now(copy) }.map_err(|e| {
        Error::failed(format!("the system's loader refused the library: {}", reasons(&e)))
            .hint("build it on this machine, with the libraries that it needs installed")
    })?;
    // SAFETY: only the address is taken; `Handshake::at` looks at it before anybody trusts it.
    let address = unsafe { library.get::<*const Handshake>(symbol.as_bytes()) }
        .map(|symbol| symbol.into_raw().cast::<Handshake>())
        .map_err(|_| {
            Error::failed(format!("the library has no symbol `{symbol}`"))
                .hint("a plugin is built from a crate that calls `plugin!`")
        })?;
    // A destructor that unmaps code in use is worth less than the memory.
    std::mem::forget(library);
    // SAFETY: the library stays loaded, and `plugin!` puts a whole handshake under this symbol.
    Ok(unsafe { Handshake::at(address) }?)
}

#[cfg(unix)]
use libloading::os::unix::Library;
#[cfg(not(unix))]
use libloading::os::windows::Library;

/// All symbols are bound at once, and none is lent to other libraries.
#[cfg(unix)]
unsafe fn open_now(path: &Path) -> std::result::Result<Library, libloading::Error> {
    use libloading::os::unix::{RTLD_LOCAL, RTLD_NOW};
    // SAFETY: as the caller has promised.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }
}

#[cfg(not(unix))]
unsafe fn open_now(path: &Path) -> std::result::Result<Library, libloading::Error> {
    // SAFETY: as the caller has promised.
    unsafe { Library::new(path) }
}

/// The loader's own words are in the sources of the error.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
