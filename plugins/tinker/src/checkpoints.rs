//! The checkpoints of the account: listed, deleted, given an end, shown to everybody.

use crate::{connection::Connection, http::Call, run::EPHEMERAL};
use tinsmith_plugin_api::{Checkpoint, Error, ErrorKind, Result, RunId};
use tinsmith_tinker_wire::{
    messages::{self, Checkpoints, Cursor, TrainingRuns, Ttl},
    path::{Kind, TinkerPath},
};

/// Checkpoints that are asked for at once.
const PAGE: u64 = 100;

/// The checkpoints of a run, or of all.
pub(crate) async fn list(connection: &Connection, run: Option<&RunId>) -> Result<Vec<Checkpoint>> {
    let Some(run) = run else { return all(connection).await };
    let call = Call::get(format!("training_runs/{}/checkpoints", run.0));
    match connection.http.json::<Checkpoints>(&call).await {
        Ok(list) => Ok(list.checkpoints.iter().filter_map(|c| read(c, Some(&run.0))).collect()),
        Err(e) if e.kind() == ErrorKind::NOT_FOUND => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

async fn all(connection: &Connection) -> Result<Vec<Checkpoint>> {
    let mut found = Vec::new();
    loop {
        let call = Call::get(format!("checkpoints?limit={PAGE}&offset={}", found.len()));
        match connection.http.json::<Checkpoints>(&call).await {
            Ok(list) => {
                let more = !list.checkpoints.is_empty();
                let total = list.cursor.map_or(0, |cursor: Cursor| cursor.total_count);
                found.extend(list.checkpoints);
                if !more || found.len() as u64 >= total {
                    return Ok(found.iter().filter_map(|c| read(c, None)).collect());
                }
            }
            // Some servers list them by run only.
            Err(e) if e.kind() == ErrorKind::NOT_FOUND => return by_run(connection).await,
            Err(e) => return Err(e),
        }
    }
}

async fn by_run(connection: &Connection) -> Result<Vec<Checkpoint>> {
    let (mut found, mut seen) = (Vec::new(), 0);
    loop {
        let call = Call::get(format!("training_runs?limit={PAGE}&offset={seen}"));
        let page: TrainingRuns = connection.http.json(&call).await?;
        for run in &page.training_runs {
            let run = RunId(run.training_run_id.clone());
            found.extend(Box::pin(list(connection, Some(&run))).await?);
        }
        seen += page.training_runs.len() as u64;
        if page.training_runs.is_empty() || seen >= page.cursor.total_count {
            return Ok(found);
        }
    }
}

/// One checkpoint; None for what has no path that can be used.
fn read(sent: &messages::Checkpoint, run: Option<&str>) -> Option<Checkpoint> {
    let kind = match sent.checkpoint_type.as_str() {
        "sampler" => Kind::Sampler,
        "external" => Kind::External,
        _ => Kind::Training,
    };
    let path = match sent.tinker_path.parse::<TinkerPath>() {
        Ok(path) => path,
        Err(_) => TinkerPath::of_checkpoint(run?, &sent.checkpoint_id, kind).ok()?,
    };
    Some(Checkpoint {
        run: RunId(path.run.clone()),
        name: path.name.clone(),
        optimizer: path.kind == Kind::Training,
        uri: path.to_string(),
        bytes: sent.size_bytes,
        created: Some(sent.time.clone()).filter(|time| !time.is_empty()),
        expires: sent.expires_at.clone(),
        public: Some(sent.public),
    })
}

/// Deletes a checkpoint. An absent one is no error, and weights without a name go with their session.
pub(crate) async fn delete(connection: &Connection, uri: &str) -> Result<()> {
    if uri.starts_with(EPHEMERAL) {
        return Ok(());
    }
    let path: TinkerPath = uri.parse()?;
    match connection.http.call(&Call::delete(rest(&path))).await {
        Err(e) if e.kind() == ErrorKind::NOT_FOUND => Ok(()),
        answered => answered.map(drop),
    }
}

/// Lets a checkpoint expire.
pub(crate) async fn set_ttl(
    connection: &Connection,
    uri: &str,
    seconds: Option<u64>,
) -> Result<()> {
    let path: TinkerPath = uri.parse()?;
    let call = Call::put(format!("{}/ttl", rest(&path)), &Ttl { ttl_seconds: seconds });
    match connection.http.call(&call).await {
        Ok(_) => Ok(()),
        Err(e) if lacks(&e) => Err(Error::unsupported(format!(
            "`{}` keeps checkpoints for ever",
            connection.http.base
        ))),
        Err(e) => Err(e),
    }
}

/// Lets everybody read a checkpoint, or nobody else again.
pub(crate) async fn publish(connection: &Connection, uri: &str, public: bool) -> Result<()> {
    let path: TinkerPath = uri.parse()?;
    let method = if public { reqwest::Method::POST } else { reqwest::Method::DELETE };
    let call = Call::new(method, format!("{}/publish", rest(&path)), None);
    match connection.http.call(&call).await {
        Ok(_) => Ok(()),
        Err(e) if lacks(&e) => {
            Err(Error::unsupported(format!("`{}` publishes nothing", connection.http.base)))
        }
        Err(e) => Err(e),
    }
}

/// Whether it is the call that the server does not know, and not the checkpoint.
fn lacks(e: &Error) -> bool {
    e.message().contains(" answers 405 ")
}

/// Where a checkpoint is called.
pub(crate) fn rest(path: &TinkerPath) -> String {
    format!("training_runs/{}/checkpoints/{}", path.run, path.checkpoint_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_of_all_servers_are_read() {
        let sent = |id: &str, kind: &str, path: &str| messages::Checkpoint {
            checkpoint_id: id.into(),
            checkpoint_type: kind.into(),
            tinker_path: path.into(),
            ..messages::Checkpoint::default()
        };
        let uri = |sent, run| read(&sent, run).map(|c| (c.uri, c.optimizer));
        let whole = sent("weights/a", "training", "tinker://m/weights/a");
        assert_eq!(uri(whole, None), Some(("tinker://m/weights/a".into(), true)));
        let bare = sent("a", "sampler", "");
        assert_eq!(
            uri(bare.clone(), Some("m")),
            Some(("tinker://m/sampler_weights/a".into(), false))
        );
        assert_eq!(uri(bare, None), None);
        assert_eq!(uri(sent("../../x", "training", ""), Some("m")), None);
    }
}
