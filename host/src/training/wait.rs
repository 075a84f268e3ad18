//! Waits for a trainer's answer, and tells why it takes long.

use super::Watch;
use std::time::Duration;
use tinsmith_plugin_api::{Result, Ticket, TicketState};

/// Waits until the answer comes. A training operation is never cancelled, and a trainer that dies
/// answers `lost`: this ends.
///
/// # Errors
/// Whatever the trainer answered.
pub fn wait<T>(ticket: &Ticket<T>, watch: &dyn Watch) -> Result<T> {
    let mut told: Option<String> = None;
    loop {
        match ticket.poll(Duration::from_millis(250)) {
            TicketState::Ready(answer) => return answer,
            TicketState::Waiting(reason) => {
                // Nobody reads along here, and while there are tokens to take no poll waits.
                let _ = ticket.take_partial();
                if let Some(reason) = reason.filter(|reason| told.as_ref() != Some(reason)) {
                    watch.waiting(&reason);
                    told = Some(reason);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{Silent, StepDone};
    use std::sync::Mutex;
    use tinsmith_plugin_api::{Done, ticket};

    /// Answers when it is told a reason.
    struct Answering(Mutex<Option<Done<u32>>>);

    impl Watch for Answering {
        fn step(&self, done: &StepDone) {
            Silent.step(done);
        }

        fn evaluated(&self, step: u64, nll: f64) {
            Silent.evaluated(step, nll);
        }

        fn checkpoint(&self, name: &str) {
            Silent.checkpoint(name);
        }

        fn waiting(&self, _: &str) {
            self.0.lock().unwrap().take().unwrap().finish(Ok(7));
        }

        fn warn(&self, line: &str) {
            Silent.warn(line);
        }
    }

    /// Tokens that nobody takes would end every poll at once: it would spin until the answer comes.
    #[test]
    fn streamed_tokens_are_taken_while_it_waits() {
        let (mut done, ticket) = ticket();
        done.partial(&[1, 2]);
        done.waiting("queued");
        assert_eq!(wait(&ticket, &Answering(Mutex::new(Some(done)))), Ok(7));
        assert_eq!(ticket.take_partial(), Vec::<i32>::new());
    }
}
