//! Which samples have results: for clients that ask once for all samples of a sampling session, and not
//! for each. A client that was copied to another process has an inbox of its own.

use super::moment;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tinsmith_tinker_wire::messages::{Completion, FuturesRetrieved};
use tokio::sync::Notify;

/// How long it is told that a result is there. No result is kept longer.
const KEPT: Duration = Duration::from_secs(3600);

/// Numbers of the requests of a copy of a client: the first `CLONE` belong to the client itself.
pub const CLONE: i64 = 1_000_000_000;

struct News {
    number: u64,
    came: Instant,
    what: Completion,
}

/// What came of the samples of one client.
pub struct Inbox {
    /// The number of what came last, in any inbox.
    last: Arc<AtomicU64>,
    news: Mutex<VecDeque<News>>,
    changed: Notify,
}

impl Inbox {
    // A panic while the lock was held leaves plain data: it stays usable.
    fn lock(&self) -> MutexGuard<'_, VecDeque<News>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that there is a result.
    pub fn put(&self, request: &str, failed: bool) {
        let mut news = self.lock();
        // Under the lock: what comes later has a higher number, and is behind it.
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let what = Completion::new(request, failed);
        news.push_back(News { number, came: Instant::now(), what });
        drop(news);
        self.changed.notify_waiters();
    }

    /// What came after that number, which is forgotten; waits for something, but not longer than that.
    pub async fn after(&self, number: u64, timeout: Duration) -> FuturesRetrieved {
        let until = tokio::time::Instant::now() + timeout;
        loop {
            // Listens before it looks: nothing is missed in between.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let found = self.read(number);
            if !found.completions.is_empty() || timeout.is_zero() {
                return found;
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                return self.read(number);
            }
        }
    }

    fn read(&self, number: u64) -> FuturesRetrieved {
        let mut news = self.lock();
        while news.front().is_some_and(|first| first.number <= number) {
            news.pop_front();
        }
        let cursor = news.back().map_or(number, |last| last.number);
        FuturesRetrieved { completions: news.iter().map(|n| n.what.clone()).collect(), cursor }
    }
}

/// All inboxes: by the sampling session, and which copy of the client.
pub struct Inboxes {
    last: Arc<AtomicU64>,
    all: Mutex<HashMap<(String, i64), Arc<Inbox>>>,
}

impl Default for Inboxes {
    /// Numbers go on from those of an earlier server, which clients may remember: they begin with the
    /// time, in microseconds.
    fn default() -> Self {
        let first = u64::try_from(moment::epoch()).unwrap_or_default() * 1_000_000;
        Self { last: Arc::new(AtomicU64::new(first)), all: Mutex::default() }
    }
}

impl Inboxes {
    /// The one of a copy of a client, made if need be.
    pub fn of(&self, sampling: &str, clone: i64) -> Arc<Inbox> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let last = Arc::clone(&self.last);
            Arc::new(Inbox { last, news: Mutex::default(), changed: Notify::new() })
        };
        Arc::clone(all.entry((sampling.to_owned(), clone)).or_insert_with(made))
    }

    /// Forgets what nobody asked for in time, and inboxes that are empty and that nobody holds.
    pub fn sweep(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, inbox| {
            let mut news = inbox.lock();
            while news.front().is_some_and(|first| first.came.elapsed() > KEPT) {
                news.pop_front();
            }
            let used = !news.is_empty();
            drop(news);
            used || Arc::strong_count(inbox) > 1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_until_it_is_known() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let inboxes = Inboxes::default();
            let inbox = inboxes.of("s:sample:0", 0);
            let none = inbox.after(0, Duration::ZERO).await;
            assert_eq!((none.completions.len(), none.cursor), (0, 0));
            inbox.put("a", false);
            inboxes.of("s:sample:0", 1).put("another's", false);
            inbox.put("b", true);
            let both = inbox.after(0, Duration::from_secs(60)).await;
            assert_eq!(both.completions, [Completion::new("a", false), Completion::new("b", true)]);
            // The answer was lost: it is told again. Then it is known.
            assert_eq!(inbox.after(0, Duration::ZERO).await, both);
            let known = inbox.after(both.cursor, Duration::ZERO).await;
            assert_eq!((known.completions.len(), known.cursor), (0, both.cursor));
            let late = Arc::clone(&inbox);
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                late.put("c", false);
            });
            let last = inbox.after(both.cursor, Duration::from_secs(60)).await;
            assert_eq!(last.completions, [Completion::new("c", false)]);
            assert!(last.cursor > both.cursor);
            thread.join().unwrap();
            inbox.after(last.cursor, Duration::ZERO).await;
            drop(inbox);
            inboxes.sweep();
            assert_eq!(inboxes.all.lock().unwrap().len(), 1, "only what nobody has asked for");
        });
    }
}
