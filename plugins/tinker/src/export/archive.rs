//! The files of a checkpoint in an archive, as older servers give them.

use super::{Part, Parts, download::File, folder, gone};
use crate::{
    connection::Connection,
    http::{Call, refused},
};
use flate2::read::GzDecoder;
use std::{
    io::{Read, Seek, SeekFrom},
    path::Component,
    time::Duration,
};
use tinsmith_plugin_api::{Error, ErrorKind, Result};
use tinsmith_tinker_wire::path::TinkerPath;

/// Seconds between two tries while the server makes the archive, and how many.
const MAKING: (u64, u32) = (30, 6);
/// What stands in an archive that is whole, and is no part of the adapter.
const MARKER: &str = "checkpoint_complete";

/// Streams the files of an archive. It is kept on disk first: an archive that breaks off must not have
/// begun files.
pub(super) async fn download(
    connection: &Connection,
    path: &TinkerPath,
    out: &Parts,
) -> Result<()> {
    let url = address(connection, path).await?;
    if url.scheme() == "file" {
        let (folder, out) = (folder::allowed(&connection.http.base, &url)?, out.clone());
        return beside(move || folder::copy(&folder, &out)).await;
    }
    let (sender, mut parts) = tokio::sync::mpsc::channel(16);
    let mut kept = tempfile::tempfile().map_err(Error::from)?;
    let fetch = async {
        // The last sender goes with it, which ends the writing.
        let sender = sender;
        let mut file = File::new();
        while !file.fetch(connection, "the archive", url.as_str(), &sender).await? {}
        Ok::<_, Error>(())
    };
    let write = async {
        while let Some(part) = parts.recv().await {
            if let Part::Bytes(bytes) = part {
                std::io::Write::write_all(&mut kept, &bytes).map_err(Error::from)?;
            }
        }
        Ok::<_, Error>(kept)
    };
    let (fetched, kept) = tokio::join!(fetch, write);
    fetched?;
    let (kept, out) = (kept?, out.clone());
    beside(move || unpack(kept, &out)).await
}

/// Runs what reads files on a thread of its own.
async fn beside(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::new(ErrorKind::OTHER, format!("unpack the archive: {e}")))?
}

/// Where the archive is. Servers differ in what they call a checkpoint.
async fn address(connection: &Connection, path: &TinkerPath) -> Result<reqwest::Url> {
    let mut last = None;
    for id in [path.checkpoint_id(), path.name.clone()] {
        let call = Call::get(format!("training_runs/{}/checkpoints/{id}/archive", path.run));
        for _ in 0..MAKING.1 {
            let answer =
                connection.http.once(&call).await.map_err(|e| e.error(&connection.http.base))?;
            match answer.status {
                301..=308 => {
                    let location = answer.location.as_deref().unwrap_or_default();
                    return absolute(connection, location);
                }
                200 => {
                    let said: serde_json::Value = answer.read(&call.path)?;
                    return absolute(connection, said["url"].as_str().unwrap_or_default());
                }
                503 => connection.http.clock.sleep(Duration::from_secs(MAKING.0)).await,
                _ => {
                    last = Some(refused(&connection.http.base, &call.path, &answer));
                    break;
                }
            }
        }
    }
    let error = last.unwrap_or_else(|| {
        Error::new(ErrorKind::NETWORK, "the server is still making the archive")
            .with_hint("try again later")
    });
    Err(error.context(format!("download `{path}`")))
}

fn absolute(connection: &Connection, location: &str) -> Result<reqwest::Url> {
    let none = || Error::new(ErrorKind::NETWORK, "the server's address of the archive is none");
    let base = reqwest::Url::parse(&connection.http.base);
    let url = base.and_then(|base| base.join(location)).map_err(|_| none())?;
    match url.scheme() {
        "http" | "https" | "file" => Ok(url),
        other => Err(Error::unsupported(format!("the server gives its archive as `{other}:`"))
            .with_hint("copy the adapter from the folder of the server")),
    }
}

/// Sends the files of a tar, packed or not.
fn unpack(mut kept: std::fs::File, out: &Parts) -> Result<()> {
    let mut magic = [0; 2];
    kept.seek(SeekFrom::Start(0))?;
    let packed = kept.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    kept.seek(SeekFrom::Start(0))?;
    let reader: Box<dyn Read> =
        if packed { Box::new(GzDecoder::new(kept)) } else { Box::new(kept) };
    let broken = |e: std::io::Error| Error::from(e).context("read the archive");
    let mut any = false;
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let path = entry.path().map_err(broken)?.into_owned();
        if !kind.is_file() {
            return Err(Error::new(
                ErrorKind::REJECTED,
                format!("the archive holds a link or a device: `{}`", path.display()),
            ));
        }
        let parts: Option<Vec<&str>> = path
            .components()
            .filter(|part| *part != Component::CurDir)
            .map(|part| if let Component::Normal(name) = part { name.to_str() } else { None })
            .collect();
        let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
            return Err(Error::new(
                ErrorKind::REJECTED,
                format!("the archive leads out of its folder: `{}`", path.display()),
            ));
        };
        if parts == [MARKER] {
            continue;
        }
        any = true;
        out.blocking_send(Part::Start(parts.join("/"))).map_err(gone)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match entry.read(&mut buffer).map_err(broken)? {
                0 => break,
                n => out.blocking_send(Part::Bytes(buffer[..n].to_vec().into())).map_err(gone)?,
            }
        }
        out.blocking_send(Part::Finish).map_err(gone)?;
    }
    if any { Ok(()) } else { Err(Error::not_found("the archive holds no file")) }
}
