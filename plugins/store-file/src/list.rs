//! Listing keys in ascending order.

use crate::{
    keys::{is_part, split_prefix},
    place::{Root, is_absent},
};
use std::{fs, io, path::Path};
use tinsmith_plugin_api::Result;

/// Calls `visit` with each key that begins with `prefix` and its size in bytes, until it answers
/// false. Only one folder's names at each depth are held in memory.
pub(crate) fn list(
    root: &Root,
    prefix: &str,
    visit: &mut dyn FnMut(&str, u64) -> bool,
) -> Result<()> {
    let (folder, mut key) = match split_prefix(prefix)? {
        Some(folder) => (root.resolve(folder)?, format!("{folder}/")),
        None => (root.path().to_path_buf(), String::new()),
    };
    match walk(&folder, &mut key, prefix, visit) {
        Ok(_) => Ok(()),
        Err(e) => Err(root.explain("list", &key, &e)),
    }
}

/// One folder; `key` is its key with a slash behind. False: the visitor has seen enough.
fn walk(
    folder: &Path,
    key: &mut String,
    prefix: &str,
    visit: &mut dyn FnMut(&str, u64) -> bool,
) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Also a folder that a deletion removed meanwhile.
        Err(e) if is_absent(&e) => return Ok(true),
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        // Not keys: unfinished writes, links, sockets, names that no key may have.
        let Ok(mut name) = entry.file_name().into_string() else { continue };
        if !is_part(&name) || !(kind.is_dir() || kind.is_file()) {
            continue;
        }
        // With the slash that its keys have behind the name, a folder sorts where they do: `a-b`
        // comes before `a/b`, which comes before `a0`.
        if kind.is_dir() {
            name.push('/');
        }
        names.push(name);
    }
    names.sort_unstable();
    let depth = key.len();
    for name in names {
        key.truncate(depth);
        key.push_str(&name);
        let go_on = if name.ends_with('/') {
            // A folder is on the way to the prefix, or below it.
            let wanted = key.starts_with(prefix) || prefix.starts_with(key.as_str());
            !wanted || walk(&folder.join(&name), key, prefix, visit)?
        } else if key.starts_with(prefix) {
            match fs::symlink_metadata(folder.join(&name)) {
                Ok(found) => visit(key, found.len()),
                Err(e) if is_absent(&e) => true,
                Err(e) => return Err(e),
            }
        } else {
            true
        };
        if !go_on {
            return Ok(false);
        }
    }
    key.truncate(depth);
    Ok(true)
}
