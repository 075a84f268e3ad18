//! `tinsmith checkpoints`: what a run has saved, as its trainer keeps it now.

use super::{
    Style, Ui,
    args::{
        CheckpointArgs, CheckpointsCommand, CheckpointsDeleteArgs, CheckpointsListArgs,
        CheckpointsPublishArgs, CheckpointsTtlArgs, Format,
    },
    download::choose_checkpoint,
    tooling::{tools_of_run, typed},
};
use crate::{
    Error, Result,
    runs::{CheckpointEntry, CheckpointKind, Lock, RunFolder, RunRecord},
    text::{grouped, plural},
    training::Stop,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tinsmith_plugin_api::{Checkpoint, RunId, TrainerHandle};

/// Runs the command.
pub fn run(command: &CheckpointsCommand, ui: &Ui) -> Result<()> {
    match command {
        CheckpointsCommand::List(args) => list(args, ui),
        CheckpointsCommand::Ttl(args) => ttl(args, ui),
        CheckpointsCommand::Publish(args) => publish(args, ui),
        CheckpointsCommand::Unpublish(args) => unpublish(args, ui),
        CheckpointsCommand::Delete(args) => delete(args, ui),
    }
}

/// The trainer of a run, with the run's storage.
fn trainer(folder: &RunFolder, record: &RunRecord, ui: &Ui) -> Result<Arc<dyn TrainerHandle>> {
    Ok(tools_of_run(folder, record, &[], ui, &Stop::default())?.1)
}

fn list(args: &CheckpointsListArgs, ui: &Ui) -> Result<()> {
    let folder = RunFolder::find(&args.output.dir(None), &args.run)?;
    let record = RunRecord::read(&folder.record())?;
    let trainer = trainer(&folder, &record, ui)?;
    let runs: BTreeSet<&String> =
        record.attempts.iter().filter_map(|attempt| attempt.trainer_run.as_ref()).collect();
    let mut kept: BTreeMap<String, Checkpoint> = BTreeMap::new();
    for run in runs {
        let found = trainer.checkpoints(Some(&RunId(run.clone())))?;
        kept.extend(found.into_iter().map(|c| (c.uri.clone(), c)));
    }
    let rows: Vec<Row<'_>> = record
        .checkpoints
        .iter()
        .map(|entry| Row { entry, kept: kept.remove(&entry.uri) })
        .collect();
    // Saved, and no part of the run: a process died before it was recorded, or something else saved it.
    let others: Vec<&Checkpoint> = kept.values().collect();
    if args.format.format == Format::Json {
        for row in &rows {
            ui.json_line(&row.json())?;
        }
        for other in others {
            ui.json_line(&json!({
                "name": other.name, "uri": other.uri, "state": "unrecorded",
                "bytes": other.bytes, "created": other.created, "expires": other.expires,
                "public": other.public,
            }))?;
        }
        return Ok(());
    }
    let head = format!(
        "{:<12}{:>8}  {:<14}{:>12}  {:<21}expires",
        "name", "step", "state", "bytes", "created"
    );
    ui.data(ui.paint(Style::Bold, head))?;
    for row in &rows {
        ui.data(row.line())?;
    }
    for other in others {
        let bytes = other.bytes.map_or_else(String::new, grouped);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        ui.data(format!(
            "{:<12}{:>8}  {:<14}{bytes:>12}  {:<21}{}",
            other.name,
            "",
            state("unrecorded", other.public),
            text(&other.created),
            text(&other.expires)
        ))?;
    }
    Ok(())
}

/// What a table says of a checkpoint.
fn state(kept: &str, public: Option<bool>) -> String {
    let public = if public == Some(true) { ", public" } else { "" };
    format!("{kept}{public}")
}

/// A checkpoint as it is recorded, and as the trainer has it.
struct Row<'a> {
    entry: &'a CheckpointEntry,
    kept: Option<Checkpoint>,
}

impl Row<'_> {
    fn state(&self) -> &'static str {
        match (&self.kept, self.entry.deleted) {
            (_, true) => "deleted",
            (Some(_), _) => "kept",
            (None, _) => "gone",
        }
    }

    fn bytes(&self) -> Option<u64> {
        self.kept.as_ref().and_then(|kept| kept.bytes).or(self.entry.bytes)
    }

    fn expires(&self) -> Option<&str> {
        self.kept.as_ref()?.expires.as_deref()
    }

    fn public(&self) -> Option<bool> {
        self.kept.as_ref()?.public
    }

    fn json(&self) -> serde_json::Value {
        let entry = self.entry;
        json!({
            "name": entry.name, "step": entry.step, "kind": entry.kind, "uri": entry.uri,
            "state": self.state(), "bytes": self.bytes(), "created": entry.created,
            "expires": self.expires(), "public": self.public(),
        })
    }

    fn line(&self) -> String {
        let entry = self.entry;
        let second = entry.created.get(..19).unwrap_or(&entry.created);
        format!(
            "{:<12}{:>8}  {:<14}{:>12}  {second:<21}{}",
            entry.name,
            grouped(entry.step),
            state(self.state(), self.public()),
            self.bytes().map_or_else(String::new, grouped),
            self.expires().unwrap_or(if self.kept.is_some() { "never" } else { "" })
        )
    }
}

fn ttl(args: &CheckpointsTtlArgs, ui: &Ui) -> Result<()> {
    let folder = RunFolder::find(&args.output.dir(None), &args.run)?;
    let record = RunRecord::read(&folder.record())?;
    let entry = choose_checkpoint(&folder, &record, Some(&args.name))?;
    let trainer = trainer(&folder, &record, ui)?;
    let seconds = args.seconds.filter(|_| !args.never);
    trainer
        .set_ttl(&entry.uri, seconds)
        .map_err(|e| Error::from(e).context(format!("checkpoint `{}`", entry.name)))?;
    let when = match seconds {
        Some(seconds) => format!("expires in {}", plural(seconds, "second")),
        None => "never expires".to_owned(),
    };
    ui.info(format_args!("checkpoint {} {when}", entry.name));
    Ok(())
}

fn publish(args: &CheckpointsPublishArgs, ui: &Ui) -> Result<()> {
    let CheckpointArgs { run, name, output } = &args.checkpoint;
    let folder = RunFolder::find(&output.dir(None), run)?;
    let record = RunRecord::read(&folder.record())?;
    let entry = choose_checkpoint(&folder, &record, Some(name))?;
    if !args.yes {
        return Err(Error::usage(format!("this lets everybody read the weights of `{name}`"))
            .hint("say `--yes` if that is what you want"));
    }
    trainer(&folder, &record, ui)?
        .publish(&entry.uri, true)
        .map_err(|e| Error::from(e).context(format!("publish checkpoint `{name}`")))?;
    ui.info(format_args!("everybody may read checkpoint {name}: {}", entry.uri));
    Ok(())
}

fn unpublish(args: &CheckpointArgs, ui: &Ui) -> Result<()> {
    let CheckpointArgs { run, name, output } = args;
    let folder = RunFolder::find(&output.dir(None), run)?;
    let record = RunRecord::read(&folder.record())?;
    let entry = choose_checkpoint(&folder, &record, Some(name))?;
    trainer(&folder, &record, ui)?
        .publish(&entry.uri, false)
        .map_err(|e| Error::from(e).context(format!("unpublish checkpoint `{name}`")))?;
    ui.info(format_args!("nobody else may read checkpoint {name} any more"));
    Ok(())
}

fn delete(args: &CheckpointsDeleteArgs, ui: &Ui) -> Result<()> {
    let folder = RunFolder::find(&args.output.dir(None), &args.run)?;
    let record = RunRecord::read(&folder.record())?;
    let _lock = Lock::take(&folder.lock(), folder.id(), &typed(&folder, &record))?;
    let mut record = RunRecord::read(&folder.record())?;
    let names: BTreeSet<&String> = args.names.iter().collect();
    for name in &names {
        choose_checkpoint(&folder, &record, Some(name))?;
    }
    let live = record.live_checkpoints().count();
    let last = live == names.len();
    let finals = record
        .live_checkpoints()
        .any(|c| c.kind == CheckpointKind::Final && names.contains(&c.name));
    if (last || finals) && !args.yes {
        let what = if finals {
            "the run's result"
        } else {
            "the last checkpoint: the run could not go on"
        };
        return Err(Error::usage(format!("this deletes {what}"))
            .hint("say `--yes` if that is what you want"));
    }
    let trainer = trainer(&folder, &record, ui)?;
    for name in names {
        let entry = choose_checkpoint(&folder, &record, Some(name))?;
        let uri = entry.uri.clone();
        trainer
            .delete(&uri)
            .map_err(|e| Error::from(e).context(format!("delete checkpoint `{name}`")))?;
        // Recorded one by one: what is gone is not offered again, whatever happens to the next.
        for entry in record.checkpoints.iter_mut().filter(|entry| entry.uri == uri) {
            entry.deleted = true;
        }
        record.write(&folder.record())?;
        ui.info(format_args!("checkpoint {name} is deleted"));
    }
    Ok(())
}
