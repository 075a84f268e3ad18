//! Everything a run needs to know of its data, before its first step.

use super::{
    ExampleSet, Mapping, Source, duplicates,
    held_out::{self, HeldOut},
    limits::{Fate, Judge, Limits},
    pipeline::{Makers, Rendered, Step, stream},
    report::DataReport,
    resolve::resolve,
    source::DataSource,
    split, staged,
};
use crate::{
    Error, Result,
    config::{Dedupe, EvalSplit, Loaded, OnBadRecord},
    tokenizer::Tokenizer,
};
use sha2::{Digest, Sha256};
use std::{collections::HashSet, fmt, ops::ControlFlow, sync::Arc};
use tinsmith_plugin_api::RendererHandle;

/// Told after each batch: what became of the rows so far.
pub type OnProgress<'a> = &'a dyn Fn(&DataReport);

/// What is to be prepared.
pub struct DataJob<'a> {
    /// The config.
    pub loaded: &'a Loaded,
    /// Turns records into examples.
    pub renderer: Arc<dyn RendererHandle>,
    /// The tokenizer that the renderer uses.
    pub tokenizer: Arc<Tokenizer>,
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
    pub train: ExampleSet,
    /// What is held out.
    pub eval: ExampleSet,
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

/// Where a record in use begins, and what its text hashes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub source: Source,
    pub offset: u64,
    pub text: u64,
}

/// Reads, renders and splits the datasets of a config.
///
/// # Errors
/// A usage error for a tokenizer that does not fit the model and for settings that do not fit the
/// data; a data error for bad rows (unless `data.on_bad_record` is `skip`), for empty files, and
/// where nothing is left to train on.
pub fn prepare(job: &DataJob<'_>) -> Result<Prepared> {
    let config = &job.loaded.config;
    let model = job.loaded.resolve(&config.model.base_model);
    if model.join("config.json").exists() {
        job.tokenizer.check_fits(&model).map_err(|e| match config.model.tokenizer {
            Some(_) if e.place.is_none() => job.loaded.error_at("model.tokenizer", e),
            _ => e,
        })?;
    }
    let sources = sources(job.loaded)?;
    let limits = Limits::new(&config.data, &job.tokenizer);
    let exact = config.data.dedupe == Dedupe::Exact;
    let own_eval = sources.len() > config.datasets.len();
    let mut judge = Judge::new(limits).dedupe(exact, own_eval.then_some(config.datasets.len()));
    let makers =
        Makers { renderer: job.renderer.as_ref(), tokenizer: Some(&job.tokenizer), prints: exact };
    let mut all = Collected::default();
    let mut report = DataReport::default();
    let mut next_group = 0;
    stream(&sources, makers, limits, job.threads, &mut |step| {
        match step {
            Step::Batch(mut rendered) => {
                let fates = judge.judge(&mut rendered);
                let name = sources[rendered.dataset].name();
                report.add(&name, &rendered, &fates);
                all.take(&rendered, &fates, &mut next_group);
                if let Some(progress) = job.progress {
                    progress(&report);
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

    let Collected { examples: mut train, used } = all;
    let held: HashSet<(u32, u64)> = match &config.data.eval {
        None => HashSet::new(),
        Some(EvalSplit { path: Some(_), .. }) => {
            let last = config.datasets.len() as u32;
            let own = used.iter().filter(|u| u.source.dataset == last);
            own.map(|u| (last, u.source.record)).collect()
        }
        Some(part) => split::choose(&used, part, config.data.seed)
            .map_err(|e| job.loaded.error_at("data.eval", e))?,
    };
    let is_held = |source: &Source| held.contains(&(source.dataset, source.record));
    let eval = train.take_out(is_held);
    report.held_out = held.len() as u64;
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
    report.leaked = leaked(&used, is_held);
    report.repeated = repeated(&used, is_held);
    let wanted = match config.eval.checks {
        Some(_) => usize::MAX,
        None => config.eval.samples as usize,
    };
    let held_used = used.iter().filter(|u| is_held(&u.source)).take(wanted);
    let prompts = held_out::prompts(&sources, held_used)?;
    let (fingerprint, rendered) = (fingerprint(&sources, &report), rendered(&[&train, &eval]));
    Ok(Prepared { train, eval, prompts, fingerprint, rendered, report })
}

/// The datasets of a config, and that of its evaluation as the last.
fn sources(loaded: &Loaded) -> Result<Vec<DataSource>> {
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

#[derive(Debug, Default)]
struct Collected {
    examples: ExampleSet,
    used: Vec<Used>,
}

impl Collected {
    fn take(&mut self, rendered: &Rendered, fates: &[Fate], next_group: &mut u64) {
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
                self.used.push(Used { source, offset: row.offset, text });
            }
            self.examples.push(examples, i, tokens, *next_group + examples.group[i], source);
        }
        *next_group += examples.group.iter().max().map_or(0, |g| g + 1);
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

/// Rows held out whose very text is also trained on.
fn leaked(used: &[Used], is_held: impl Fn(&Source) -> bool) -> u64 {
    let held: HashSet<u64> = used.iter().filter(|u| is_held(&u.source)).map(|u| u.text).collect();
    let trained: HashSet<u64> = used
        .iter()
        .filter(|u| !is_held(&u.source) && held.contains(&u.text))
        .map(|u| u.text)
        .collect();
    used.iter().filter(|u| is_held(&u.source) && trained.contains(&u.text)).count() as u64
}

/// Rows trained on whose very text an earlier one has.
fn repeated(used: &[Used], is_held: impl Fn(&Source) -> bool) -> u64 {
    let mut seen = HashSet::new();
    used.iter().filter(|u| !is_held(&u.source) && !seen.insert(u.text)).count() as u64
}

/// Of the examples as they are trained on and evaluated.
fn rendered(sets: &[&ExampleSet]) -> String {
    let mut hash = Sha256::new();
    sets.iter().for_each(|set| set.feed(&mut hash));
    super::hex(&hash.finalize())
}

/// Of the bytes that were read and what they were read as, not of their names.
fn fingerprint(sources: &[DataSource], report: &DataReport) -> String {
    let mut hash = Sha256::new();
    for (source, file) in sources.iter().zip(&report.files) {
        hash.update(format!("{} {} {}\n", source.mapping.fingerprint(), file.bytes, file.sha256));
    }
    super::hex(&hash.finalize())
}

#[cfg(test)]
mod tests;
