//! `{"instruction": …, "input": …, "output": …}`, with `system` and `history` where a line has them.
//! The user's message is the instruction, and below it the input, if there is one.

use super::{Conversation, NoRecord, build::Build, find};
use crate::{
    Error,
    data::{Mapping, scan},
};

const SHAPE: &str = "each record is `{\"instruction\": …, \"input\": …, \"output\": …}`";

/// Maps a line.
pub(super) fn map<'l>(line: &'l str, mapping: &Mapping) -> Result<Conversation<'l>, NoRecord> {
    let members = scan::members(line, 0);
    let fields = &mapping.fields;
    let name = |given, own| mapping.name(given, own);
    let instruction = name(&fields.instruction, "instruction");
    let (input, output) = (name(&fields.input, "input"), name(&fields.output, "output"));
    let (system, history) = (name(&fields.system, "system"), name(&fields.history, "history"));
    let text = |field: &str| super::text(line, &members, field, SHAPE);
    let (_, asked) = super::required(line, &members, instruction, SHAPE)?;
    let (_, answered) = super::required(line, &members, output, SHAPE)?;
    let mut build = Build::new(line);
    if let Some((_, text)) = text(system)? {
        build.text("system", text, system);
    }
    if let Some(span) = find(line, &members, history)?
        && &line[span.clone()] != "null"
    {
        build.turns(&turns(line, &span, history)?, history);
    }
    match text(input)? {
        // Both are JSON strings: without the quotes between them they are one.
        Some((_, more)) => {
            let joined = format!("{}\\n{}", &asked[..asked.len() - 1], &more[1..]);
            build.text("user", &joined, instruction);
        }
        None => build.text("user", asked, instruction),
    }
    build.text("assistant", answered, output);
    Ok(build.finish(&members, &[instruction, input, output, system, history], mapping))
}

/// `[["question", "answer"], …]`
fn turns<'l>(
    line: &'l str,
    span: &std::ops::Range<usize>,
    name: &str,
) -> Result<Vec<[&'l str; 2]>, NoRecord> {
    let wrong = |at: usize, field: String| {
        let error = Error::data("must be a list of two strings").field(field);
        (at, error.hint("`history` is `[[\"question\", \"answer\"], …]`"))
    };
    if !line[span.clone()].starts_with('[') {
        return Err(wrong(span.start, name.to_owned()));
    }
    let elements = scan::elements(line, span.start);
    let pair = |(i, element): (usize, &std::ops::Range<usize>)| {
        let texts = scan::elements(line, element.start);
        match texts.as_slice() {
            [question, answer]
                if line[element.clone()].starts_with('[')
                    && [question, answer].iter().all(|s| line[(*s).clone()].starts_with('"')) =>
            {
                Ok([&line[question.clone()], &line[answer.clone()]])
            }
            _ => Err(wrong(element.start, format!("{name}[{i}]"))),
        }
    };
    elements.iter().enumerate().map(pair).collect()
}
