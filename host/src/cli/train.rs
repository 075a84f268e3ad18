//! `tinsmith train`: plan, check, train and record.

mod progress;
mod results;
mod view;

use super::{
    Ui,
    args::TrainArgs,
    tooling::{tool_options, typed},
};
use crate::{
    Error, Kind, Result,
    config::{self, Loaded},
    data::{self, DataReport, Prepared},
    plan::{Plan, check_context, check_honoured, plural, unusual},
    runs::{self, Lock, Machine, RunFolder, RunRecord, SCHEMA, Status},
    tokenizer::context_length,
    training::{
        Ended, LossPath, Recorder, Scorer, Session, Stop, Tools, adapter_spec, changes,
        check_config, check_unchanged, count_computed, failure, rewind, train_with_recovery,
    },
};
use progress::Progress;
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tinsmith_plugin_api::Outcome;

/// Answers the first Ctrl-C.
const STOPPING: &str =
    "\nstopping after this step, with a checkpoint; press Ctrl-C again to stop at once";

/// Runs the command.
pub fn run(args: &TrainArgs, ui: &Ui) -> Result<()> {
    let terminal = ui.terminal();
    let stop = Stop::on_interrupt(move || {
        terminal.line(&STOPPING);
    })?;
    match &args.resume {
        Some(run) => resume(args, run, ui, &stop),
        None => begin(args, ui, &stop),
    }
}

/// Everything that is known before a run begins.
struct Job {
    tools: Tools,
    prepared: Prepared,
    plan: Plan,
    loss: LossPath,
    scorer: Scorer,
    base: String,
    in_flight: u32,
}

impl Job {
    /// Reads, renders, plans and checks; trains nothing and writes nothing.
    fn new(loaded: Loaded, fresh: bool, ui: &Ui, stop: &Stop) -> Result<Self> {
        let tools = Tools::new(loaded, tool_options(ui, stop))?;
        let loss = tools.loss()?;
        let base = tools.base_model()?;
        let can = tools.trainer(None)?.capabilities()?;
        let mut notes = check_honoured(&tools.loaded, &can, fresh)?;
        let name = &tools.loaded.config.training.loss.name;
        let trainer = &tools.loaded.config.trainer.name;
        let path = LossPath::choose(name, Arc::clone(&loss), trainer, &can)
            .map_err(|e| tools.loaded.error_at("training.loss", e))?;
        let checks = tools.loaded.config.eval.checks.clone().unwrap_or_default();
        let scorer = Scorer::new(&checks).map_err(|e| tools.loaded.error_at("eval.checks", e))?;
        let bar = ui.progress(0, "{spinner} reading and rendering: {msg}");
        let show = |report: &DataReport| {
            let rows = plural(report.rows, "row");
            if bar.line_is_due() {
                ui.info(format_args!("reading and rendering: {rows}"));
            }
            bar.set_message(rows);
        };
        let prepared = data::prepare(&data::DataJob {
            loaded: &tools.loaded,
            renderer: Arc::clone(&tools.renderer),
            tokenizer: Arc::clone(&tools.tokenizer),
            threads: ui.threads(),
            progress: Some(&show),
        });
        bar.clear();
        let prepared = prepared?;
        let config = &tools.loaded.config;
        let mut plan = Plan::new(config, &prepared.train, &prepared.eval, loss.inputs()).map_err(
            |e| match e.field.clone() {
                Some(field) => tools.loaded.error_at(&field, e),
                None => e,
            },
        )?;
        plan.notes.append(&mut notes);
        plan.notes.extend(unusual(config, plan.steps(), plan.learning_rate.warmup()));
        let known = can.models.iter().find(|m| m.name == config.model.base_model);
        let context = known.and_then(|m| m.max_context_length);
        let folder = tools.loaded.resolve(&config.model.base_model);
        if let Some(context) = context.or_else(|| context_length(&folder)) {
            let files: Vec<String> =
                prepared.report.files.iter().map(|file| file.name.clone()).collect();
            check_context(&prepared.train, context, &files)?;
            check_context(&prepared.eval, context, &files)?;
        }
        check_prompts(&tools, &prepared, &mut plan.notes)?;
        let in_flight = (config.training.submit_ahead + 1).min(can.max_in_flight.max(1));
        Ok(Self { prepared, plan, loss: path, scorer, base, in_flight, tools })
    }

    fn fingerprints(&self) -> Result<runs::Fingerprints> {
        self.tools.fingerprints(&self.prepared.fingerprint, &self.plan.order.fingerprint())
    }
}

/// Whether answers can be sampled at the end, found out before the beginning.
fn check_prompts(tools: &Tools, prepared: &Prepared, notes: &mut Vec<String>) -> Result<()> {
    let eval = &tools.loaded.config.eval;
    if eval.samples == 0 && eval.checks.is_none() {
        return Ok(());
    }
    let Some(first) = prepared.prompts.first() else {
        notes.push("nothing is held out to answer (`data.eval`): `eval.samples` is idle".into());
        return Ok(());
    };
    match tools.renderer.generation_prompt(&first.messages) {
        Ok(_) => Ok(()),
        Err(e) => {
            let e = Error::from(e).context("prepare a held-out prompt");
            Err(tools.loaded.error_at("renderer", Error { kind: Kind::Usage, ..e }))
        }
    }
}

fn begin(args: &TrainArgs, ui: &Ui, stop: &Stop) -> Result<()> {
    let path = args.config.clone().or_else(crate::env::config).ok_or_else(|| {
        Error::usage("which config?")
            .hint("`tinsmith train CONFIG`; `tinsmith config init run.yaml` writes a first one")
    })?;
    let loaded = config::load(&path, &args.set.set)?;
    let output = args.output.dir(Some(&loaded));
    let job = Job::new(loaded, true, ui, stop)?;
    view::plan(ui, &job, args.format.format)?;
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
    go(&job, folder, record, 0, args, ui, stop)
}

fn resume(args: &TrainArgs, run: &str, ui: &Ui, stop: &Stop) -> Result<()> {
    let folder = RunFolder::find(&args.output.dir(None), run)?;
    let mut record = RunRecord::read(&folder.record())?;
    let _lock = Lock::take(&folder.lock(), folder.id(), &typed(&folder, &record))?;
    folder.sweep()?;
    // Read again: what another process did to it is over now.
    record = RunRecord::read(&folder.record())?;
    if record.status == Status::Completed {
        ui.info(format_args!("run {} is complete", folder.id()));
        return results::where_it_lies(ui, &folder, &record, args.format.format);
    }
    let loaded = match &args.config {
        Some(path) => config::load(path, &args.set.set)?,
        None => {
            let base_dir = PathBuf::from(&record.base_dir);
            config::load_recorded(&record.config, &folder.record(), &base_dir, &args.set.set)?
        }
    };
    if !args.accept_changes {
        check_config(&record.config, &loaded.resolved_json())?;
    }
    let job = Job::new(loaded, false, ui, stop)?;
    let now = job.fingerprints()?;
    if !args.accept_changes {
        check_unchanged(&record.fingerprints, &now)?;
    }
    let computed = count_computed(&folder, &mut record.progress)?;
    view::plan(ui, &job, args.format.format)?;
    if args.dry_run {
        return Ok(());
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

/// Trains, then exports and compares. Whatever happens, the record says so in the end. The caller
/// holds the run's lock.
fn go(
    job: &Job,
    folder: RunFolder,
    mut record: RunRecord,
    computed: u64,
    args: &TrainArgs,
    ui: &Ui,
    stop: &Stop,
) -> Result<()> {
    let config = &job.tools.loaded.config;
    let progress = Progress::new(ui, job.plan.steps(), args.format.format);
    let adapter = adapter_spec(config);
    let opened = job.tools.store(&folder).and_then(|store| {
        let trainer = job.tools.trainer(Some(store))?;
        let start = rewind(&mut record, trainer.as_ref(), adapter.clone(), &progress)?;
        Ok((trainer, start))
    });
    let (trainer, start) = match opened {
        Ok(opened) => opened,
        Err(e) if record.attempts.is_empty() => {
            folder.discard()?;
            return Err(e);
        }
        Err(e) => {
            record.status = Status::Failed;
            record.error = Some(failure(&e));
            record.write(&folder.record())?;
            return Err(e);
        }
    };
    ui.info(format_args!("run {}", ui.paint_err(super::Style::Bold, folder.id())));
    if let Some(checkpoint) = &start.checkpoint {
        ui.info(format_args!("going on from checkpoint {checkpoint}, step {}", start.step));
    } else if record.attempts.iter().any(|attempt| attempt.trainer_run.is_some()) {
        ui.info("no checkpoint is left to go on from: beginning again from the base model");
    }
    let mut recorder = Recorder::new(folder, record, computed);
    // The process is known from here on: `status` can tell if it is gone.
    recorder.write()?;
    progress.begin(start.step);
    let session = Session {
        trainer: trainer.as_ref(),
        plan: &job.plan,
        train: &job.prepared.train,
        eval: &job.prepared.eval,
        loss: &job.loss,
        base: &job.base,
        adapter,
        in_flight: job.in_flight,
        eval_batch: config.training.batch_size,
        config,
        stop,
        retry_after: Duration::from_secs(1),
        watch: &progress,
    };
    let ended = train_with_recovery(&session, &mut recorder, start);
    progress.finish();
    let done = ended.and_then(|ended| match ended {
        Ended::Completed => {
            results::finish(job, trainer.as_ref(), &mut recorder, ui, (stop, &progress))?;
            Ok(Outcome::Success)
        }
        Ended::Interrupted => Err(stopped(&recorder, "interrupted")),
        Ended::Limit(why) => Err(stopped(&recorder, &why).hint("raise the limit with `--set`")),
    });
    match done {
        Ok(_) => {
            recorder.ended(Status::Completed, None)?;
            results::report(ui, &recorder.folder);
            results::where_it_lies(ui, &recorder.folder, &recorder.record, args.format.format)
        }
        // The trainer never began: there is nothing to go on with, and nothing to look at.
        Err(e) if recorder.never_opened() => {
            recorder.folder.discard()?;
            Err(e)
        }
        Err(e) => {
            let status = match e.kind {
                Kind::Interrupted => Status::Interrupted,
                _ => Status::Failed,
            };
            // A disk that is full may refuse this too: the first error is the one to tell.
            if let Err(second) = recorder.ended(status, Some(failure(&e))) {
                ui.warn(format_args!("the run record is behind: {second}"));
            }
            results::report(ui, &recorder.folder);
            Err(with_resume_hint(e, &recorder))
        }
    }
}

/// `--plugin`, so that it means the same from any folder.
fn plugin_paths(ui: &Ui) -> Vec<String> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    ui.plugin_paths().iter().map(|p| absolute(p).to_string_lossy().into_owned()).collect()
}

fn stopped(recorder: &Recorder, why: &str) -> Error {
    let step = recorder.record.progress.step;
    Error::new(Kind::Interrupted, format!("{why} after step {step}"))
}

/// What to type next, unless the error knows better.
fn with_resume_hint(mut e: Error, recorder: &Recorder) -> Error {
    let resume = format!(
        "go on with `tinsmith train --resume {}`",
        typed(&recorder.folder, &recorder.record)
    );
    e.hint = Some(match e.hint.take() {
        Some(hint) => format!("{hint}; then {resume}"),
        None => resume,
    });
    e
}
