//! Results that come later: kept until they were read, and a while longer, because an answer can be
//! lost on its way and is then asked for again.

use super::inbox::Inbox;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tinsmith_plugin_api::{Error, ErrorKind, Samples};
use tinsmith_tinker_wire::{
    answer::{Category, Failure, told},
    output::Output,
    targets::Layout,
};
use tokio::sync::Notify;

/// How long a result that nobody reads is kept.
const UNREAD: Duration = Duration::from_secs(3600);
/// How long one is kept after it was first read.
const READ: Duration = Duration::from_secs(300);

/// What an operation came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A result that is JSON in every dialect.
    Json(serde_json::Value),
    /// Of a forward pass.
    Output(Output),
    /// Of sampling, and how the tokens lay that the request named.
    Samples(Samples, Option<Layout>),
    /// It failed.
    Failed(Failure),
}

/// The answer to an error: whose fault it was, and the hint, which clients have no place for.
#[must_use]
pub fn failed(error: &Error) -> Outcome {
    let category = match error.kind() {
        ErrorKind::REJECTED
        | ErrorKind::NOT_FOUND
        | ErrorKind::CONFIG
        | ErrorKind::DATA
        | ErrorKind::UNSUPPORTED => Category::User,
        _ => Category::Server,
    };
    Outcome::Failed(Failure { error: told(error), category })
}

#[derive(Default)]
struct State {
    outcome: Option<Arc<Outcome>>,
    finished: Option<Instant>,
    read: Option<Instant>,
}

/// One result.
#[derive(Default)]
pub struct Slot {
    state: Mutex<State>,
    changed: Notify,
    /// Where it is told that the result is there, besides those who wait for it here.
    inbox: Option<(Arc<Inbox>, String)>,
    called_off: AtomicBool,
}

impl Slot {
    // A panic while the lock was held leaves plain data: it stays usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the result there, unless there is one.
    pub fn finish(&self, outcome: Outcome) {
        let mut state = self.lock();
        if state.outcome.is_some() {
            return;
        }
        let failed = matches!(outcome, Outcome::Failed(_));
        state.outcome = Some(Arc::new(outcome));
        state.finished = Some(Instant::now());
        drop(state);
        self.changed.notify_waiters();
        if let Some((inbox, id)) = &self.inbox {
            inbox.put(id, failed);
        }
    }

    /// Says that nobody wants the result any more. Only a sample can be called off.
    pub fn call_off(&self) {
        self.called_off.store(true, Ordering::Relaxed);
        let why = Error::new(ErrorKind::CANCELLED, "the sample was called off by its client");
        self.finish(failed(&why));
    }

    /// Whether nobody wants the result any more.
    pub fn is_called_off(&self) -> bool {
        self.called_off.load(Ordering::Relaxed)
    }

    /// The result, if it is there, without reading it.
    pub fn peek(&self) -> Option<Arc<Outcome>> {
        self.lock().outcome.clone()
    }

    fn read(&self) -> Option<Arc<Outcome>> {
        let mut state = self.lock();
        let outcome = state.outcome.clone()?;
        state.read.get_or_insert_with(Instant::now);
        Some(outcome)
    }

    /// Waits for the result, but not longer than that.
    pub async fn wait(&self, timeout: Duration) -> Option<Arc<Outcome>> {
        let until = tokio::time::Instant::now() + timeout;
        loop {
            // Listens before it looks: nothing is missed in between.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(outcome) = self.read() {
                return Some(outcome);
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                return self.read();
            }
        }
    }

    fn is_stale(&self) -> bool {
        let state = self.lock();
        match (state.finished, state.read) {
            (_, Some(read)) => read.elapsed() > READ,
            (Some(finished), None) => finished.elapsed() > UNREAD,
            (None, None) => false,
        }
    }
}

/// All results, by the id of their request.
#[derive(Default)]
pub struct Futures(Mutex<HashMap<String, Arc<Slot>>>);

impl Futures {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a result, made if need be. True: it is new.
    pub fn slot(&self, id: &str) -> (Arc<Slot>, bool) {
        self.slot_told(id, None)
    }

    /// As [`Futures::slot`]; `inbox` is told when the result is there.
    pub fn slot_told(&self, id: &str, inbox: Option<Arc<Inbox>>) -> (Arc<Slot>, bool) {
        let mut all = self.lock();
        match all.get(id) {
            Some(slot) => (Arc::clone(slot), false),
            None => {
                let inbox = inbox.map(|inbox| (inbox, id.to_owned()));
                let slot = Arc::new(Slot { inbox, ..Slot::default() });
                all.insert(id.to_owned(), Arc::clone(&slot));
                (slot, true)
            }
        }
    }

    /// The place of a result.
    pub fn find(&self, id: &str) -> Option<Arc<Slot>> {
        self.lock().get(id).cloned()
    }

    /// Forgets a result that its client has.
    pub fn forget(&self, id: &str) {
        let mut all = self.lock();
        if all.get(id).is_some_and(|slot| slot.peek().is_some()) {
            all.remove(id);
        }
    }

    /// What there is of an owner's requests that a client may still ask for, by their numbers.
    pub fn of_owner(&self, owner: &str) -> Vec<(i64, Arc<Outcome>)> {
        let number = |id: &str| id.strip_prefix(owner)?.strip_prefix(':')?.parse().ok();
        let all = self.lock();
        let found = all.iter().filter(|(_, slot)| !slot.is_stale());
        found.filter_map(|(id, slot)| Some((number(id)?, slot.peek()?))).collect()
    }

    /// Forgets what was read or waited for long enough.
    pub fn sweep(&self) {
        self.lock().retain(|_, slot| !slot.is_stale());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_waited_for_and_can_be_read_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let futures = Futures::default();
            let (slot, new) = futures.slot("r");
            assert!(new && !futures.slot("r").1);
            assert!(slot.wait(Duration::from_millis(5)).await.is_none());
            let late = Arc::clone(&slot);
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                late.finish(Outcome::Json(serde_json::json!({"metrics": {}})));
            });
            for _ in 0..2 {
                let outcome = slot.wait(Duration::from_secs(60)).await.unwrap();
                assert!(matches!(&*outcome, Outcome::Json(_)));
            }
            thread.join().unwrap();
            slot.finish(failed(&Error::rejected("too late")));
            assert!(matches!(&*slot.peek().unwrap(), Outcome::Json(_)));
            futures.sweep();
            assert!(futures.find("r").is_some());
        });
    }
}
