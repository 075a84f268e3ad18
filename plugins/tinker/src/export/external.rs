//! The files of an export, by addresses that hold for a while.

use super::{Part, Parts, download::File, gone};
use crate::{checkpoints::rest, connection::Connection, http::Call};
use tinsmith_plugin_api::{Error, ErrorKind, Result};
use tinsmith_tinker_wire::{messages::ExternalUrls, path::TinkerPath};

/// Streams all files of an export.
pub(super) async fn download(
    connection: &Connection,
    path: &TinkerPath,
    out: &Parts,
) -> Result<()> {
    let call = Call::get(format!("{}/external_weights_urls", rest(path)));
    let names: Vec<String> = urls(connection, &call).await?.urls.into_keys().collect();
    if names.is_empty() {
        return Err(Error::not_found(format!("`{path}` has no files")));
    }
    for name in names {
        out.send(Part::Start(name.clone())).await.map_err(gone)?;
        let mut file = File::new();
        loop {
            // Signed anew for every try: an address may have expired meanwhile.
            let mut signed = urls(connection, &call).await?;
            let Some(url) = signed.urls.remove(&name) else {
                return Err(Error::not_found(format!("`{name}` vanished from `{path}`")));
            };
            if file.fetch(connection, &name, &url, out).await? {
                break;
            }
        }
        out.send(Part::Finish).await.map_err(gone)?;
    }
    Ok(())
}

async fn urls(connection: &Connection, call: &Call) -> Result<ExternalUrls> {
    connection.http.json(call).await.map_err(|e| match e.kind() {
        ErrorKind::NOT_FOUND => e.with_hint("the export has expired, perhaps: download it again"),
        _ => e,
    })
}
