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
                if let Some(reason) = reason.filter(|reason| told.as_ref() != Some(reason)) {
                    watch.waiting(&reason);
                    told = Some(reason);
                }
            }
        }
    }
}
