/*!
Reading, mapping and rendering at once: one thread reads, some render, the caller gets the batches in
the order of the files.

Only so many batches are between the file and the caller: the reader needs a permit for each, and the
caller gives it back when it has used the batch. Memory therefore does not grow with the file, however
slow the caller is.
*/

use super::{
    Mapping,
    assemble::{self, Unit, assemble},
    dedupe::{self, Print},
    formats::{self, Conversation, Mapped, near},
    limits::Limits,
    made,
    read::{Digested, Lines},
    refused::Refused,
    scan,
    source::DataSource,
    turns::{self, Shortened},
    uniform::Uniform,
};
use crate::{Error, Result, tokenizer::Tokenizer};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};
use tinsmith_plugin_api::{Examples, RendererHandle};

/// What a batch of lines became.
#[derive(Debug)]
pub struct Rendered {
    /// Index of the dataset among the sources.
    pub dataset: usize,
    /// The lines.
    pub lines: Lines,
    /// The examples. Their `record` is an index into `given`.
    pub examples: Examples,
    /// Which rows of `lines` the renderer was given: indices into `lines.rows`.
    pub given: Vec<u32>,
    /// Rows that gave no example because something is wrong with them, in order.
    pub refused: Vec<Refused>,
    /// Rows that were refused after they were rendered: indices into `given`.
    pub misfits: Vec<u32>,
    /// Rows that are preference pairs: indices into `given`, rising.
    pub pairs: Vec<u32>,
    /// A hash of what each row was mapped to, if asked for: one for each of `given`.
    pub prints: Vec<Print>,
    /// The columns of rows of tokens: index into `given`, and names.
    pub(super) columns: Vec<(u32, Vec<String>)>,
    /// Rows of which turns were left out so that they fit, in order.
    pub shortened: Vec<Shortened>,
}

/// What makes examples of records.
#[derive(Clone, Copy)]
pub struct Makers<'a> {
    /// Makes them of conversations.
    pub renderer: &'a dyn RendererHandle,
    /// For texts and tokens, which no renderer sees. None: such rows are refused.
    pub tokenizer: Option<&'a Tokenizer>,
    /// Whether to hash every row.
    pub prints: bool,
}

impl std::fmt::Debug for Makers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Makers").field("prints", &self.prints).finish_non_exhaustive()
    }
}

/// What the caller of [`stream`] is told, in order.
#[derive(Debug)]
pub enum Step {
    /// A batch.
    Batch(Box<Rendered>),
    /// A dataset was read to its end, or to its limit.
    End {
        /// Index of the dataset among the sources.
        dataset: usize,
        /// What was read.
        digest: Digested,
    },
}

/// Bytes above which a batch waits for the one thread that renders long ones. Tokenising a text takes
/// more than a hundred times its size, and every thread that did it would keep some of that.
const LONG: usize = 4 << 20;

type Answer = (u64, Result<Step>);

struct Work<'s> {
    sequence: u64,
    dataset: usize,
    mapping: &'s Mapping,
    lines: Lines,
}

/// Renders datasets one after the other on `threads` threads and hands the results to `each`, in
/// order, on this thread, until there are no more or it breaks off. Of the limits, only
/// `drop_turns` is seen to here; the others are [`super::Judge`]'s.
///
/// # Errors
/// If a dataset cannot be read, if the renderer as a whole fails, and whatever `each` answers.
/// Wrong rows are no errors; they are in [`Rendered::refused`].
pub fn stream(
    sources: &[DataSource],
    makers: Makers<'_>,
    limits: Limits,
    threads: usize,
    each: &mut dyn FnMut(Step) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let threads = threads.max(1);
    let (permit, permits) = mpsc::channel::<()>();
    for _ in 0..2 * threads + 2 {
        // The receiver is right here.
        let _ = permit.send(());
    }
    let (give, work) = mpsc::channel::<Work<'_>>();
    let (answer, answers) = mpsc::channel::<Answer>();
    let (give_long, long) = mpsc::channel::<Work<'_>>();
    let (work, long) = (Mutex::new(work), Mutex::new(long));
    thread::scope(|scope| {
        let reader = answer.clone();
        scope.spawn(move || read_all(sources, &permits, &give, &give_long, &reader));
        for queue in std::iter::once(&long).chain(std::iter::repeat_n(&work, threads)) {
            let answer = answer.clone();
            scope.spawn(move || render_all(makers, limits, queue, &answer));
        }
        drop(answer);
        // Both ends of this thread go when it returns: then the others have nobody to work for.
        in_order(answers, permit, each)
    })
}

/// Takes answers as they come and hands them on in order.
#[allow(clippy::needless_pass_by_value)]
fn in_order(
    answers: Receiver<Answer>,
    permit: Sender<()>,
    each: &mut dyn FnMut(Step) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut early = BTreeMap::new();
    let mut uniform = Uniform::default();
    let mut next = 0;
    for (sequence, step) in answers {
        early.insert(sequence, step);
        while let Some(step) = early.remove(&next) {
            next += 1;
            let mut step = step?;
            if let Step::Batch(batch) = &mut step {
                uniform.check(batch);
            }
            if each(step)?.is_break() {
                return Ok(());
            }
            // The reader may have ended.
            let _ = permit.send(());
        }
    }
    Ok(())
}

/// Reads until the end, an error, or until nobody waits for more.
fn read_all<'s>(
    sources: &'s [DataSource],
    permits: &Receiver<()>,
    work: &Sender<Work<'s>>,
    long: &Sender<Work<'s>>,
    answers: &Sender<Answer>,
) {
    let mut sequence = 0;
    for (dataset, source) in sources.iter().enumerate() {
        let mut reader = match source.lines() {
            Ok(reader) => reader,
            Err(e) => {
                let _ = answers.send((sequence, Err(e)));
                return;
            }
        };
        loop {
            if permits.recv().is_err() {
                return;
            }
            let this = sequence;
            sequence += 1;
            let sent = match reader.next_lines() {
                Ok(Some(lines)) => {
                    let mapping = &source.mapping;
                    let queue = if lines.bytes() > LONG { long } else { work };
                    queue.send(Work { sequence: this, dataset, mapping, lines }).is_ok()
                }
                Ok(None) => {
                    let end = source.digest(&reader);
                    let failed = end.is_err();
                    let end = end.map(|digest| Step::End { dataset, digest });
                    if answers.send((this, end)).is_err() || failed {
                        return;
                    }
                    break;
                }
                Err(e) => {
                    let _ = answers.send((this, Err(source.blame(e))));
                    return;
                }
            };
            if !sent {
                return;
            }
        }
    }
}

fn render_all(
    makers: Makers<'_>,
    limits: Limits,
    work: &Mutex<Receiver<Work<'_>>>,
    answers: &Sender<Answer>,
) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        let sequence = work.sequence;
        let rendered = render(makers, limits, work).map(|r| Step::Batch(Box::new(r)));
        if answers.send((sequence, rendered)).is_err() {
            return;
        }
    }
}

fn render(makers: Makers<'_>, limits: Limits, work: Work<'_>) -> Result<Rendered> {
    let Work { dataset, mapping, mut lines, .. } = work;
    let mut refused = std::mem::take(&mut lines.refused);
    let mut batch = Mappings::default();
    for (i, row) in lines.rows.iter().enumerate() {
        let text = lines.text(row);
        let made = match formats::map_record(text, mapping) {
            Ok(mapped) => batch.take(i as u32, mapped, makers),
            Err(wrong) => Err(wrong),
        };
        if let Err((at, error)) = made {
            // The host's own examples are told by their field alone.
            let at = match (&error.field, at) {
                (Some(field), 0) => scan::locate(text, field),
                _ => at,
            };
            refused.push(lines.refuse(row, Some(at), error));
        }
    }
    let Mappings { conversations, owners, units, given, pairs, prints, columns } = batch;
    let records: Vec<&str> = conversations.iter().map(|c| c.json.as_ref()).collect();
    // A plugin is not asked about nothing.
    let mut examples = match records.is_empty() {
        true => Examples::default(),
        false => makers.renderer.render_batch(&records)?,
    };
    for wrong in std::mem::take(&mut examples.errors) {
        let at = wrong.record as usize;
        let (Some(owner), Some(conversation)) = (owners.get(at), conversations.get(at)) else {
            return Err(Error::failed("the renderer refused a record that it was not given"));
        };
        let row = &lines.rows[given[*owner as usize] as usize];
        let (at, error) = place(lines.text(row), conversation, wrong.error);
        refused.push(lines.refuse(row, at, error));
    }
    if examples.record.iter().any(|r| *r as usize >= conversations.len()) {
        return Err(Error::failed("the renderer answered for a record that it was not given"));
    }
    let shortened = turns::shorten(makers.renderer, &records, &owners, &mut examples, limits)?;
    drop(records);
    drop(conversations);
    let mut misfits = Vec::new();
    if !assemble::is_whole(&units) {
        let (whole, no_pairs) = assemble(&units, &examples);
        examples = whole;
        for (at, error) in no_pairs {
            let row = &lines.rows[given[at as usize] as usize];
            if !refused.iter().any(|r| r.record == row.record) {
                refused.push(lines.refuse(row, None, error));
            }
            misfits.push(at);
        }
    }
    refused.sort_by_key(|r| r.record);
    refused.dedup_by_key(|r| r.record);
    Ok(Rendered {
        dataset,
        lines,
        examples,
        given,
        refused,
        misfits,
        pairs,
        prints,
        columns,
        shortened,
    })
}

/// What the rows of a batch are mapped to.
#[derive(Default)]
struct Mappings<'l> {
    /// For the renderer.
    conversations: Vec<Conversation<'l>>,
    /// Which of `given` each conversation is of.
    owners: Vec<u32>,
    units: Vec<Unit>,
    given: Vec<u32>,
    pairs: Vec<u32>,
    prints: Vec<Print>,
    columns: Vec<(u32, Vec<String>)>,
}

impl<'l> Mappings<'l> {
    fn take(
        &mut self,
        row: u32,
        mapped: Mapped<'l>,
        makers: Makers<'_>,
    ) -> Result<(), formats::NoRecord> {
        let print = makers.prints.then(|| dedupe::print(&mapped));
        let (at, first) = (self.given.len() as u32, self.conversations.len() as u32);
        let tokenizer = makers.tokenizer.ok_or_else(|| {
            (
                0,
                Error::data("there is no prompt in a text or in tokens")
                    .hint("only conversations have prompts"),
            )
        });
        let unit = match mapped {
            Mapped::One(one) => {
                self.conversations.push(one);
                Unit::One(first)
            }
            Mapped::Pair(pair) => {
                self.conversations.extend(pair);
                self.pairs.push(at);
                Unit::Pair(first)
            }
            Mapped::Text(text) => Unit::Made(made::text(&text, tokenizer?).map_err(|e| (0, e))?),
            Mapped::Tokens(tokens) => {
                let made = made::tokens(tokens, tokenizer?).map_err(|e| (0, e))?;
                let names = made.columns.iter().map(|(name, _)| name.clone()).collect();
                self.columns.push((at, names));
                Unit::Made(made)
            }
        };
        self.owners.resize(self.conversations.len(), at);
        self.units.push(unit);
        self.given.push(row);
        self.prints.extend(print);
        Ok(())
    }
}

/// Finds the byte that a renderer's error is about, and spells its field as the line does.
fn place(
    line: &str,
    record: &Conversation<'_>,
    error: tinsmith_plugin_api::Error,
) -> (Option<usize>, Error) {
    let refused = error.clone();
    let mut error = Error::from(error);
    error.kind = crate::Kind::Data;
    if let Some(field) = error.field.take() {
        let field = record.field_in_line(&field).into_owned();
        let at = scan::locate(line, &field);
        error.field = Some(field);
        if let Some(hint) = near::better(&refused, line, at) {
            error.hint = Some(hint);
        }
        return (Some(at), error);
    }
    // serde tells where, at the end of its message; a record is one line.
    let place = error.message.rsplit_once(" at line 1 column ");
    let Some((message, at)) = place.and_then(|(m, at)| Some((m, at.parse::<usize>().ok()?))) else {
        return (None, error);
    };
    error.message = message.to_owned();
    (record.is_as_in_line().then(|| at.saturating_sub(1)), error)
}

#[cfg(test)]
mod tests;
