//! Sessions: what belongs together, and whether its client is alive.

use super::{disk::Disk, ids, models::ModelRecord};
use crate::{Result, runs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tinsmith_tinker_wire::messages::CreateSession;

const KIND: &str = "sessions";

/// A session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// When it began, RFC 3339.
    pub created: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What the client wanted to find there again.
    #[serde(default)]
    pub user_metadata: Option<Map<String, Value>>,
    /// Its name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The project it belongs to.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Whether its client ever sent a heartbeat.
    #[serde(default)]
    pub beats: bool,
    /// Why it ended.
    #[serde(default)]
    pub ended: Option<Ended>,
    /// Its models, also those that were unloaded.
    #[serde(default)]
    pub models: Vec<ModelRecord>,
    /// Its sampling sessions.
    #[serde(default)]
    pub samplings: Vec<Sampling>,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// `success`, `errored`, `interrupted`; `expired`: its client fell silent.
    pub reason: String,
    /// The same for people.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A sampling session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Its id.
    pub id: String,
    /// The base model.
    pub base: String,
    /// The checkpoint that the client named.
    #[serde(default)]
    pub path: Option<String>,
    /// Weights that have no path: what the trainer calls them.
    #[serde(default)]
    pub uri: Option<String>,
    /// Whether it samples weights without a path.
    #[serde(default)]
    pub ephemeral: bool,
    /// Whether those outlive the server. If not, the trainer may call others so later.
    #[serde(default)]
    pub durable: bool,
}

struct Live {
    session: Session,
    /// When its client was last heard of; None: it never sent a heartbeat.
    beat: Option<Instant>,
}

/// What is known of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its client may go on.
    Alive,
    /// It has ended.
    Ended,
    /// There is none of that id.
    Unknown,
}

/// All sessions.
pub struct Sessions {
    disk: Disk,
    all: Mutex<HashMap<String, Live>>,
}

impl Sessions {
    /// Those that an earlier server left. A live one has its full time to be heard of again.
    ///
    /// # Errors
    /// `failed` that names a file that cannot be read.
    pub fn open(disk: &Disk) -> Result<Self> {
        let now = Instant::now();
        let live = |mut session: Session| {
            for sampling in session.samplings.iter_mut().filter(|sampling| !sampling.durable) {
                sampling.uri = None;
            }
            let beat = session.beats.then_some(now);
            (session.id.clone(), Live { session, beat })
        };
        let all = disk.read_all::<Session>(KIND)?.into_iter().map(live).collect();
        Ok(Self { disk: disk.clone(), all: Mutex::new(all) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn begin(&self, asked: CreateSession) -> Result<String> {
        let session = Session {
            id: ids::random()?,
            created: runs::now(),
            tags: asked.tags,
            user_metadata: asked.user_metadata,
            display_name: asked.display_name,
            project_id: asked.project_id,
            ..Session::default()
        };
        self.disk.write(KIND, &session.id, &session)?;
        let id = session.id.clone();
        self.lock().insert(id.clone(), Live { session, beat: None });
        Ok(id)
    }

    /// Whether its client may go on.
    pub fn standing(&self, id: &str) -> Standing {
        match self.lock().get(id) {
            None => Standing::Unknown,
            Some(live) if live.session.ended.is_some() => Standing::Ended,
            Some(_) => Standing::Alive,
        }
    }

    /// Hears a heartbeat.
    ///
    /// # Errors
    /// `failed` if the first one cannot be written down.
    pub fn beat(&self, id: &str) -> Result<Standing> {
        let mut first = false;
        if let Some(live) = self.lock().get_mut(id).filter(|live| live.session.ended.is_none()) {
            live.beat = Some(Instant::now());
            first = !live.session.beats;
        }
        if first {
            self.change(id, |session| session.beats = true)?;
        }
        Ok(self.standing(id))
    }

    /// Ends a session. The first reason stays. True: it was alive.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn end(&self, id: &str, ended: Ended) -> Result<bool> {
        let mut was_alive = false;
        self.change(id, |session| {
            was_alive = session.ended.is_none();
            session.ended.get_or_insert(ended);
        })?;
        Ok(was_alive)
    }

    /// Changes what is written of a session.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Session)) -> Result<()> {
        let mut all = self.lock();
        if let Some(live) = all.get_mut(id) {
            let mut changed = live.session.clone();
            change(&mut changed);
            self.disk.write(KIND, id, &changed)?;
            live.session = changed;
        }
        Ok(())
    }

    /// A session.
    pub fn get(&self, id: &str) -> Option<Session> {
        self.lock().get(id).map(|live| live.session.clone())
    }

    /// A sampling session, and the session it belongs to.
    pub fn sampling(&self, id: &str) -> Option<(String, Sampling)> {
        let (owner, _) = id.split_once(":sample:")?;
        let all = self.lock();
        let session = &all.get(owner)?.session;
        let found = session.samplings.iter().find(|sampling| sampling.id == id)?;
        Some((owner.to_owned(), found.clone()))
    }

    /// Every session, newest first.
    pub fn list(&self) -> Vec<Session> {
        let all = self.lock();
        let mut sessions: Vec<Session> = all.values().map(|live| live.session.clone()).collect();
        sessions.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        sessions
    }

    /// Sessions whose clients fell silent for that long after they had been heard of.
    pub fn silent(&self, timeout: Duration) -> Vec<String> {
        let all = self.lock();
        let silent = all.iter().filter(|(_, live)| {
            live.session.ended.is_none() && live.beat.is_some_and(|beat| beat.elapsed() > timeout)
        });
        silent.map(|(id, _)| id.clone()).collect()
    }
}
