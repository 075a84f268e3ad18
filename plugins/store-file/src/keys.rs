//! Which keys there are, and that none leads out of the root.

use tinsmith_plugin_api::{Error, Result};

/// What the names of unfinished writes begin with. No key may hold such a part.
pub(crate) const TEMPORARY: &str = ".tinsmith-tmp-";

/// Refuses what is not a plain relative key.
///
/// Keys come from run records, from manifests of checkpoints and, with `serve`, from the network.
/// Joined to the root as they are, `..` or an absolute key would read and overwrite files anywhere.
/// So each part must be a plain name: not empty, not `.` or `..`, without `\`, `:` and control
/// characters (separators, streams and devices of other systems), and not the name of a temporary
/// file. What is left can only name something below the root, as long as the root holds no
/// symbolic links; those are refused when a key is resolved (see `place.rs`).
pub(crate) fn check(key: &str) -> Result<()> {
    match key.split('/').find_map(problem) {
        None => Ok(()),
        Some(problem) => {
            Err(Error::config(format!("the storage key `{}` {problem}", key.escape_debug()))
                .with_hint("keys are relative names such as `checkpoints/000020/manifest.json`"))
        }
    }
}

/// Whether a name in a folder can be a part of a key.
pub(crate) fn is_part(name: &str) -> bool {
    problem(name).is_none()
}

/// Why a part of a key is refused.
fn problem(part: &str) -> Option<&'static str> {
    match part {
        "" => Some("has an empty part"),
        "." | ".." => Some("has a `.` or `..` part"),
        _ if part.starts_with(TEMPORARY) => Some("has the name of a temporary file"),
        _ if part.contains(['\\', ':']) => Some("holds `\\` or `:`"),
        _ if part.contains(char::is_control) => Some("holds a control character"),
        _ => None,
    }
}

/// The folder part of a prefix, checked, and the rest that names must begin with.
pub(crate) fn split_prefix(prefix: &str) -> Result<Option<&str>> {
    match prefix.rsplit_once('/') {
        Some((folder, _)) => check(folder).map(|()| Some(folder)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};
    use tinsmith_plugin_api::ErrorKind;

    #[test]
    fn keys_that_lead_elsewhere_are_refused() {
        for key in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            ".",
            "a/./b",
            "a//b",
            "a/",
            "a\\..\\b",
            "C:/x",
            "a\0b",
            "a\nb",
            ".tinsmith-tmp-1",
            "a/.tinsmith-tmp-x/b",
        ] {
            let e = check(key).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::CONFIG, "{key:?}");
        }
        for key in ["a", "a/b.json", "..a", "a..", ".hidden", "checkpoints/000020/ä ö"] {
            check(key).unwrap();
        }
    }

    proptest! {
        /// A key that passes has the same number of plain components as it has parts.
        #[test]
        fn an_accepted_key_stays_below_the_root(key in r"[a.\\/:~\x00 -]{0,12}|\PC{0,12}") {
            if check(&key).is_ok() {
                let plain = |c: Component<'_>| matches!(c, Component::Normal(_));
                prop_assert!(Path::new(&key).components().all(plain));
                prop_assert_eq!(Path::new(&key).components().count(), key.split('/').count());
            }
        }
    }
}
