/*!
Reading, mapping and rendering at once: one thread reads, some render, the caller gets the batches in
the order of the files.

Only so many batches are between the file and the caller: the reader needs a permit for each, and the
caller gives it back when it has used the batch. Memory therefore does not grow with the file, however
slow the caller is.
*/

use super::{
    formats::{self, Mapped},
    limits::Limits,
    read::{Digested, Lines, Reader},
    refused::Refused,
    scan,
    source::DataSource,
    turns::{self, Shortened},
};
use crate::{Error, Result, config::Format};
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
    /// Records of which turns were left out so that they fit, in order.
    pub shortened: Vec<Shortened>,
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

struct Work {
    sequence: u64,
    dataset: usize,
    format: Format,
    lines: Lines,
}

/// Renders datasets one after the other on `threads` threads and hands the results to `each`, in
/// order, on this thread, until there are no more or it breaks off. Of the limits, only
/// `drop_turns` is seen to here; the others are [`super::judge`]'s.
///
/// # Errors
/// If a dataset cannot be read, if the renderer as a whole fails, and whatever `each` answers.
/// Wrong rows are no errors; they are in [`Rendered::refused`].
pub fn stream(
    sources: &[DataSource],
    renderer: &dyn RendererHandle,
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
    let (give, work) = mpsc::channel::<Work>();
    let (answer, answers) = mpsc::channel::<Answer>();
    let (give_long, long) = mpsc::channel::<Work>();
    let (work, long) = (Mutex::new(work), Mutex::new(long));
    thread::scope(|scope| {
        let reader = answer.clone();
        scope.spawn(move || read_all(sources, &permits, &give, &give_long, &reader));
        for queue in std::iter::once(&long).chain(std::iter::repeat_n(&work, threads)) {
            let answer = answer.clone();
            scope.spawn(move || render_all(renderer, limits, queue, &answer));
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
    let mut next = 0;
    for (sequence, step) in answers {
        early.insert(sequence, step);
        while let Some(step) = early.remove(&next) {
            next += 1;
            if each(step?)?.is_break() {
                return Ok(());
            }
            // The reader may have ended.
            let _ = permit.send(());
        }
    }
    Ok(())
}

/// Reads until the end, an error, or until nobody waits for more.
fn read_all(
    sources: &[DataSource],
    permits: &Receiver<()>,
    work: &Sender<Work>,
    long: &Sender<Work>,
    answers: &Sender<Answer>,
) {
    let mut sequence = 0;
    for (dataset, source) in sources.iter().enumerate() {
        let mut reader = match source.open(0) {
            Ok(input) => Reader::new(input, source.limit),
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
                    let format = source.format;
                    let queue = if lines.bytes() > LONG { long } else { work };
                    queue.send(Work { sequence: this, dataset, format, lines }).is_ok()
                }
                Ok(None) => {
                    let end = Step::End { dataset, digest: reader.digest() };
                    if answers.send((this, Ok(end))).is_err() {
                        return;
                    }
                    break;
                }
                Err(e) => {
                    let e = e.context(format!("dataset `{}`", source.name()));
                    let _ = answers.send((this, Err(e)));
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
    renderer: &dyn RendererHandle,
    limits: Limits,
    work: &Mutex<Receiver<Work>>,
    answers: &Sender<Answer>,
) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        let sequence = work.sequence;
        let rendered = render(renderer, limits, work).map(|r| Step::Batch(Box::new(r)));
        if answers.send((sequence, rendered)).is_err() {
            return;
        }
    }
}

fn render(renderer: &dyn RendererHandle, limits: Limits, work: Work) -> Result<Rendered> {
    let Work { dataset, format, mut lines, .. } = work;
    let mut refused = std::mem::take(&mut lines.refused);
    let mut mapped: Vec<Mapped<'_>> = Vec::with_capacity(lines.rows.len());
    let mut given = Vec::with_capacity(lines.rows.len());
    for (i, row) in lines.rows.iter().enumerate() {
        let text = lines.text(row);
        match formats::map_record(text, format) {
            Ok(record) => {
                mapped.push(record);
                given.push(i as u32);
            }
            Err((at, error)) => {
                refused.push(Refused::new(row.line, row.record, Some(column(text, at)), error));
            }
        }
    }
    let records: Vec<&str> = mapped.iter().map(|m| m.json.as_ref()).collect();
    let mut examples = renderer.render_batch(&records)?;
    for wrong in std::mem::take(&mut examples.errors) {
        let found = given.get(wrong.record as usize).zip(mapped.get(wrong.record as usize));
        let Some((row, record)) = found else {
            return Err(Error::failed("the renderer refused a record that it was not given"));
        };
        let row = &lines.rows[*row as usize];
        let (column, error) = place(lines.text(row), record, wrong.error);
        refused.push(Refused::new(row.line, row.record, column, error));
    }
    if examples.record.iter().any(|r| *r as usize >= given.len()) {
        return Err(Error::failed("the renderer answered for a record that it was not given"));
    }
    let shortened = turns::shorten(renderer, &records, &mut examples, limits)?;
    refused.sort_by_key(|r| r.record);
    refused.dedup_by_key(|r| r.record);
    drop(mapped);
    Ok(Rendered { dataset, lines, examples, given, refused, shortened })
}

/// Finds the column that a renderer's error is about, and spells its field as the line does.
fn place(
    line: &str,
    record: &Mapped<'_>,
    error: tinsmith_plugin_api::Error,
) -> (Option<u64>, Error) {
    let mut error = Error::from(error);
    error.kind = crate::Kind::Data;
    if let Some(field) = error.field.take() {
        let field = record.field_in_line(&field).into_owned();
        let at = scan::locate(line, &field);
        error.field = Some(field);
        return (Some(column(line, at)), error);
    }
    // serde tells where, at the end of its message; a record is one line.
    let place = error.message.rsplit_once(" at line 1 column ");
    let Some((message, at)) = place.and_then(|(m, at)| Some((m, at.parse::<usize>().ok()?))) else {
        return (None, error);
    };
    error.message = message.to_owned();
    (record.is_as_in_line().then(|| column(line, at.saturating_sub(1))), error)
}

/// The column, from 1 and in characters, of a byte of the line.
fn column(line: &str, byte: usize) -> u64 {
    let before = line.char_indices().take_while(|(at, _)| *at < byte).count();
    before as u64 + 1
}

#[cfg(test)]
mod tests;
