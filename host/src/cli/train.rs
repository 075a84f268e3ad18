//! `tinsmith train`: plan, check, train and record.

mod begin;
mod job;
mod progress;
mod results;
mod view;

use super::{Ui, args::TrainArgs, tooling::typed};
use crate::{
    Error, Kind, Result,
    runs::{RunFolder, RunRecord, Status},
    training::{
        Ended, Recorder, Session, Stop, adapter_spec, failure, rewind, train_with_recovery,
    },
};
pub use job::Job;
pub use progress::Progress;
use std::time::Duration;
use tinsmith_plugin_api::Outcome;

/// Answers the first Ctrl-C.
const STOPPING: &str =
    "\nstopping: a step in progress is finished and saved; press Ctrl-C again to stop at once";

/// Runs the command.
pub fn run(args: &TrainArgs, ui: &Ui) -> Result<()> {
    let terminal = ui.terminal();
    let stop = Stop::on_interrupt(move || {
        terminal.line(&STOPPING);
    })?;
    match &args.resume {
        Some(run) => begin::resume(args, run, ui, &stop),
        None => begin::begin(args, ui, &stop),
    }
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
            forget_examples(&recorder.folder, ui);
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

/// What a complete run was trained on is not needed any more; it can be made again of its datasets.
fn forget_examples(folder: &RunFolder, ui: &Ui) {
    let examples = folder.examples();
    match std::fs::remove_dir_all(&examples) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            ui.warn(format_args!("`{}` is not removed: {e}", examples.display()));
        }
        _ => {}
    }
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
