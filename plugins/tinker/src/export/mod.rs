/*!
Takes the files of an adapter from the server.

Today's servers write an export of a checkpoint and give addresses of its files; older ones give an archive
of a checkpoint that is sampled from, or name its folder. A training checkpoint is loaded into a model for either, in a session
of its own.

What arrives is untrusted: names are checked by the host's sink, links and devices in an archive are
refused, and a file counts when it is whole.
*/

mod archive;
mod download;
mod external;
mod folder;

use crate::{connection::Connection, http::Call, poll, run::load, session::Session};
use std::sync::Arc;
use tinsmith_plugin_api::{Error, ErrorKind, Result};
use tinsmith_tinker_wire::{
    messages::{SaveExternal, SaveForSampler, SavedWeights},
    path::{Kind, TinkerPath},
};

/// A part of an export, in order.
#[derive(Debug)]
pub(crate) enum Part {
    Start(String),
    Bytes(bytes::Bytes),
    Finish,
}

/// Where parts go: to the thread that may call the host's sink.
pub(crate) type Parts = tokio::sync::mpsc::Sender<Part>;

/// Name of the export that is made for a download.
const NAME: &str = "tinsmith-download";
/// Seconds that such an export lives if it is not deleted.
const TTL: u64 = 3600;

/// Streams the files of a checkpoint's adapter.
pub(crate) async fn adapter(connection: &Arc<Connection>, uri: &str, out: Parts) -> Result<()> {
    let path: TinkerPath = uri.parse()?;
    match path.kind {
        Kind::External => external::download(connection, &path, &out).await,
        Kind::Sampler => archive::download(connection, &path, &out).await.map_err(|e| {
            let hint =
                "today's servers give the files of training checkpoints: download one of those";
            if e.kind() == ErrorKind::NOT_FOUND { e.with_hint(hint) } else { e }
        }),
        Kind::Training => {
            let session = Session::create(Arc::clone(connection), None).await?;
            let result = of_training(connection, &session, uri, &out).await;
            session.end_here().await;
            result
        }
    }
}

async fn of_training(
    connection: &Arc<Connection>,
    session: &Session,
    uri: &str,
    out: &Parts,
) -> Result<()> {
    let (model, next) = load(connection, session, uri, false).await?;
    let external = SaveExternal {
        model_id: model.clone(),
        path: NAME.into(),
        seq_id: Some(next),
        ttl_seconds: Some(TTL),
        age_encryption_recipients: None,
    };
    let call = Call::post("save_weights_external", &external);
    match connection.promised(&call).await {
        Ok((saved, _)) => {
            let path = saved_path(poll::json(saved, "save_weights_external")?)?;
            let result = external::download(connection, &path, out).await;
            // It expires by itself.
            let _ = connection.http.call(&Call::delete(crate::checkpoints::rest(&path))).await;
            result
        }
        Err(e) if e.kind() == ErrorKind::NOT_FOUND => {
            let body = SaveForSampler {
                model_id: model,
                path: Some(NAME.into()),
                seq_id: Some(next),
                ..SaveForSampler::default()
            };
            let (saved, _) =
                connection.promised(&Call::post("save_weights_for_sampler", &body)).await?;
            let path = saved_path(poll::json(saved, "save_weights_for_sampler")?)?;
            archive::download(connection, &path, out).await
        }
        Err(e) => Err(e),
    }
}

fn saved_path(saved: SavedWeights) -> Result<TinkerPath> {
    let path = saved.path.ok_or_else(|| {
        Error::new(ErrorKind::NETWORK, "the server does not say where it put the export")
    })?;
    path.parse()
}

/// The caller does not take any more.
fn gone<T>(_: T) -> Error {
    Error::new(ErrorKind::CANCELLED, "the download was stopped")
}
