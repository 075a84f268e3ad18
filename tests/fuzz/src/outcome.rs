//! What reading a file came to, and what must hold of it.

use crate::{
    scenario::{Container, Scenario, is_array, is_blank},
    tools::Tools,
};
use std::{cell::RefCell, fs, io::Write, ops::ControlFlow};
use tempfile::NamedTempFile;
use tinsmith::{
    Error, Kind,
    config::Overlong,
    data::{
        DataReport, DataSource, Digested, Fate, Judge, Limits, Makers, Refused, Rendered, Step,
        stream, trained_tokens,
    },
};
use tinsmith_plugin_api::{ColumnData, ErrorKind, Examples};

/// Batches in order, what became of their examples, and how it ended.
pub struct Outcome {
    pub batches: Vec<(Rendered, Vec<Fate>)>,
    pub report: DataReport,
    pub digest: Option<Digested>,
    pub error: Option<Error>,
}

impl Outcome {
    /// Reads the file of a scenario as `prepare` does.
    pub fn of(scenario: &Scenario, tools: &Tools, threads: usize) -> Self {
        thread_local! {
            static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) };
        }
        let failed = |e: std::io::Error| -> ! { panic!("write a temporary file: {e}") };
        let path = FILE.with_borrow_mut(|file| {
            let made = file.get_or_insert_with(|| {
                // Where there is a file system in memory, the disk is spared.
                let memory = std::path::Path::new("/dev/shm");
                let made = match memory.is_dir() {
                    true => NamedTempFile::new_in(memory),
                    false => NamedTempFile::new(),
                };
                made.unwrap_or_else(|e| failed(e))
            });
            fs::File::create(made.path())
                .and_then(|mut file| file.write_all(&scenario.file))
                .unwrap_or_else(|e| failed(e));
            made.path().to_owned()
        });
        let mapping = scenario.mapping.clone();
        let sources = [DataSource { path, mapping, limit: scenario.limit }];
        let limits = limits(scenario, tools);
        let mut judge = Judge::new(limits).dedupe(scenario.dedupe, None);
        let makers = Makers {
            renderer: tools.renderer.as_ref(),
            tokenizer: Some(&tools.tokenizer),
            prints: scenario.dedupe,
        };
        let mut out =
            Self { batches: Vec::new(), report: DataReport::default(), digest: None, error: None };
        let ended = stream(&sources, makers, limits, threads, &mut |step| {
            match step {
                Step::Batch(mut batch) => {
                    let fates = judge.judge(&mut batch);
                    out.report.add("chats.jsonl", &batch, &fates);
                    out.batches.push((*batch, fates));
                }
                Step::End { digest, .. } => {
                    out.report.end("chats.jsonl".into(), digest.clone());
                    out.digest = Some(digest);
                }
            }
            Ok(ControlFlow::Continue(()))
        });
        out.error = ended.err();
        out
    }

    /// What holds of every file.
    pub fn check(&self, scenario: &Scenario, tools: &Tools) {
        self.check_end(scenario);
        let mut next = 0;
        let mut tally = Tally::default();
        for (batch, fates) in &self.batches {
            next = check_places(batch, next);
            check_examples(batch, fates, tools);
            batch.refused.iter().for_each(check_refused);
            tally.add(batch, fates, scenario);
        }
        let report = &self.report;
        let told = [
            report.used,
            report.refused,
            report.skipped,
            report.overlong,
            report.untrained,
            report.duplicates,
        ];
        assert_eq!(told, tally.rows, "used, refused, skipped, overlong, untrained, duplicates");
        assert_eq!(report.rows, told.iter().sum::<u64>(), "every row is counted once");
        assert_eq!(report.rows, next, "every record is a row of the report");
        assert_eq!(
            [report.examples, report.tokens, report.trained_tokens],
            [tally.examples, tally.tokens, tally.trained]
        );
        assert_eq!(report.lengths.count(), report.examples);
        assert_eq!(report.lengths.total(), report.tokens + report.examples);
        if scenario.container == Container::Plain && !is_array(&scenario.text) {
            let (rows, blank) = rows_of(&scenario.text, scenario.limit);
            assert_eq!((report.rows, report.blank), (rows, blank), "rows and blank lines");
        }
    }

    /// A file that was not damaged is read to its end; what is wrong with others is told by place.
    fn check_end(&self, scenario: &Scenario) {
        let Some(error) = &self.error else {
            assert!(self.digest.is_some(), "the end is told");
            return;
        };
        assert_eq!(error.kind, Kind::Data, "{error}");
        assert_ne!(error.plugin_kind, Some(ErrorKind::PANIC), "{error}");
        assert!(error.place.is_some() && error.hint.is_some(), "{error}");
        // An array may hold any text: its brackets then end anywhere.
        let array = scenario.container == Container::Array || is_array(&scenario.text);
        assert!(scenario.damaged || array, "an undamaged file is refused: {error}");
    }

    /// The same file in another container, or read by more threads, comes to the same.
    pub fn assert_same(&self, plain: &Self, scenario: &Scenario) {
        let told = |error: &Option<Error>| error.as_ref().map(|e| (e.message.clone(), e.kind));
        assert_eq!(told(&self.error), told(&plain.error), "{:?}", scenario.container);
        let elements = scenario.container == Container::Array;
        let (mut ours, mut theirs) = (self.report.clone(), plain.report.clone());
        for report in [&mut ours, &mut theirs] {
            // These tell of the file and of places in it.
            report.files.clear();
            report.first_refused.clear();
            report.blank = if elements { 0 } else { report.blank };
        }
        assert_eq!(ours, theirs, "{:?}", scenario.container);
        assert_eq!(self.flat(elements), plain.flat(elements), "{:?}", scenario.container);
    }

    /// Every example and every refusal by its record.
    fn flat(&self, elements: bool) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        for (batch, fates) in &self.batches {
            let examples = &batch.examples;
            for (i, fate) in fates.iter().enumerate() {
                let row = batch.lines.rows[batch.given[examples.record[i] as usize] as usize];
                let line = if elements { 0 } else { row.line };
                let range = examples.range(i);
                let columns: Vec<_> =
                    examples.columns.iter().map(|c| (&c.name, value(c))).collect();
                let columns: Vec<_> =
                    columns.iter().map(|(name, of)| (name, &of[range.clone()])).collect();
                let tokens = &examples.tokens[range.clone()];
                let weights = &examples.weights[range];
                // A column that no row of the batch has is not there at all.
                let columns: Vec<_> =
                    columns.iter().filter(|(_, of)| of.iter().any(|v| *v != 0.0)).collect();
                all.push((
                    row.record,
                    format!("{line} {fate:?} {tokens:?} {weights:?} {columns:?}"),
                ));
            }
            for refused in &batch.refused {
                let place = (!elements).then_some((refused.line, refused.column));
                let Error { message, field, .. } = &refused.error;
                let message = if elements { without_line(message) } else { message.clone() };
                all.push((refused.record, format!("{place:?} {field:?} {message}")));
            }
        }
        all.sort();
        all
    }
}

/// A message that names another line, without its number.
fn without_line(message: &str) -> String {
    let mut parts = message.split("line ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        all + "line " + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// The limits of a scenario.
fn limits(scenario: &Scenario, tools: &Tools) -> Limits {
    let Scenario { max_length, overlong, .. } = *scenario;
    Limits { max_length, overlong, bos: tools.tokenizer.bos() }
}

fn value(column: &tinsmith_plugin_api::Column) -> Vec<f64> {
    match &column.data {
        ColumnData::F32(values) => values.iter().map(|v| f64::from(*v)).collect(),
        ColumnData::I64(values) => values.iter().map(|v| *v as f64).collect(),
    }
}

/// Records of a batch follow each other and those of the batch before, each read or refused.
fn check_places(batch: &Rendered, mut next: u64) -> u64 {
    let rows = batch.lines.rows.iter().map(|row| (row.record, row.line));
    let refused = batch.refused.iter().map(|refused| (refused.record, refused.line));
    let mut records: Vec<(u64, u64)> = rows.chain(refused).collect();
    records.sort_unstable();
    // A row that was refused is in both.
    records.dedup();
    for (record, line) in &records {
        assert_eq!(*record, next, "records are numbered from 0");
        assert!(*line > *record, "line {line} of record {record}");
        next += 1;
    }
    next
}

fn check_examples(batch: &Rendered, fates: &[Fate], tools: &Tools) {
    let Examples { tokens, weights, offsets, record, ordinal, group, columns, errors, .. } =
        &batch.examples;
    let count = fates.len();
    assert_eq!((offsets.len(), offsets[0]), (count + 1, 0));
    assert_eq!((record.len(), ordinal.len(), group.len()), (count, count, count));
    assert!(offsets.is_sorted_by(|a, b| a < b) || count == 0, "no example is empty");
    assert_eq!((offsets[count] as usize, tokens.len()), (tokens.len(), weights.len()));
    assert!(columns.iter().all(|column| value(column).len() == tokens.len()), "columns");
    assert!(columns.iter().all(|column| value(column).iter().all(|v| v.is_finite())), "columns");
    assert!(weights.iter().all(|weight| weight.is_finite()), "weights are numbers");
    let known = tools.tokenizer.info().vocab_size;
    assert!(tokens.iter().all(|id| (0..known as i32).contains(id)), "ids of the vocabulary");
    assert!(record.is_sorted() && record.iter().all(|r| (*r as usize) < batch.given.len()));
    assert!(group.is_sorted(), "groups rise");
    assert!(batch.given.is_sorted_by(|a, b| a < b) && errors.is_empty());
    for i in 1..count {
        let same = record[i] == record[i - 1];
        assert_eq!(ordinal[i], if same { ordinal[i - 1] + 1 } else { 0 }, "ordinals of a record");
        assert!(same || group[i] != group[i - 1], "a group is of one record");
    }
    let is_used = |fate: &Fate| matches!(fate, Fate::Used { .. });
    for pair in &batch.pairs {
        let of: Vec<usize> = (0..count).filter(|i| record[*i] == *pair).collect();
        assert!(of.is_empty() || of.len() == 2 && group[of[0]] == group[of[1]], "a pair is two");
        assert!(of.iter().all(|i| is_used(&fates[*i]) == is_used(&fates[of[0]])), "half a pair");
    }
}

fn check_refused(refused: &Refused) {
    let Refused { line, column, error, .. } = refused;
    assert!(*line > 0 && *column != Some(0), "places count from 1: {error}");
    assert_eq!(error.kind, Kind::Data, "{error}");
    assert_ne!(error.plugin_kind, Some(ErrorKind::PANIC), "{error}");
    assert!(!error.message.is_empty() && error.hint.is_some(), "no hint: {error}");
    let told = refused.placed("chats.jsonl").to_string();
    assert!(told.starts_with(&format!("chats.jsonl:{line}:")), "{told}");
}

/// Rows and examples, counted apart from the report.
#[derive(Default)]
struct Tally {
    /// Used, refused, skipped, overlong, untrained, duplicates.
    rows: [u64; 6],
    examples: u64,
    tokens: u64,
    trained: u64,
}

impl Tally {
    fn add(&mut self, batch: &Rendered, fates: &[Fate], scenario: &Scenario) {
        self.rows[1] += batch.refused.len() as u64;
        for (given, row) in (0..).zip(&batch.given) {
            let record = batch.lines.rows[*row as usize].record;
            if batch.refused.iter().any(|refused| refused.record == record) {
                continue;
            }
            let of = (0..fates.len()).filter(|i| batch.examples.record[*i] == given);
            let of: Vec<Fate> = of.map(|i| fates[i]).collect();
            let any = |wanted: fn(&Fate) -> bool| of.iter().any(wanted);
            let kind = if of.is_empty() {
                2
            } else if any(|fate| *fate == Fate::Duplicate) {
                5
            } else if any(|fate| matches!(fate, Fate::Used { .. })) {
                0
            } else if any(|fate| *fate == Fate::Overlong) {
                3
            } else {
                4
            };
            self.rows[kind] += 1;
        }
        for (i, fate) in fates.iter().enumerate() {
            let range = batch.examples.range(i);
            match *fate {
                Fate::Used { tokens, cut } => {
                    assert!(tokens <= range.len() && tokens <= scenario.max_length && tokens > 1);
                    assert!(cut.is_none_or(|cut| cut.lost > 0));
                    let kept = &batch.examples.weights[range][..tokens];
                    let trained = trained_tokens(kept);
                    assert!(trained > 0 || !batch.examples.columns.is_empty(), "trains nothing");
                    self.examples += 1;
                    self.tokens += tokens as u64 - 1;
                    self.trained += trained;
                }
                Fate::Overlong => assert_ne!(scenario.overlong, Overlong::Error),
                Fate::Duplicate => assert!(scenario.dedupe),
                Fate::Untrained | Fate::Refused => {}
            }
        }
    }
}

/// Records and blank lines of JSON Lines up to a limit.
fn rows_of(text: &[u8], limit: Option<u64>) -> (u64, u64) {
    let (mut rows, mut blank) = (0, 0);
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    for (i, line) in lines.into_iter().enumerate() {
        if limit.is_some_and(|limit| rows >= limit) {
            break;
        }
        let line = if i == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        *(if is_blank(line) { &mut blank } else { &mut rows }) += 1;
    }
    (rows, blank)
}
