//! Where a run starts: anew from a config, or on from its record.

use super::{Job, forget_examples, go, results, view};
use crate::{
    Error, Kind, Result,
    cli::{Ui, args::TrainArgs, tooling::typed},
    config,
    runs::{self, Lock, Machine, Preparing, RunFolder, RunRecord, SCHEMA, Status},
    training::{Stop, changes, check_config, check_unchanged, count_computed, keep_date},
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A new run.
pub fn begin(args: &TrainArgs, ui: &Ui, stop: &Stop) -> Result<()> {
    let path = args.config.clone().or_else(crate::env::config).ok_or_else(|| {
        Error::usage("which config?")
            .hint("`tinsmith train CONFIG`; `tinsmith config init run.yaml` writes a first one")
    })?;
    let loaded = config::load(&path, &args.set.set)?;
    let output = args.output.dir(Some(&loaded));
    let preparing = preparing(args, &output)?;
    let job = Job::new(loaded, preparing.as_ref(), None, ui, stop)?;
    view::plan(ui, &job, args.format.format, &output, args.dry_run)?;
    if args.dry_run {
        return Ok(());
    }
    if stop.asked() {
        return Err(Error::new(Kind::Interrupted, "interrupted before the run began"));
    }
    let folder = RunFolder::create(&output)?;
    let _lock = Lock::take(&folder.lock(), folder.id(), folder.id())?;
    let loaded = &job.tools.loaded;
    let base_dir = std::path::absolute(&loaded.base_dir)
        .map_err(|e| Error::io("read", &loaded.base_dir, &e))?;
    let record = RunRecord {
        schema: SCHEMA,
        id: folder.id().into(),
        name: loaded.config.run_name.clone(),
        status: Status::Planned,
        created: runs::now(),
        updated: runs::now(),
        trainer: loaded.config.trainer.name.clone(),
        base_model: job.base.clone(),
        lora_seed: loaded.config.lora.seed,
        config: loaded.resolved_json(),
        config_file: Some(path.to_string_lossy().into_owned()),
        base_dir: base_dir.to_string_lossy().into_owned(),
        plugin_paths: plugin_paths(ui),
        fingerprints: job.fingerprints()?,
        data: job.prepared.report.facts(),
        plan: job.plan.facts.clone(),
        machine: Machine::here(ui.threads()),
        ..RunRecord::default()
    };
    record.write(&folder.record())?;
    if let Some(preparing) = preparing
        && let Err(e) = preparing.hand_over(&folder)
    {
        folder.discard()?;
        return Err(e);
    }
    go(&job, folder, record, 0, args, ui, stop)
}

/// On with a run that stopped, or died.
pub fn resume(args: &TrainArgs, run: &str, ui: &Ui, stop: &Stop) -> Result<()> {
    let named = args.config.as_ref().map(|path| config::load(path, &args.set.set)).transpose()?;
    let folder = RunFolder::find(&args.output.dir(named.as_ref()), run)?;
    let mut record = RunRecord::read(&folder.record())?;
    let _lock = Lock::take(&folder.lock(), folder.id(), &typed(&folder, &record))?;
    folder.sweep()?;
    // Read again: what another process did to it is over now.
    record = RunRecord::read(&folder.record())?;
    if record.status == Status::Completed {
        forget_examples(&folder, ui);
        ui.info(format_args!("run {} is complete", folder.id()));
        return results::where_it_lies(ui, &folder, &record, args.format.format);
    }
    let mut loaded = match named {
        Some(loaded) => loaded,
        None => {
            let base_dir = PathBuf::from(&record.base_dir);
            config::load_recorded(&record.config, &folder.record(), &base_dir, &args.set.set)?
        }
    };
    keep_date(&mut loaded, &record.config);
    if !args.accept_changes {
        check_config(&record.config, &loaded.resolved_json())?;
    }
    // The examples that the run began with stay until it is known that new ones are as good.
    let preparing = preparing(args, folder.output())?;
    let job = Job::new(loaded, preparing.as_ref(), Some(&folder.examples()), ui, stop)?;
    let now = job.fingerprints()?;
    if !args.accept_changes {
        check_unchanged(&record.fingerprints, &now)?;
    }
    let computed = count_computed(&folder, &mut record.progress)?;
    view::plan(ui, &job, args.format.format, folder.output(), args.dry_run)?;
    if args.dry_run {
        return Ok(());
    }
    if let Some(preparing) = preparing {
        preparing.hand_over(&folder)?;
    }
    note_changes(&folder, &record, &job, &now, ui)?;
    record.fingerprints = now;
    record.config = job.tools.loaded.resolved_json();
    record.data = job.prepared.report.facts();
    record.plan = job.plan.facts.clone();
    record.base_model.clone_from(&job.base);
    record.machine = Machine::here(ui.threads());
    record.plugin_paths = plugin_paths(ui);
    go(&job, folder, record, computed, args, ui, stop)
}

/// Where examples are made; None: nothing may be written.
fn preparing(args: &TrainArgs, output: &Path) -> Result<Option<Preparing>> {
    (!args.dry_run).then(|| Preparing::new(output)).transpose()
}

/// What changed and was accepted goes into the journal with its old values: the record holds the
/// new ones from now on.
fn note_changes(
    folder: &RunFolder,
    record: &RunRecord,
    job: &Job,
    now: &runs::Fingerprints,
    ui: &Ui,
) -> Result<()> {
    let config = job.tools.loaded.resolved_json();
    let mut changed = changes(&record.config, &config);
    changed.extend(record.fingerprints.differences(now));
    let here = Machine::here(ui.threads());
    if (&here.tinsmith, &here.cpu) != (&record.machine.tinsmith, &record.machine.cpu) {
        ui.warn(
            "the run began with another processor or another version of tinsmith: \
             last bits may differ from a run that stayed",
        );
        changed.push("machine".into());
    }
    if changed.is_empty() {
        return Ok(());
    }
    let was = json!({"fingerprints": record.fingerprints, "config": record.config,
        "machine": record.machine});
    runs::event(
        &folder.events(),
        record.attempt(),
        "changed",
        &json!({"keys": changed, "was": was}),
    )
}

/// `--plugin`, so that it means the same from any folder.
fn plugin_paths(ui: &Ui) -> Vec<String> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    ui.plugin_paths().iter().map(|p| absolute(p).to_string_lossy().into_owned()).collect()
}
