/*!
A session: what a run, or the samplers of a trainer, belong to on the server. It lives as long as it is
said to.

Its id is kept in the run's storage ([`crate::alive`]), so that one whose client died is ended by the next.
*/

use crate::{connection::Connection, engine::Engine, http::Call, server::SDK_VERSION};
use serde_json::Map;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tinsmith_plugin_api::{Outcome, Result, StorageHandle};
use tinsmith_tinker_wire::messages::{
    CreateSession, Finish, FinishReason, Heartbeat, SessionCreated,
};
use tokio::sync::watch;

const HEARTBEAT: Duration = Duration::from_secs(10);

/// A session that is kept alive until it is dropped or ended.
#[derive(Debug)]
pub(crate) struct Session {
    pub id: String,
    connection: Arc<Connection>,
    /// Dropped: the heartbeat ends.
    _alive: watch::Sender<()>,
    models: AtomicU64,
    samplers: AtomicU64,
}

impl Session {
    /// Creates one. `kept_in` is where its id is kept, and where the id of one may lie whose client died.
    pub async fn create(
        connection: Arc<Connection>,
        kept_in: Option<Arc<dyn StorageHandle>>,
    ) -> Result<Arc<Self>> {
        if let Some(store) = &kept_in {
            end_leftovers(&connection, store.as_ref()).await;
        }
        let config = &connection.config;
        let env = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
        let tags = config.tags.clone().or_else(|| {
            let tags = env("TINKER_TAGS")?;
            Some(tags.split(',').map(|tag| tag.trim().to_owned()).collect())
        });
        let create = CreateSession {
            tags: tags.unwrap_or_default(),
            user_metadata: Some(Map::new()),
            sdk_version: SDK_VERSION.into(),
            project_id: config.project_id.clone().or_else(|| env("TINKER_PROJECT_ID")),
            display_name: None,
        };
        // A session whose answer was lost is empty, and dies of silence.
        let call = Call::post("create_session", &create);
        let made: SessionCreated = connection.http.json(&call).await?;
        let services = &connection.http.services;
        for warning in [&made.warning_message, &made.error_message].into_iter().flatten() {
            services.warn(format!("the server says: {warning}"));
        }
        if let Some(info) = &made.info_message {
            services.info(format!("the server says: {info}"));
        }
        if let Some(store) = &kept_in {
            connection.alive.begin(&connection.http.base, &made.session_id, store.as_ref());
        }
        let (alive, ended) = watch::channel(());
        tokio::spawn(beat(Arc::clone(&connection), made.session_id.clone(), ended));
        Ok(Arc::new(Self {
            id: made.session_id,
            connection,
            _alive: alive,
            models: AtomicU64::new(0),
            samplers: AtomicU64::new(0),
        }))
    }

    /// The number of the next model.
    pub fn next_model(&self) -> u64 {
        self.models.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next sampling session.
    pub fn next_sampler(&self) -> u64 {
        self.samplers.fetch_add(1, Ordering::Relaxed)
    }

    /// Tells the server that it ends, and waits until it was told.
    pub fn end(&self, engine: &Engine, why: Outcome) -> Result<()> {
        let (connection, id) = (Arc::clone(&self.connection), self.id.clone());
        engine.block(async move {
            end(&connection, &id, why).await?;
            if let Ok(store) = connection.http.services.store() {
                connection.alive.end(&connection.http.base, &id, store.as_ref());
            }
            Ok(())
        })
    }
}

impl Session {
    /// Says something of the session in the log.
    pub fn note(&self, text: &str) {
        self.connection.http.services.debug(text);
    }

    /// As [`Session::end`], on the engine's own thread. A server that does not hear it hears the silence.
    pub async fn end_here(&self) {
        if let Err(e) = end(&self.connection, &self.id, Outcome::Success).await {
            self.note(&format!("a session is not ended: {e}"));
        }
    }
}

async fn end(connection: &Connection, id: &str, why: Outcome) -> Result<()> {
    let kind = match why {
        Outcome::Success => "success",
        Outcome::Failed => "errored",
        Outcome::Interrupted => "interrupted",
    };
    let reason = FinishReason { kind: kind.into() };
    let call = Call::post(format!("sessions/{id}/finish"), &Finish { reason, detail: None });
    match connection.http.call(&call.patience(5).timeout(10)).await {
        // Some servers know no end but silence.
        Err(e) if e.kind() == tinsmith_plugin_api::ErrorKind::NOT_FOUND => Ok(()),
        answered => answered.map(drop),
    }
}

/// Ends the sessions of a client that died, so that they hold no place on the server.
async fn end_leftovers(connection: &Connection, store: &dyn StorageHandle) {
    for id in connection.alive.left(&connection.http.base, store) {
        let services = &connection.http.services;
        match end(connection, &id, Outcome::Interrupted).await {
            Ok(()) => services.debug("a session of an earlier process is ended"),
            Err(e) => services.debug(format!("a session of an earlier process is not ended: {e}")),
        }
    }
}

/// Says every ten seconds that the session lives. A failure is not the end: the next may arrive.
async fn beat(connection: Arc<Connection>, id: String, mut ended: watch::Receiver<()>) {
    let call = Call::post("session_heartbeat", &Heartbeat { session_id: id }).timeout(10);
    let clock = connection.http.clock;
    loop {
        tokio::select! {
            () = clock.sleep(HEARTBEAT) => {}
            _ = ended.changed() => return,
        }
        match connection.http.once(&call).await {
            Ok(answer) if answer.status == 410 => return,
            Ok(answer) if (200..300).contains(&answer.status) => {}
            Ok(answer) => {
                let status = answer.status;
                connection.http.services.debug(format!("the heartbeat is answered {status}"));
            }
            Err(e) => {
                let e = e.error(&connection.http.base);
                connection.http.services.debug(format!("the heartbeat fails: {e}"));
            }
        }
    }
}
