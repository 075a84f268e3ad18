//! The door: every plugin, linked or loaded, is checked here before the first call into it.

use super::{ABI_VERSION, Handshake, MAGIC, Plugin, root_layout};
use crate::{API_VERSION, Error, ErrorKind, Result};
use abi_stable::{
    abi_stability::abi_checking::check_layout_compatibility, library::AbiHeader,
    type_layout::TypeLayout,
};
use std::collections::HashSet;

/// A plugin that is linked into this program.
#[derive(Debug)]
pub struct Linked(pub &'static Handshake);

inventory::collect!(Linked);

/// Handshakes of all plugins that are linked into this program.
///
/// A library crate that nobody names is dropped by the linker without a word: a host names its
/// built-ins, and a test pins the list.
pub fn linked() -> impl Iterator<Item = &'static Handshake> {
    inventory::iter::<Linked>().map(|linked| linked.0)
}

impl Handshake {
    /// The handshake behind the address of a library's symbol.
    ///
    /// # Errors
    /// `unsupported` if what lies there does not begin like a handshake.
    ///
    /// # Safety
    /// `address` points at a static of a library that stays loaded, readable for at least 16 bytes
    /// and, if it begins with [`MAGIC`], for as many as its `size` field says.
    pub unsafe fn at(address: *const Self) -> Result<&'static Self> {
        if address.is_null() || !address.is_aligned() {
            return Err(not_a_plugin());
        }
        // SAFETY: the first three fields lie within the 16 bytes that the caller vouches for; they
        // are read through raw pointers, no reference is made to the rest.
        let (magic, size) = unsafe { ((*address).magic, (*address).size) };
        if magic != MAGIC || (size as usize) < size_of::<Self>() {
            return Err(not_a_plugin());
        }
        // SAFETY: the struct is as long as ours at least, and our fields are its first.
        Ok(unsafe { &*address })
    }
}

/// Checks a plugin and opens it.
///
/// First the ABI number, a promise of the author; then the layout of every type that crosses, which
/// needs no promise. A plugin built against an older patch version of this crate may lack methods
/// at the end of a trait, which then run their default; so the check is made in the direction in
/// which the newer side may have more.
///
/// # Errors
/// `unsupported`, with one line that says what differs and a hint that says what to do.
pub fn admit(handshake: &'static Handshake) -> Result<Plugin> {
    if handshake.magic != MAGIC {
        return Err(not_a_plugin());
    }
    // These three mean the same in every ABI.
    let id = handshake.id.read();
    let version = handshake.version.read();
    let api = handshake.api.read();
    if handshake.abi != ABI_VERSION {
        return Err(refused(format!(
            "plugin `{id}` {version} speaks plugin ABI {}, this program speaks {ABI_VERSION} \
             (plugin-api {api} against {API_VERSION})",
            handshake.abi
        )));
    }
    if !handshake.types.is_compatible(&AbiHeader::VALUE) {
        return Err(refused(format!(
            "plugin `{id}` {version} describes its types in another form"
        )));
    }
    // SAFETY: a handshake of our ABI number, made by `Handshake::new`, points at a static.
    let layout: &'static TypeLayout = unsafe { &*handshake.layout };
    let checked = if older(&api) {
        check_layout_compatibility(layout, root_layout())
    } else {
        check_layout_compatibility(root_layout(), layout)
    };
    if let Err(e) = checked {
        return Err(refused(format!(
            "plugin `{id}` {version} claims ABI {ABI_VERSION} but its types differ: {}",
            last_words(&e.to_string())
        )));
    }
    let rustc = handshake.rustc.read();
    let plugin = Plugin { id, version, api, rustc, root: (handshake.root)() };
    check_names(&plugin)?;
    Ok(plugin)
}

fn check_names(plugin: &Plugin) -> Result<()> {
    let mut seen = HashSet::new();
    for item in plugin.provides() {
        if !seen.insert((item.kind, item.name.clone())) {
            return Err(Error::new(
                ErrorKind::UNSUPPORTED,
                format!("plugin `{}` provides {} `{}` twice", plugin.id, item.kind, item.name),
            )
            .with_hint("report it to the plugin's author"));
        }
    }
    Ok(())
}

fn not_a_plugin() -> Error {
    Error::unsupported("the library is no tinsmith plugin")
        .with_hint("a plugin is built from a crate that calls `plugin!`")
}

fn refused(message: String) -> Error {
    let hint = format!(
        "rebuild it against plugin-api {API_VERSION}: `cargo update -p tinsmith-plugin-api && \
         cargo build --release`"
    );
    Error::unsupported(message).with_hint(hint)
}

/// Whether `api` is an older version than ours. What is no version counts as newer.
fn older(api: &str) -> bool {
    fn parts(version: &str) -> Option<[u64; 3]> {
        let core = version.split(['-', '+']).next()?;
        let numbers: Vec<u64> = core.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        numbers.try_into().ok()
    }
    match (parts(api), parts(API_VERSION)) {
        (Some(theirs), Some(ours)) => theirs < ours,
        _ => false,
    }
}

/// The checker's report has hundreds of lines; the reason follows the last `Error:`.
fn last_words(report: &str) -> String {
    let reason = report.rsplit("Error:").next().unwrap_or(report);
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_versions_are_told_by_number() {
        assert!(older("0.0.9"));
        assert!(!older(API_VERSION));
        assert!(!older("999.0.0"));
        assert!(!older("unknown"));
    }

    #[test]
    fn a_long_report_is_one_line() {
        let report = format!("{}Error:\n  incompatible size\n Expected: 8", "noise\n".repeat(500));
        assert_eq!(last_words(&report), "incompatible size Expected: 8");
    }
}
