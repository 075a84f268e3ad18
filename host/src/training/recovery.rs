//! Begins again by itself where an answer was lost on the way.

use super::{Ended, Recorder, Session, Start, failure, rewind, train};
use crate::{Error, Result};
use serde_json::json;
use std::time::{Duration, Instant};
use tinsmith_plugin_api::ErrorKind;

/// New beginnings without a checkpoint of progress between them.
const TRIES: u32 = 3;

/// As [`train`]; after a lost answer or a failure of the network, a new attempt begins from the
/// last good checkpoint, at most three times in a row.
///
/// # Errors
/// As [`train`].
pub fn train_with_recovery(
    session: &Session<'_>,
    recorder: &mut Recorder,
    mut start: Start,
) -> Result<Ended> {
    let mut tries = 0;
    loop {
        let began = start.step;
        let e = match train(session, recorder, start) {
            Ok(ended) => return Ok(ended),
            Err(e) => e,
        };
        let live = recorder.record.live_checkpoints().map(|c| c.step).max().unwrap_or(0);
        tries = if live > began { 1 } else { tries + 1 };
        if !transient(&e) || tries > TRIES || session.stop.asked() {
            return Err(e);
        }
        session.watch.warn(&format!("{e}; beginning again from the last checkpoint"));
        recorder.event("lost", &json!({"error": failure(&e)}))?;
        pause(session, session.retry_after * (1 << (tries - 1)));
        start = recorder.begin_again(|record| {
            rewind(record, session.trainer, session.adapter.clone(), session.watch)
        })?;
    }
}

fn transient(e: &Error) -> bool {
    matches!(e.plugin_kind, Some(ErrorKind::NETWORK | ErrorKind::LOST))
}

fn pause(session: &Session<'_>, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until && !session.stop.asked() {
        std::thread::sleep(Duration::from_millis(50));
    }
}
