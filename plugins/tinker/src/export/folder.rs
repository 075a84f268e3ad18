/*!
The files of a checkpoint in a folder, as a server gives them that expects its clients on its own machine.

Only such a server is believed: one elsewhere could name any folder of this machine. Of the folder the two
files of an adapter are taken and nothing else, and no link is followed.
*/

use super::{Part, Parts, gone};
use crate::credentials::is_here;
use std::{
    fs,
    io::{ErrorKind as Io, Read},
    path::{Path, PathBuf},
};
use tinsmith_plugin_api::{Error, Result};

/// What an adapter is made of.
const FILES: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];
/// Where some servers keep them, within the checkpoint.
const INNER: &str = "adapter";

/// The folder that a `file:` address names, if the server at `base` may name one.
pub(super) fn allowed(base: &str, url: &reqwest::Url) -> Result<PathBuf> {
    let path = url.to_file_path();
    match path {
        Ok(path) if is_here(base) => Ok(path),
        Ok(path) => Err(Error::unsupported(format!(
            "the server gives the adapter as a folder of its own machine: `{}`",
            path.display()
        ))
        .with_hint("copy it from there, or download on that machine")),
        Err(()) => {
            Err(Error::unsupported("the server gives the adapter as a folder without a path")
                .with_hint("copy the adapter from the folder of the server"))
        }
    }
}

/// Streams the adapter in a folder.
pub(super) fn copy(folder: &Path, out: &Parts) -> Result<()> {
    let inner = folder.join(INNER);
    let folder = if inner.is_dir() { &inner } else { folder };
    // All of them are there before the first begins.
    let files = FILES.map(|name| (name, folder.join(name)));
    for (_, path) in &files {
        let shown = path.display();
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(Error::rejected(format!("`{shown}` is no file"))),
            Err(e) if e.kind() == Io::NotFound => {
                return Err(Error::not_found(format!("the server's folder has no `{shown}`")));
            }
            Err(e) => return Err(Error::from(e).context(format!("read `{shown}`"))),
        }
    }
    for (name, path) in files {
        let broken =
            |e: std::io::Error| Error::from(e).context(format!("read `{}`", path.display()));
        let mut file = fs::File::open(&path).map_err(broken)?;
        out.blocking_send(Part::Start(name.to_owned())).map_err(gone)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(broken)? {
                0 => break,
                n => out.blocking_send(Part::Bytes(buffer[..n].to_vec().into())).map_err(gone)?,
            }
        }
        out.blocking_send(Part::Finish).map_err(gone)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinsmith_plugin_api::ErrorKind;

    #[test]
    fn only_a_server_of_this_machine_may_name_a_folder() {
        let url = |text| reqwest::Url::parse(text).unwrap();
        let here = allowed("http://127.0.0.1:1", &url("file:///tmp/a%20b")).unwrap();
        assert_eq!(here, Path::new("/tmp/a b"));
        for base in ["https://host", "http://10.0.0.1:8000", "http://localhost.evil.com"] {
            let e = allowed(base, &url("file:///etc")).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::UNSUPPORTED, "{e}");
            assert!(e.to_string().contains("`/etc`") && e.hint().is_some(), "{e}");
        }
        assert!(allowed("http://127.0.0.1:1", &url("file://elsewhere/a")).is_err());
    }

    #[test]
    fn no_link_is_followed_and_nothing_begins_that_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let copied = || {
            let (out, mut parts) = tokio::sync::mpsc::channel(16);
            let result = copy(folder.path(), &out);
            drop(out);
            (result, parts.blocking_recv().is_some())
        };
        let path = |name: &str| folder.path().join(name);
        fs::write(path(FILES[0]), "{}").unwrap();
        let (result, began) = copied();
        assert_eq!((result.unwrap_err().kind(), began), (ErrorKind::NOT_FOUND, false));
        fs::write(path("elsewhere"), "secret").unwrap();
        std::os::unix::fs::symlink(path("elsewhere"), path(FILES[1])).unwrap();
        let (result, began) = copied();
        assert_eq!((result.unwrap_err().kind(), began), (ErrorKind::REJECTED, false));
    }
}
