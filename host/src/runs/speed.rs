//! How fast earlier runs were, for the estimate of a new one.

use super::{RunFolder, RunRecord};
use crate::plan::Speed;
use std::path::Path;

/// Records that are read, at most, newest first.
const NEWEST: usize = 100;

/// The speed of the newest run below `output` of the same trainer and base model: tokens of all steps
/// that it computed over its whole time in training, evaluation and checkpoints included. None where
/// no such run got anywhere; a record that cannot be read tells nothing.
#[must_use]
pub fn measured_speed(output: &Path, trainer: &str, base_model: &str) -> Option<Speed> {
    let folders = RunFolder::all(output).ok()?;
    folders.iter().rev().take(NEWEST).find_map(|folder| {
        let record = RunRecord::read(&folder.record()).ok()?;
        let same = record.trainer == trainer && record.base_model == base_model;
        let progress = &record.progress;
        let tokens = progress.computed_tokens.max(progress.tokens);
        (same && tokens > 0 && progress.seconds > 0.0).then(|| Speed {
            tokens_per_second: tokens as f64 / progress.seconds,
            from: format!("as run {}", folder.id()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::{Progress, SCHEMA};

    #[test]
    fn the_newest_run_of_the_same_model_and_trainer_tells() {
        let dir = tempfile::tempdir().unwrap();
        let write = |id: &str, base: &str, tokens: u64| {
            let record = RunRecord {
                schema: SCHEMA,
                id: id.into(),
                trainer: "local".into(),
                base_model: base.into(),
                progress: Progress { computed_tokens: tokens, seconds: 4.0, ..Progress::default() },
                ..RunRecord::default()
            };
            std::fs::create_dir_all(dir.path().join("runs")).unwrap();
            record.write(&dir.path().join(format!("runs/{id}.json"))).unwrap();
        };
        assert_eq!(measured_speed(dir.path(), "local", "/a"), None);
        write("20260101-000000-aaaa", "/a", 100);
        write("20260102-000000-aaaa", "/a", 800);
        // Later ones tell nothing: of another model, and one that did not get anywhere.
        write("20260103-000000-aaaa", "/b", 9000);
        write("20260104-000000-aaaa", "/a", 0);
        let speed = measured_speed(dir.path(), "local", "/a").unwrap();
        assert_eq!(speed.tokens_per_second.to_bits(), 200.0_f64.to_bits());
        assert_eq!(speed.from, "as run 20260102-000000-aaaa");
        assert_eq!(measured_speed(dir.path(), "tinker", "/a"), None);
    }
}
