//! Promise and ticket: how a trainer answers an operation, now or later.

use crate::{Error, ErrorKind, Result};
use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The receiving end behind a [`Done`]. Hosts implement it through [`ticket`]; the adapters
/// implement it to carry an answer across the boundary.
pub trait DoneSink<T>: Send {
    /// The answer. Called once at most.
    fn finish(&mut self, result: Result<T>);
    /// Tokens sampled since the last call, for streaming.
    fn partial(&mut self, tokens: &[i32]) {
        let _ = tokens;
    }
    /// Why the answer takes long: queued, paused. Shown to the user.
    fn waiting(&mut self, reason: &str) {
        let _ = reason;
    }
    /// Whether nobody wants the answer any more. Only samples are ever cancelled.
    fn cancelled(&self) -> bool {
        false
    }
}

/// The trainer's side of an operation: finish it exactly once.
///
/// Dropped unfinished, also by a panic on a plugin's own thread, it answers
/// [`ErrorKind::LOST`]: a host that waits cannot hang.
pub struct Done<T>(Option<Box<dyn DoneSink<T>>>);

impl<T> fmt::Debug for Done<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Done")
    }
}

impl<T> Done<T> {
    /// A promise that answers into `sink`.
    #[must_use]
    pub fn new(sink: Box<dyn DoneSink<T>>) -> Self {
        Self(Some(sink))
    }

    /// Answers the operation.
    pub fn finish(mut self, result: Result<T>) {
        if let Some(mut sink) = self.0.take() {
            sink.finish(result);
        }
    }

    /// Streams tokens before the answer.
    pub fn partial(&mut self, tokens: &[i32]) {
        if let Some(sink) = &mut self.0 {
            sink.partial(tokens);
        }
    }

    /// Says why the answer takes long.
    pub fn waiting(&mut self, reason: &str) {
        if let Some(sink) = &mut self.0 {
            sink.waiting(reason);
        }
    }

    /// Whether nobody wants the answer any more.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|sink| sink.cancelled())
    }
}

impl<T> Drop for Done<T> {
    fn drop(&mut self) {
        if let Some(mut sink) = self.0.take() {
            sink.finish(Err(Error::new(
                ErrorKind::LOST,
                "the trainer dropped the operation without an answer",
            )));
        }
    }
}

/// What a [`Ticket`] knows at a moment.
#[derive(Debug)]
pub enum TicketState<T> {
    /// Answered.
    Ready(Result<T>),
    /// Not yet; the reason, where the trainer gave one.
    Waiting(Option<String>),
}

struct Slot<T> {
    answer: Option<Result<T>>,
    partial: Vec<i32>,
    waiting: Option<String>,
    /// Whether the reason has come since the last poll.
    news: bool,
    cancelled: bool,
}

struct Shared<T> {
    slot: Mutex<Slot<T>>,
    changed: Condvar,
}

impl<T> Shared<T> {
    // A panic while the lock was held leaves plain data: it stays usable.
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host's side of an operation.
pub struct Ticket<T>(Arc<Shared<T>>);

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

struct TicketSink<T>(Arc<Shared<T>>);

impl<T: Send> DoneSink<T> for TicketSink<T> {
    fn finish(&mut self, result: Result<T>) {
        self.0.lock().answer = Some(result);
        self.0.changed.notify_all();
    }

    fn partial(&mut self, tokens: &[i32]) {
        self.0.lock().partial.extend_from_slice(tokens);
        self.0.changed.notify_all();
    }

    fn waiting(&mut self, reason: &str) {
        let mut slot = self.0.lock();
        slot.waiting = Some(reason.to_owned());
        slot.news = true;
        drop(slot);
        self.0.changed.notify_all();
    }

    fn cancelled(&self) -> bool {
        self.0.lock().cancelled
    }
}

/// A promise and the ticket that waits for it.
#[must_use]
pub fn ticket<T: Send + 'static>() -> (Done<T>, Ticket<T>) {
    let slot =
        Slot { answer: None, partial: Vec::new(), waiting: None, news: false, cancelled: false };
    let shared = Arc::new(Shared { slot: Mutex::new(slot), changed: Condvar::new() });
    (Done::new(Box::new(TicketSink(Arc::clone(&shared)))), Ticket(shared))
}

impl<T> Ticket<T> {
    /// Waits until the answer comes.
    ///
    /// # Errors
    /// Whatever the trainer answered.
    pub fn wait(self) -> Result<T> {
        let mut slot = self.0.lock();
        loop {
            if let Some(answer) = slot.answer.take() {
                return answer;
            }
            slot = self.0.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits at most `timeout`, or until a partial result or a new reason comes.
    #[must_use]
    pub fn poll(&self, timeout: Duration) -> TicketState<T> {
        // None: later than the clock can tell.
        let until = Instant::now().checked_add(timeout);
        let mut slot = self.0.lock();
        loop {
            if let Some(answer) = slot.answer.take() {
                return TicketState::Ready(answer);
            }
            let left =
                until.map_or(timeout, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() || slot.news || !slot.partial.is_empty() {
                slot.news = false;
                return TicketState::Waiting(slot.waiting.clone());
            }
            let woken = self.0.changed.wait_timeout(slot, left);
            slot = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes the tokens that were streamed since the last call.
    #[must_use]
    pub fn take_partial(&self) -> Vec<i32> {
        std::mem::take(&mut self.0.lock().partial)
    }

    /// Says that nobody wants the answer any more (samples only).
    pub fn cancel(&self) {
        self.0.lock().cancelled = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_promise_is_lost_not_a_hang() {
        let (done, ticket) = ticket::<u32>();
        let thread = std::thread::spawn(move || {
            let _done = done;
            panic!("a plugin's own thread dies");
        });
        assert_eq!(ticket.wait().unwrap_err().kind(), ErrorKind::LOST);
        assert!(thread.join().is_err());
    }

    #[test]
    fn partial_tokens_wake_the_waiter() {
        let (mut done, ticket) = ticket::<u32>();
        done.partial(&[1, 2]);
        assert!(matches!(ticket.poll(Duration::from_secs(5)), TicketState::Waiting(None)));
        assert_eq!(ticket.take_partial(), [1, 2]);
        done.finish(Ok(7));
        assert!(matches!(ticket.poll(Duration::ZERO), TicketState::Ready(Ok(7))));
    }

    #[test]
    fn a_reason_wakes_the_waiter_once() {
        let (mut done, ticket) = ticket::<u32>();
        done.waiting("queued");
        // Without an end to wait for, it would hang if the reason did not wake it.
        let state = ticket.poll(Duration::MAX);
        assert!(matches!(state, TicketState::Waiting(Some(reason)) if reason == "queued"));
        let begun = Instant::now();
        let state = ticket.poll(Duration::from_millis(20));
        assert!(matches!(state, TicketState::Waiting(Some(_))), "the reason is still told");
        assert!(begun.elapsed() >= Duration::from_millis(20), "but it is no news");
    }
}
