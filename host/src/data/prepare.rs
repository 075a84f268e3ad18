//! Everything a run needs to know of its data, before its first step.

use super::{
    Mapping, Source, duplicates,
    held_out::{self, HeldOut},
    kept,
    limits::{Fate, Judge, Limits},
    pipeline::{Makers, Rendered, Step, stream},
    report::DataReport,
    resolve::resolve,
    source::DataSource,
    split::{self, Held},
    spool::{Place, Rows, Spool, Used, Writer},
    staged,
};
use crate::{
    Error, Kind, Result,
    config::{Dedupe, EvalSplit, Loaded, OnBadRecord},
    tokenizer::Tokenizer,
};
use sha2::{Digest, Sha256};
use std::{fmt, ops::ControlFlow, sync::Arc};
use tinsmith_plugin_api::RendererHandle;

/// Told after each batch: what became of the rows so far. It may break off.
pub type OnProgress<'a> = &'a dyn Fn(&DataReport) -> ControlFlow<()>;

/// What is to be prepared.
pub struct DataJob<'a> {
    /// The config.
    pub loaded: &'a Loaded,
    /// Turns records into examples.
    pub renderer: Arc<dyn RendererHandle>,
    /// The tokenizer that the renderer uses.
    pub tokenizer: Arc<Tokenizer>,
    /// Where the examples are kept.
    pub place: Place,
    /// What else examples depend on: tokenizer and renderer, as a fingerprint.
    pub made_with: String,
    /// The thread budget.
    pub threads: usize,
    /// Told after each batch.
    pub progress: Option<OnProgress<'a>>,
}

impl fmt::Debug for DataJob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataJob").field("loaded", &self.loaded).finish_non_exhaustive()
    }
}

/// The data of a run.
#[derive(Debug)]
pub struct Prepared {
    /// What is trained on.
    pub train: Spool,
    /// What is held out.
    pub eval: Spool,
    /// Prompts of what is held out, with the answers that the data has: all of them if
    /// `eval.checks` is set, else the first `eval.samples`.
    pub prompts: Vec<HeldOut>,
    /// What became of every row.
    pub report: DataReport,
    /// sha256 (hex) of all that was read.
    pub fingerprint: String,
    /// Fingerprint of the examples that the datasets were rendered to.
    pub rendered: String,
}

/// Reads, renders and splits the datasets of a config.
///
/// # Errors
/// A usage error for a tokenizer that does not fit the model and for settings that do not fit the
/// data; `interrupted` if `progress` breaks off; a data error for bad rows (unless
/// `data.on_bad_record` is `skip`), for empty files, and where nothing is left to train on.
pub fn prepare(job: &DataJob<'_>) -> Result<Prepared> {
    let config = &job.loaded.config;
    check_fits(job)?;
    let sources = sources(job.loaded)?;
    let limits = Limits::new(&config.data, &job.tokenizer);
    let exact = config.data.dedupe == Dedupe::Exact;
    let own_eval = sources.len() > config.datasets.len();
    let mut judge = Judge::new(limits).dedupe(exact, own_eval.then_some(config.datasets.len()));
    let key = kept::key(job, &sources);
    let makers =
        Makers { renderer: job.renderer.as_ref(), tokenizer: Some(&job.tokenizer), prints: exact };
    let mut all = Collected { writer: Writer::new(job.place.clone())?, groups: 0 };
    let mut report = DataReport::default();
    stream(&sources, makers, limits, job.threads, &mut |step| {
        match step {
            Step::Batch(mut rendered) => {
                let fates = judge.judge(&mut rendered);
                let name = sources[rendered.dataset].name();
                report.add(&name, &rendered, &fates);
                all.take(&rendered, &fates)?;
                if job.progress.is_some_and(|progress| progress(&report).is_break()) {
                    let what = format!("interrupted after {} rows", report.rows);
                    return Err(Error::new(Kind::Interrupted, what));
                }
            }
            Step::End { dataset, digest } => {
                staged::check(&sources[dataset], &digest)?;
                report.end(sources[dataset].name(), digest);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    check_rows(job, &report)?;

    let written = all.writer.finish()?;
    let rendered = written.rendered.clone();
    let held = match &config.data.eval {
        None => Held::None,
        Some(EvalSplit { path: Some(_), .. }) => Held::Dataset(config.datasets.len() as u32),
        Some(part) => split::choose(&written.rows, part, config.data.seed)
            .map_err(|e| job.loaded.error_at("data.eval", e))?,
    };
    let (train, eval, rows) = written.part(|dataset, record| held.has(dataset, record))?;
    let overlap = rows.overlap(|dataset, record| held.has(dataset, record))?;
    report.held_out = overlap.held_out;
    (report.leaked, report.repeated) = (overlap.leaked, overlap.repeated);
    if train.is_empty() {
        return Err(report.nothing_left());
    }
    if let Some(path) = config.data.eval.as_ref().and_then(|e| e.path.as_ref())
        && eval.is_empty()
    {
        let e = Error::data(format!("no row of `{path}` can be evaluated on"))
            .hint("`tinsmith data check` shows why; leave `data.eval` out to hold nothing out");
        return Err(job.loaded.error_at("data.eval.path", e));
    }
    let prompts = match (&config.eval.checks, config.eval.samples) {
        (Some(_), _) => prompts(&sources, &rows, held, usize::MAX),
        (None, samples) => prompts(&sources, &rows, held, samples as usize),
    }?;
    let fingerprint = fingerprint(&sources, &report);
    let prepared = Prepared { train, eval, prompts, fingerprint, rendered, report };
    if let Place::Folder(folder) = &job.place {
        kept::keep(job, &sources, key, &prepared, folder)?;
    }
    Ok(prepared)
}

/// Whether the tokenizer is that of the model.
pub(super) fn check_fits(job: &DataJob<'_>) -> Result<()> {
    let config = &job.loaded.config;
    let model = job.loaded.resolve(&config.model.base_model);
    if !model.join("config.json").exists() {
        return Ok(());
    }
    job.tokenizer.check_fits(&model).map_err(|e| match config.model.tokenizer {
        Some(_) if e.place.is_none() => job.loaded.error_at("model.tokenizer", e),
        _ => e,
    })
}

/// The first prompts of the rows held out.
fn prompts(sources: &[DataSource], rows: &Rows, held: Held, most: usize) -> Result<Vec<HeldOut>> {
    if held == Held::None || most == 0 {
        return Ok(Vec::new());
    }
    let is_held = |used: &Used| held.has(used.source.dataset, used.source.record);
    let wanted = rows.iter().filter(|used| used.as_ref().map_or(true, is_held));
    held_out::prompts(sources, wanted.take(most))
}

/// The datasets of a config, and that of its evaluation as the last.
pub(super) fn sources(loaded: &Loaded) -> Result<Vec<DataSource>> {
    let config = &loaded.config;
    let open = |path: &str, key: &str| {
        resolve(path, Some(loaded), None).map_err(|e| match e.place {
            None => loaded.error_at(key, e),
            Some(_) => e,
        })
    };
    let mut sources = Vec::new();
    for (i, dataset) in config.datasets.iter().enumerate() {
        sources.push(DataSource {
            mapping: Mapping::of(dataset),
            limit: dataset.limit,
            path: open(&dataset.path, &format!("datasets[{i}].path"))?,
        });
    }
    if let Some(path) = config.data.eval.as_ref().and_then(|e| e.path.as_deref()) {
        // It is rendered as the first dataset is, which is what it is to measure.
        let mapping = config.datasets.first().map(Mapping::of).unwrap_or_default();
        sources.push(DataSource { mapping, limit: None, path: open(path, "data.eval.path")? });
    }
    Ok(sources)
}

struct Collected {
    writer: Writer,
    /// Groups so far.
    groups: u64,
}

impl Collected {
    fn take(&mut self, rendered: &Rendered, fates: &[Fate]) -> Result<()> {
        let examples = &rendered.examples;
        let mut last = None;
        for (i, fate) in fates.iter().enumerate() {
            let Fate::Used { tokens, .. } = *fate else { continue };
            let record = examples.record[i];
            let row = &rendered.lines.rows[rendered.given[record as usize] as usize];
            let dataset = rendered.dataset as u32;
            let source = Source { dataset, line: row.line, record: row.record };
            if last != Some(record) {
                last = Some(record);
                let text = duplicates::hash(rendered.lines.text(row));
                self.writer.row(Used { source, offset: row.offset, text })?;
            }
            self.writer.add(examples, i, tokens, self.groups + examples.group[i], source)?;
        }
        self.groups += examples.group.iter().max().map_or(0, |g| g + 1);
        Ok(())
    }
}

fn check_rows(job: &DataJob<'_>, report: &DataReport) -> Result<()> {
    report.check_files()?;
    if report.refused > 0 && job.loaded.config.data.on_bad_record == OnBadRecord::Error {
        return Err(bad_rows(report));
    }
    Ok(())
}

/// The first bad row, and how many there are.
pub(super) fn bad_rows(report: &DataReport) -> Error {
    let Some(first) = report.first_refused.first() else {
        return Error::data("a row is refused");
    };
    let more = match report.refused - 1 {
        0 => String::new(),
        1 => "; 1 more row is bad".to_owned(),
        n => format!("; {n} more rows are bad"),
    };
    let mut error = Error::data(format!("{}{more}", first.message));
    error.field.clone_from(&first.field);
    let list = format!("`tinsmith data check {}` lists every bad row", first.file);
    let hint = match &first.hint {
        Some(hint) => format!("{hint}; {list}"),
        None => format!("{list}; `data.on_bad_record: skip` leaves them out"),
    };
    error.place(&first.file, Some(first.line), first.column).hint(hint)
}

/// Of the bytes that were read and what they were read as, not of their names.
fn fingerprint(sources: &[DataSource], report: &DataReport) -> String {
    let mut hash = Sha256::new();
    for (source, file) in sources.iter().zip(&report.files) {
        hash.update(format!("{} {} {}\n", source.mapping.fingerprint(), file.bytes, file.sha256));
    }
    crate::text::hex(&hash.finalize())
}

#[cfg(test)]
mod tests;
