//! Everything that the handlers of a server share.

use super::{
    base::Base,
    checkpoints::Checkpoints,
    disk::Disk,
    futures::Futures,
    inbox::{Inbox, Inboxes},
    metrics::Metrics,
    models::Models,
    samplers::Samplers,
    sessions::{Ended, Sessions},
    sign::Signer,
    usage::Ledger,
};
use crate::{Result, training::Log};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tinsmith_plugin_api::{Error, Level, Secret};
use tokio::sync::Notify;

/// What the server was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key that clients must send.
    pub key: Option<Secret>,
    /// Where clients reach the server, if it cannot know; without a `/` at its end.
    pub public_url: Option<String>,
    /// How long a client may be silent.
    pub session_timeout: Duration,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Steps between two snapshots.
    pub snapshot_steps: u64,
    /// Weights without a name that a model keeps.
    pub nameless_weights: usize,
    /// Whether clients ask once for all results of a sampling session.
    pub retrieve_futures: bool,
}

/// A server's state.
pub struct App {
    /// What it was told.
    pub settings: Settings,
    /// The models it offers.
    pub bases: Vec<Arc<Base>>,
    /// Where it keeps things.
    pub disk: Disk,
    /// Sessions.
    pub sessions: Sessions,
    /// Models that are loaded.
    pub models: Models,
    /// Results.
    pub futures: Futures,
    /// Who is told of results, where clients ask once for many.
    inboxes: Inboxes,
    /// Checkpoints.
    pub checkpoints: Checkpoints,
    /// Samplers.
    pub samplers: Samplers,
    /// What it has done.
    pub metrics: Metrics,
    /// What was spent.
    pub usage: Ledger,
    /// What addresses of downloads are signed with.
    pub signer: Signer,
    log: Log,
    copying: Mutex<()>,
    stopping: AtomicBool,
    stop: Notify,
}

impl App {
    /// What an earlier server left in the folder, and nothing loaded yet.
    ///
    /// # Errors
    /// `failed` that names a file that cannot be read.
    pub fn new(
        settings: Settings,
        bases: Vec<Base>,
        disk: Disk,
        usage: Ledger,
        log: Log,
    ) -> Result<Self> {
        Ok(Self {
            settings,
            bases: bases.into_iter().map(Arc::new).collect(),
            sessions: Sessions::open(&disk)?,
            models: Models::default(),
            futures: Futures::default(),
            inboxes: Inboxes::default(),
            checkpoints: Checkpoints::open(&disk)?,
            samplers: Samplers::default(),
            metrics: Metrics::default(),
            usage,
            signer: Signer::new(disk.key()?),
            disk,
            log,
            copying: Mutex::default(),
            stopping: AtomicBool::new(false),
            stop: Notify::new(),
        })
    }

    /// A base model by the name that clients give, or by what the trainer calls it.
    ///
    /// # Errors
    /// `not_found`, with those that there are.
    pub fn base(&self, name: &str) -> tinsmith_plugin_api::Result<Arc<Base>> {
        let found = self.bases.iter().find(|base| base.name == name);
        let found = found.or_else(|| self.bases.iter().find(|base| base.source == name));
        found.cloned().ok_or_else(|| {
            let known: Vec<&str> = self.bases.iter().map(|base| base.name.as_str()).collect();
            Error::not_found(format!("no base model `{name}` is served here"))
                .with_hint(format!("served are `{}`", known.join("`, `")))
        })
    }

    /// Held by whoever copies a checkpoint.
    pub fn copying(&self) -> MutexGuard<'_, ()> {
        self.copying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a client of a sampling session looks for news, if it does.
    pub fn inbox(&self, sampling: &str, clone: i64) -> Option<Arc<Inbox>> {
        self.settings.retrieve_futures.then(|| self.inboxes.of(sampling, clone))
    }

    /// A line for whoever runs the server.
    pub fn log(&self, level: Level, line: &str) {
        (self.log)(level, line);
    }

    /// Whether the server is going down.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Lets everything end that waits.
    pub fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stop.notify_waiters();
    }

    /// Waits until the server goes down.
    pub async fn stopped(&self) {
        let stop = self.stop.notified();
        tokio::pin!(stop);
        stop.as_mut().enable();
        if !self.is_stopping() {
            stop.await;
        }
    }

    /// Ends a session and unloads its models.
    ///
    /// # Errors
    /// `failed` if that cannot be written.
    pub fn end_session(&self, id: &str, ended: Ended) -> Result<()> {
        if self.sessions.end(id, ended)? {
            self.models.unload_session(id);
            self.forget_nameless(id)?;
        }
        Ok(())
    }

    /// What is due: sessions that fell silent, checkpoints that expired, results that were read, lines that
    /// are not on the disk yet.
    pub fn tidy(&self) {
        for id in self.sessions.silent(self.settings.session_timeout) {
            let detail = Some("no heartbeat came".to_owned());
            self.log(Level::Info, &format!("session {id} ends: no heartbeat came"));
            self.warn_of(self.end_session(&id, Ended { reason: "expired".into(), detail }));
        }
        for path in self.checkpoints.expired() {
            self.log(Level::Info, &format!("checkpoint {path} has expired"));
            self.warn_of(self.delete_checkpoint(&path));
        }
        self.futures.sweep();
        self.warn_of(self.usage.sync());
        self.inboxes.sweep();
    }

    /// Tells of what failed while nobody waits for it.
    pub fn warn_of<T>(&self, result: Result<T>) {
        if let Err(e) = result {
            self.log(Level::Warn, &e.to_string());
        }
    }
}
