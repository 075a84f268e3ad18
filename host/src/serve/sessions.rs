//! Sessions: what belongs together, and whether its client is alive.

use super::{disk::Disk, ids, models::ModelRecord};
use crate::{Result, runs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The model whose weights they are.
    #[serde(default)]
    pub model: Option<String>,
    /// What their files are called here.
    #[serde(default)]
    pub files: String,
    /// Whether they made room for newer ones.
    #[serde(default)]
    pub evicted: bool,
}

#[derive(Default)]
struct Live {
    /// Held while it is written to the disk, which others need not wait for.
    writing: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Session,
    /// When its client was last heard of; None: it never sent a heartbeat.
    beat: Option<Instant>,
}

impl Live {
    fn new(session: Session, beat: Option<Instant>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { session, beat }), ..Self::default() })
    }

    // A panic while the lock was held leaves plain data: it stays usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    all: Mutex<HashMap<String, Arc<Live>>>,
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
            (session.id.clone(), Live::new(session, beat))
        };
        let all = disk.read_all::<Session>(KIND)?.into_iter().map(live).collect();
        Ok(Self { disk: disk.clone(), all: Mutex::new(all) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Option<Arc<Live>> {
        self.lock().get(id).cloned()
    }

    fn everyone(&self) -> Vec<Arc<Live>> {
        self.lock().values().cloned().collect()
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
        self.lock().insert(id.clone(), Live::new(session, None));
        Ok(id)
    }

    /// Whether its client may go on.
    pub fn standing(&self, id: &str) -> Standing {
        match self.find(id) {
            None => Standing::Unknown,
            Some(live) if live.lock().session.ended.is_some() => Standing::Ended,
            Some(_) => Standing::Alive,
        }
    }

    /// Hears a heartbeat.
    ///
    /// # Errors
    /// `failed` if the first one cannot be written down.
    pub fn beat(&self, id: &str) -> Result<Standing> {
        let mut first = false;
        if let Some(live) = self.find(id) {
            let mut state = live.lock();
            if state.session.ended.is_none() {
                state.beat = Some(Instant::now());
                first = !state.session.beats;
            }
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

    /// Changes what is written of a session. Who reads it meanwhile sees what stands on the disk.
    ///
    /// # Errors
    /// `failed` if it cannot be written.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Session)) -> Result<()> {
        let Some(live) = self.find(id) else { return Ok(()) };
        let _alone = live.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = live.lock().session.clone();
        change(&mut changed);
        self.disk.write(KIND, id, &changed)?;
        live.lock().session = changed;
        Ok(())
    }

    /// Changes what need not outlive the server, and is written with the next change.
    pub fn touch(&self, id: &str, change: impl FnOnce(&mut Session)) {
        if let Some(live) = self.find(id) {
            change(&mut live.lock().session);
        }
    }

    /// A session.
    pub fn get(&self, id: &str) -> Option<Session> {
        self.read(id, Session::clone)
    }

    /// Something of a session.
    pub fn read<T>(&self, id: &str, part: impl FnOnce(&Session) -> T) -> Option<T> {
        let live = self.find(id)?;
        let state = live.lock();
        Some(part(&state.session))
    }

    /// A sampling session, and the session it belongs to.
    pub fn sampling(&self, id: &str) -> Option<(String, Sampling)> {
        let (owner, _) = id.split_once(":sample:")?;
        let find = |session: &Session| {
            session.samplings.iter().find(|sampling| sampling.id == id).cloned()
        };
        Some((owner.to_owned(), self.read(owner, find)??))
    }

    /// Every session, newest first.
    pub fn list(&self) -> Vec<Session> {
        let all = self.everyone();
        let mut sessions: Vec<Session> =
            all.iter().map(|live| live.lock().session.clone()).collect();
        sessions.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        sessions
    }

    /// Sessions whose clients fell silent for that long after they had been heard of.
    pub fn silent(&self, timeout: Duration) -> Vec<String> {
        let silent = |live: Arc<Live>| {
            let state = live.lock();
            let silent = state.beat.is_some_and(|beat| beat.elapsed() > timeout);
            (silent && state.session.ended.is_none()).then(|| state.session.id.clone())
        };
        self.everyone().into_iter().filter_map(silent).collect()
    }
}
