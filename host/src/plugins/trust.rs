//! Which libraries may run: pinned by hash, in files that only their owner can change.

use super::dirs::{self, Places};
use crate::{Error, Result, env, runs};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, Metadata},
    path::{Path, PathBuf},
};

/// The list of trusted libraries, `trusted.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trusted {
    #[serde(default, rename = "plugin")]
    plugins: Vec<Pin>,
}

/// One trusted library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    /// The plugin's id, for people.
    pub id: String,
    /// Where the library lay.
    pub path: PathBuf,
    /// sha256 of the library, in hex.
    pub sha256: String,
    /// When it was trusted, RFC 3339.
    pub date: String,
}

impl Trusted {
    /// The user's list; empty if there is none.
    pub(super) fn read(places: &Places) -> Result<Self> {
        let Some(path) = &places.trusted else { return Ok(Self::default()) };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::io("read", path, &e)),
        };
        check_owner(path)?;
        toml_edit::de::from_str(&text).map_err(|e| {
            Error::failed(e.message().trim_end_matches('.').to_owned())
                .context("list of trusted plugins")
                .place(path, None, None)
                .hint("mend the file, or delete it and trust your plugins again")
        })
    }

    /// The hash that was trusted for a library at this path.
    pub(super) fn pin_of(&self, path: &Path) -> Option<&str> {
        self.plugins.iter().find(|pin| pin.path == path).map(|pin| pin.sha256.as_str())
    }

    /// Whether a library of this hash was trusted, wherever it lay.
    pub(super) fn has(&self, sha256: &str) -> bool {
        self.plugins.iter().any(|pin| pin.sha256 == sha256)
    }

    /// Trusts a library; an older pin of its path goes.
    pub(super) fn add(places: &Places, pin: Pin) -> Result<()> {
        let path = dirs::required(&places.trusted, env::XDG_CONFIG_HOME)?;
        if let Some(folder) = path.parent() {
            runs::create_folder(folder)?;
        }
        // Two at once would lose the one's pin.
        let beside = path.with_extension("lock");
        let io = |e: std::io::Error| Error::io("lock", &beside, &e);
        let lock = File::create(&beside).map_err(io)?;
        lock.lock().map_err(io)?;
        let mut list = Self::read(places)?;
        list.plugins.retain(|known| known.path != pin.path);
        list.plugins.push(pin);
        list.plugins.sort_by(|a, b| a.path.cmp(&b.path));
        let text = toml_edit::ser::to_string_pretty(&list)
            .map_err(|e| Error::failed(format!("write the list of trusted plugins: {e}")))?;
        runs::replace(path, text.as_bytes())
    }

    /// Refuses a library that is not on the list.
    pub(super) fn require(&self, path: &Path, sha256: &str) -> Result<()> {
        if self.has(sha256) {
            return Ok(());
        }
        let shown = dirs::short(path);
        let hint = format!("if you trust it, run `tinsmith plugins trust {shown}`");
        Err(match self.pin_of(path) {
            Some(_) => Error::failed("the library has changed since it was trusted").hint(hint),
            None => Error::failed("the library is not trusted").hint(hint),
        })
    }
}

/// Refuses a file that somebody else could change: it and its folder must belong to the user or to
/// root and be writable by nobody else.
#[cfg(unix)]
pub(super) fn check_owner(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    const STICKY: u32 = 0o1000;
    let facts = |path: &Path| std::fs::metadata(path).map_err(|e| Error::io("read", path, &e));
    check_facts(path, &facts(path)?)?;
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let found = facts(folder)?;
    // In a folder with the sticky bit, such as `/tmp`, only its owner can replace a file.
    match found.mode() & STICKY {
        0 => check_facts(folder, &found),
        _ => check_belongs(folder, &found),
    }
}

/// As [`check_owner`], of what the system said of the file or folder at `path`.
#[cfg(unix)]
pub(super) fn check_facts(path: &Path, found: &Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    check_belongs(path, found)?;
    if found.mode() & 0o022 != 0 {
        let shown = path.display();
        return Err(Error::failed(format!("others can write to `{shown}`"))
            .hint(format!("run `chmod go-w {shown}`")));
    }
    Ok(())
}

#[cfg(unix)]
fn check_belongs(path: &Path, found: &Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    if found.uid() != rustix::process::geteuid().as_raw() && found.uid() != 0 {
        return Err(Error::failed(format!("`{}` belongs to another user", path.display()))
            .hint("copy the plugin into a folder of your own"));
    }
    Ok(())
}

/// Without Unix permissions there is nothing to check; the hash remains.
#[cfg(not(unix))]
pub(super) fn check_owner(_: &Path) -> Result<()> {
    Ok(())
}

/// As [`check_owner`].
#[cfg(not(unix))]
pub(super) fn check_facts(_: &Path, _: &Metadata) -> Result<()> {
    Ok(())
}
