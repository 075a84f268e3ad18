//! `tinsmith parity`: the first steps of a config on two trainers, side by side.

use super::{
    Ui,
    args::{Format, ParityArgs},
    tooling::tool_options,
    train::{Job, Progress},
};
use crate::{
    Error, Kind, Result, config,
    plan::check_honoured,
    runs::Preparing,
    text::grouped,
    training::{Apart, LossPath, Side, Stop, Tools, adapter_spec, compare},
};
use serde_json::json;

/// Runs the command.
pub fn run(args: &ParityArgs, ui: &Ui) -> Result<()> {
    let terminal = ui.terminal();
    let stop = Stop::on_interrupt(move || {
        terminal.line(
            &"\nstopping: a step in progress is finished; press Ctrl-C again to stop at once",
        );
    })?;
    let place = tempfile::tempdir().map_err(|e| Error::failed(format!("make a folder: {e}")))?;
    let preparing = Preparing::new(place.path())?;
    let first = config::load(&args.config, &args.set.set)?;
    let job = Job::new(first, Some(&preparing), None, ui, &stop)?;
    let second = Tools::new(config::load(&args.against, &[])?, tool_options(ui, &stop))?;
    let (trainer, against) = (job.tools.trainer(None)?, second.trainer(None)?);
    let can = second.capabilities(against.as_ref())?;
    for note in check_honoured(&second.loaded, &can, true)? {
        ui.detail(note);
    }
    let config = &job.tools.loaded.config;
    let name = &config.training.loss.name;
    let loss = LossPath::choose(name, job.tools.loss()?, &second.loaded.config.trainer.name, &can)
        .map_err(|e| second.loaded.error_at("trainer", Error { field: None, ..e }))?;
    let base = second.base_model()?;
    let sides = [
        Side { trainer: trainer.as_ref(), base: &job.base, loss: &job.loss },
        Side { trainer: against.as_ref(), base: &base, loss: &loss },
    ];
    let progress = Progress::new(ui, args.steps, args.format.format);
    let json = args.format.format == Format::Json;
    if !json {
        ui.data(HEAD)?;
    }
    let adapter = adapter_spec(config);
    let told = |apart: &Apart| {
        if !json {
            ui.data(line(apart))?;
        }
        match stop.asked() {
            true => {
                Err(Error::new(Kind::Interrupted, format!("interrupted after step {}", apart.step)))
            }
            false => Ok(()),
        }
    };
    let (plan, train) = (&job.plan, &job.prepared.train);
    let all = compare(&sides, &adapter, plan, train, args.steps, &progress, told)?;
    let most = all.iter().map(|apart| apart.most).fold(0.0, f64::max);
    let agree = most <= args.tolerance;
    if json {
        ui.json(&json!({"steps": all, "most": most, "tolerance": args.tolerance, "agree": agree}))?;
    }
    if agree {
        return Ok(());
    }
    Err(Error::failed(format!(
        "a log-probability differs by {most:.2e} nats, which is more than {:.0e}",
        args.tolerance
    ))
    .hint(
        "other arithmetic (bf16, another order of sums) is about 1e-2 apart; more is another model, \
         adapter, loss or learning rate: see which step it begins at",
    ))
}

const HEAD: &str = "step  trained tokens      loss   against  difference  logprobs: mean      most";

fn line(apart: &Apart) -> String {
    let [a, b] = apart.nll;
    format!(
        "{:>4}  {:>14}  {a:>8.4}  {b:>8.4}  {:>10.1e}  {:>14.1e}  {:>8.1e}",
        apart.step,
        grouped(apart.trained_tokens),
        b - a,
        apart.mean,
        apart.most
    )
}
