//! Everything that is known before a run begins: read, rendered, planned and checked.

use crate::{
    Error, Kind, Result,
    cli::{Ui, tooling::tool_options},
    config::Loaded,
    data::{self, DataReport, Place, Prepared},
    plan::{Plan, check_context, check_honoured, check_scale, unusual},
    runs::{self, Preparing},
    text::plural,
    tokenizer::context_length,
    training::{LossPath, Scorer, Stop, Tools},
};
use std::{ops::ControlFlow, path::Path, sync::Arc};
use tinsmith_plugin_api::LossScope;

/// Everything that is known before a run begins.
pub struct Job {
    pub tools: Tools,
    pub prepared: Prepared,
    pub plan: Plan,
    pub loss: LossPath,
    pub scorer: Scorer,
    pub base: String,
    pub in_flight: u32,
}

impl Job {
    /// Reads, renders, plans and checks; trains nothing, and writes nothing but the examples:
    /// without a place for them, they are kept nowhere. A run that goes on has them in `kept`.
    pub fn new(
        loaded: Loaded,
        preparing: Option<&Preparing>,
        kept: Option<&Path>,
        ui: &Ui,
        stop: &Stop,
    ) -> Result<Self> {
        let tools = Tools::new(loaded, tool_options(ui, stop))?;
        let loss = tools.loss()?;
        let base = tools.base_model()?;
        let can = tools.capabilities(tools.trainer(None)?.as_ref())?;
        let mut notes = check_honoured(&tools.loaded, &can, kept.is_none())?;
        let name = &tools.loaded.config.training.loss.name;
        let trainer = &tools.loaded.config.trainer.name;
        let path = LossPath::choose(name, Arc::clone(&loss), trainer, &can)
            .map_err(|e| tools.loaded.error_at("training.loss", e))?;
        check_scale(&tools.loaded.config, loss.as_ref())
            .map_err(|e| tools.loaded.error_at("training.normalization", e))?;
        let checks = tools.loaded.config.eval.checks.clone().unwrap_or_default();
        let scorer = Scorer::new(&checks).map_err(|e| tools.loaded.error_at("eval.checks", e))?;
        let prepared = prepare(&tools, preparing, kept, ui, stop)?;
        check_pairs(&tools, prepared.report.pairs, loss.scope())?;
        let config = &tools.loaded.config;
        let mut plan = Plan::new(config, &prepared.train, &prepared.eval, loss.inputs()).map_err(
            |e| match e.field.clone() {
                Some(field) => tools.loaded.error_at(&field, e),
                None => e,
            },
        )?;
        plan.notes.append(&mut notes);
        plan.notes.extend(unusual(config));
        let known = can.models.iter().find(|m| m.name == config.model.base_model);
        let context = known.and_then(|m| m.max_context_length);
        let folder = tools.loaded.resolve(&config.model.base_model);
        if let Some(context) = context.or_else(|| context_length(&folder)) {
            check_context(&prepared, context)?;
        }
        check_prompts(&tools, &prepared, &mut plan.notes)?;
        let in_flight = (config.training.submit_ahead + 1).min(can.max_in_flight.max(1));
        Ok(Self { prepared, plan, loss: path, scorer, base, in_flight, tools })
    }

    /// What must not change between the parts of the run.
    pub fn fingerprints(&self) -> Result<runs::Fingerprints> {
        let (data, examples) = (&self.prepared.fingerprint, &self.prepared.rendered);
        self.tools.fingerprints(data, examples, &self.plan.order.fingerprint())
    }
}

/// Examples as they are in the folder `kept`, if they are still right there; else made anew.
fn prepare(
    tools: &Tools,
    preparing: Option<&Preparing>,
    kept: Option<&Path>,
    ui: &Ui,
    stop: &Stop,
) -> Result<Prepared> {
    let bar = ui.progress(0, "{spinner} reading and rendering: {msg}");
    let show = |report: &DataReport| {
        let rows = plural(report.rows, "row");
        if bar.line_is_due() {
            ui.info(format_args!("reading and rendering: {rows}"));
        }
        bar.set_message(rows);
        if stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let job = data::DataJob {
        loaded: &tools.loaded,
        renderer: Arc::clone(&tools.renderer),
        tokenizer: Arc::clone(&tools.tokenizer),
        place: preparing.map_or(Place::Nowhere, |place| Place::Folder(place.examples())),
        made_with: serde_json::json!(tools.fingerprints("", "", "")?).to_string(),
        threads: ui.threads(),
        progress: Some(&show),
    };
    let there = kept.map_or(Ok(None), |folder| data::reopen(&job, folder))?;
    let prepared = there.map_or_else(|| data::prepare(&job), Ok);
    bar.clear();
    prepared
}

/// A loss that looks at each token alone cannot tell a rejected answer from a chosen one.
fn check_pairs(tools: &Tools, pairs: u64, scope: LossScope) -> Result<()> {
    if pairs == 0 || scope != LossScope::Token {
        return Ok(());
    }
    let name = &tools.loaded.config.training.loss.name;
    let e = Error::usage(format!(
        "loss `{name}` looks at tokens one by one: of {}, it would train the rejected answers like \
         the chosen ones",
        plural(pairs, "preference pair")
    ));
    let hint = "choose a loss over groups, or train the chosen answers alone: \
                `format: prompt_completion` with `fields: {completion: chosen}`";
    Err(tools.loaded.error_at("training.loss", e.hint(hint)))
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
