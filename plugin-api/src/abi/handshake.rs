//! The one symbol of a plugin: plain data, readable before any of its code runs.

use super::{ABI_VERSION, PluginRoot, root_layout};
use crate::API_VERSION;
use abi_stable::{library::AbiHeader, type_layout::TypeLayout};
use std::fmt;

/// The first bytes of every [`Handshake`].
pub const MAGIC: [u8; 8] = *b"TINSMITH";

/// The compiler that built this crate, as `rustc -V` names it.
pub const RUSTC: &str = env!("TINSMITH_RUSTC");

/// A text inside a library that is never unloaded.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    start: *const u8,
    bytes: usize,
}

impl Text {
    /// Points at `text`.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { start: text.as_ptr(), bytes: text.len() }
    }

    /// The text; what is not UTF-8 becomes U+FFFD.
    pub(super) fn read(self) -> String {
        // SAFETY: a `Text` is only made by `new`, from a `&'static str`, and its form is one of those
        // that no ABI changes; the library that holds it stays loaded.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, self.bytes) };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// What a plugin says before anything else.
///
/// The fields up to `api` never change: they are read of a plugin of any ABI, to say which it is. All
/// are private, so that nobody but [`Handshake::new`] makes one for [`super::admit`] to believe.
#[repr(C)]
pub struct Handshake {
    /// [`MAGIC`].
    pub(super) magic: [u8; 8],
    /// Bytes of this struct.
    pub(super) size: u32,
    /// [`ABI_VERSION`] of the plugin's build.
    pub(super) abi: u32,
    /// The plugin's id: `chat`.
    pub(super) id: Text,
    /// The plugin's own version.
    pub(super) version: Text,
    /// Version of this crate in the plugin's build.
    pub(super) api: Text,
    /// The compiler of the plugin's build.
    pub(super) rustc: Text,
    /// Version of the layout descriptions themselves.
    pub(super) types: AbiHeader,
    /// How the plugin's build lays out everything that crosses.
    pub(super) layout: *const TypeLayout,
    /// Builds the list of what the plugin provides.
    pub(super) root: extern "C" fn() -> PluginRoot,
}

// SAFETY: the pointers lead to immutable statics of a library that is never unloaded.
unsafe impl Sync for Handshake {}
// SAFETY: as above.
unsafe impl Send for Handshake {}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("abi", &self.abi).finish_non_exhaustive()
    }
}

impl Handshake {
    /// The handshake of a plugin built against this crate. `plugin!` calls it.
    #[must_use]
    pub const fn new(
        id: &'static str,
        version: &'static str,
        root: extern "C" fn() -> PluginRoot,
    ) -> Self {
        Self {
            magic: MAGIC,
            size: size_of::<Self>() as u32,
            abi: ABI_VERSION,
            id: Text::new(id),
            version: Text::new(version),
            api: Text::new(API_VERSION),
            rustc: Text::new(RUSTC),
            types: AbiHeader::VALUE,
            layout: std::ptr::from_ref(root_layout()),
            root,
        }
    }

    /// [`ABI_VERSION`] of the plugin's build.
    #[must_use]
    pub fn abi(&self) -> u32 {
        self.abi
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    /// Not to be blessed: a host reads these of a plugin of any ABI.
    #[test]
    fn what_is_read_before_the_abi_is_compared_never_moves() {
        assert_eq!(offset_of!(Handshake, magic), 0);
        assert_eq!(offset_of!(Handshake, size), 8);
        assert_eq!(offset_of!(Handshake, abi), 12);
        assert_eq!(offset_of!(Handshake, id), 16);
        assert_eq!(offset_of!(Handshake, version), 16 + size_of::<Text>());
        assert_eq!(offset_of!(Handshake, api), 16 + 2 * size_of::<Text>());
        assert_eq!(offset_of!(Text, start), 0);
        assert_eq!(size_of::<Text>(), 2 * size_of::<usize>());
    }
}
