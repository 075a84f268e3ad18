/*!
Where a run goes on: never at a live session, always from the last checkpoint that counts.

What came after that checkpoint is discarded and computed again, so that the lineage of the final
adapter has each planned step exactly once.
*/

use super::{Start, Watch};
use crate::{
    Error, Result,
    runs::{Fingerprints, Measured, MetricsLine, Progress, RunFolder, RunRecord, read},
};
use serde_json::Value;
use std::collections::BTreeSet;
use tinsmith_plugin_api::{AdapterSpec, OpenRun, TrainerHandle};

/// Sections of the config that decide the result. The others may change between the parts of a
/// run.
const DECISIVE: [&str; 9] = [
    "model",
    "lora",
    "renderer",
    "datasets",
    "data",
    "training",
    "optimizer",
    "schedule",
    "trainer",
];

/// Keys of those sections that do not.
const HARMLESS: [&str; 1] = ["training.submit_ahead"];

/// Puts a record back to its last good checkpoint and says what to open: the newest recorded
/// checkpoint that still exists, else the base with the recorded seed. Checkpoints of this run that
/// no record counts are deleted.
///
/// # Errors
/// `failed` if the trainer cannot list its checkpoints.
pub fn rewind(
    record: &mut RunRecord,
    trainer: &dyn TrainerHandle,
    adapter: AdapterSpec,
    watch: &dyn Watch,
) -> Result<Start> {
    let listed = trainer.checkpoints(None)?;
    let exists: BTreeSet<&str> = listed.iter().map(|c| c.uri.as_str()).collect();
    for entry in record.checkpoints.iter_mut().filter(|c| !c.deleted) {
        entry.deleted = !exists.contains(entry.uri.as_str());
    }
    let counted: BTreeSet<String> = record.live_checkpoints().map(|c| c.uri.clone()).collect();
    let ours: BTreeSet<&str> =
        record.attempts.iter().filter_map(|a| a.trainer_run.as_deref()).collect();
    for orphan in listed.iter().filter(|c| ours.contains(c.run.0.as_str())) {
        if !counted.contains(&orphan.uri)
            && let Err(e) = trainer.delete(&orphan.uri)
        {
            watch.warn(&format!("checkpoint `{}` is not deleted: {e}", orphan.name));
        }
    }
    record.planned_saves.clear();
    let last = record.live_checkpoints().max_by_key(|c| c.step).cloned();
    let progress = &mut record.progress;
    let (step, tokens, trained) =
        last.as_ref().map_or((0, 0, 0), |c| (c.step, c.tokens, c.trained_tokens));
    (progress.step, progress.next_batch) = (step, step);
    (progress.tokens, progress.trained_tokens) = (tokens, trained);
    let from = match &last {
        Some(c) => OpenRun::Saved { uri: c.uri.clone(), optimizer: true },
        None => OpenRun::Base { model: record.base_model.clone(), adapter },
    };
    Ok(Start { from, checkpoint: last.map(|c| c.name), step })
}

/// What earlier attempts computed, whether or not it counts, from the journal: a process that was
/// killed may not have brought it into the record.
///
/// # Errors
/// `failed` if the journal is damaged.
pub fn count_computed(folder: &RunFolder, progress: &mut Progress) -> Result<u64> {
    let mut known = BTreeSet::new();
    let (mut repeated, mut tokens) = ((0, 0), 0);
    for line in read::<MetricsLine>(&folder.metrics())? {
        if line.kind != Measured::Step {
            continue;
        }
        let of_step = line.figures.get("tokens").copied().unwrap_or(0.0) as u64;
        tokens += of_step;
        if !known.insert(line.step) {
            repeated = (repeated.0 + 1, repeated.1 + of_step);
        }
    }
    progress.repeated_steps = progress.repeated_steps.max(repeated.0);
    progress.repeated_tokens = progress.repeated_tokens.max(repeated.1);
    progress.computed_tokens = progress.computed_tokens.max(tokens);
    Ok(known.last().copied().unwrap_or(0).max(progress.step))
}

/// Refuses to go on where something has changed that decides the result.
///
/// # Errors
/// `usage` that names what changed.
pub fn check_unchanged(was: &Fingerprints, now: &Fingerprints) -> Result<()> {
    refuse(&was.differences(now))
}

/// Keys of a config's decisive sections that differ from the recorded ones.
#[must_use]
pub fn changes(was: &Value, now: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    for section in DECISIVE {
        differing(section, &was[section], &now[section], &mut keys);
    }
    keys.retain(|key| !HARMLESS.contains(&key.as_str()));
    keys
}

/// Refuses a config whose decisive sections differ from the recorded one.
///
/// # Errors
/// `usage` that names the keys.
pub fn check_config(was: &Value, now: &Value) -> Result<()> {
    refuse(&changes(was, now))
}

fn differing(path: &str, was: &Value, now: &Value, keys: &mut Vec<String>) {
    match (was, now) {
        (Value::Object(was), Value::Object(now)) => {
            let names: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
            for name in names {
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(name).cloned().unwrap_or(Value::Null)
                };
                differing(&format!("{path}.{name}"), &value(was), &value(now), keys);
            }
        }
        _ if was != now => keys.push(path.to_owned()),
        _ => {}
    }
}

fn refuse(changed: &[String]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = changed.iter().map(|name| format!("`{name}`")).collect();
    Err(Error::usage(format!("changed since the run began: {}", names.join(", ")))
        .hint("undo the change, start a new run, or go on anyway with `--accept-changes`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decisive_changes_are_named_and_harmless_ones_pass() {
        let was = json!({"optimizer": {"learning_rate": 1e-4, "beta1": 0.9},
            "training": {"submit_ahead": 1}, "limits": {"max_hours": 1.0}});
        let mut now = was.clone();
        now["limits"]["max_hours"] = json!(2.0);
        now["training"]["submit_ahead"] = json!(0);
        check_config(&was, &now).unwrap();
        now["optimizer"]["learning_rate"] = json!(2e-4);
        let e = check_config(&was, &now).unwrap_err();
        assert!(e.message.ends_with("`optimizer.learning_rate`"), "{e}");
    }
}
