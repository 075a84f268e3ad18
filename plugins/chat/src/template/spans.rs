//! Where the trained parts lie in the rendered text.
//!
//! A template gives text, not parts. What the assistant wrote in message `i` is found by rendering
//! beginnings of the conversation: everything up to message `i` with the generation prompt shows
//! where the answer starts, everything up to and with message `i` shows where it ends. Both must be
//! prefixes of the whole text. They are not if the template shows an answer one way while it is the
//! last and another way in the history (models that drop their old reasoning do that); then training
//! on it would show the model what it never sees, and the record is refused.
//!
//! A template with `{% generation %}` blocks says itself what the assistant writes.

use super::{jinja::Jinja, marks::take_marks, record::Conversation};
use crate::controls::Controls;
use crate::schema::{Message, Role};
use std::ops::Range;
use tinsmith_plugin_api::{Error, Result};

/// Stands for a content while the template is asked where it shows it. Records that hold the
/// character are refused (`shield.rs`).
const STAND_IN: &str = "\u{10fffb}";

/// A rendered conversation, and the byte ranges of its text that are trained, ascending.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) text: String,
    pub(super) spans: Vec<Range<usize>>,
    /// How much each of them counts.
    pub(super) weights: Vec<f32>,
}

/// Everything but the beginning-of-sequence token.
pub(super) fn all_but_bos(jinja: &Jinja, talk: &Conversation, bos: Option<&str>) -> Result<Found> {
    let (text, _) = take_marks(&jinja.render(talk, talk.messages.len(), false)?)?;
    let start = bos.filter(|bos| text.starts_with(bos)).map_or(0, str::len);
    let spans = std::iter::once(start..text.len()).collect();
    Ok(Found { text, spans, weights: vec![1.0] })
}

/// Why the outputs of a conversation are not found.
#[derive(Debug)]
pub(super) enum Miss {
    /// The template shows the answer of this message differently once the conversation goes on.
    Rewritten(usize),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Miss {
    fn from(e: Error) -> Self {
        Self::Other(e)
    }
}

impl From<Miss> for Error {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Rewritten(i) => rewritten(i),
            Miss::Other(e) => e,
        }
    }
}

/// The outputs of the trained messages.
///
/// # Errors
/// A data error that names the message whose output cannot be found exactly.
pub(super) fn find(
    jinja: &Jinja,
    controls: &Controls,
    talk: &Conversation,
    messages: &[Message<'_>],
    weights: &[f32],
) -> Result<Found, Miss> {
    let (text, generated) = take_marks(&jinja.render(talk, messages.len(), false)?)?;
    let seeker = Seeker { jinja, controls, talk, text: &text, count: messages.len() };
    let answers = messages.iter().filter(|message| message.role == Role::Assistant).count();
    if jinja.marks && generated.len() != answers {
        let blocks = generated.len();
        return Err(Error::data(format!(
            "the chat template marks {blocks} `generation` blocks for {answers} answers"
        ))
        .at("messages")
        .with_hint("give a template without `generation` blocks as `renderer.chat_template`")
        .into());
    }
    let mut generated = generated.into_iter();
    let mut found = Found { text: String::new(), spans: Vec::new(), weights: Vec::new() };
    for (i, (message, weight)) in messages.iter().zip(weights).enumerate() {
        let assistant = message.role == Role::Assistant;
        let marked = if assistant { generated.next() } else { None };
        if *weight <= 0.0 {
            continue;
        }
        let span = match marked {
            Some(marked) => marked,
            None if assistant => seeker.answer(i)?,
            None => seeker.other(i, message)?,
        };
        if span.is_empty() {
            return Err(Error::data("the chat template shows nothing of this message")
                .at(format!("messages[{i}]"))
                .with_hint("remove the message or the record")
                .into());
        }
        found.spans.push(span);
        found.weights.push(*weight);
    }
    Ok(Found { text, ..found })
}

/// One conversation and its whole text.
struct Seeker<'a> {
    jinja: &'a Jinja,
    controls: &'a Controls,
    talk: &'a Conversation,
    text: &'a str,
    count: usize,
}

impl Seeker<'_> {
    /// What the assistant writes in message `i`: from the end of its generation prompt.
    fn answer(&self, i: usize) -> Result<Range<usize>, Miss> {
        let (prompt, _) = take_marks(&self.jinja.render(self.talk, i, true)?)?;
        let last = i + 1 == self.count;
        if !self.text.starts_with(&prompt) {
            return Err(if last { off_prompt(i).into() } else { Miss::Rewritten(i) });
        }
        let end = if last { Some(self.text.len()) } else { self.end_of(i + 1) };
        let Some(end) = end.filter(|end| *end >= prompt.len()) else {
            return Err(Miss::Rewritten(i));
        };
        Ok(self.to_end_of_turn(prompt.len()..end))
    }

    /// What another role says in message `i`: from the start of its content, which is where a
    /// stand-in for the content appears.
    fn other(&self, i: usize, message: &Message<'_>) -> Result<Range<usize>> {
        let lost = || {
            Error::data("the chat template does not show this message as a part of its own")
                .at(format!("messages[{i}]"))
                .with_hint("choose a `data.train_on` that trains the assistant only")
        };
        let start = if i == 0 { 0 } else { self.end_of(i).ok_or_else(lost)? };
        let end = self.end_of(i + 1).ok_or_else(lost)?;
        let region = self.text.get(start..end).ok_or_else(lost)?;
        let probe = self.talk.with_content(i, STAND_IN);
        let (probed, _) = take_marks(&self.jinja.render(&probe, i + 1, false)?)?;
        let around = probed.get(start..).and_then(|text| text.split_once(STAND_IN));
        let (before, after) = around.ok_or_else(lost)?;
        let shown = region.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let content = self.talk.content(i).unwrap_or_else(|| message.content.text().into_owned());
        match shown {
            Some(shown) if shown.trim() == content.trim() => {
                Ok(self.to_end_of_turn(start + before.len()..end))
            }
            _ => Err(lost()),
        }
    }

    /// Length of the text of the first `count` messages, if the whole text begins with it.
    fn end_of(&self, count: usize) -> Option<usize> {
        if count == self.count {
            return Some(self.text.len());
        }
        let text = self.jinja.render(self.talk, count, false).ok()?;
        let (text, _) = take_marks(&text).ok()?;
        self.text.starts_with(&text).then_some(text.len())
    }

    /// Cuts what the template writes behind the last control token: a line break that belongs to
    /// the next message. Without a control token all of it is the message's.
    fn to_end_of_turn(&self, range: Range<usize>) -> Range<usize> {
        let last = self.controls.all(&self.text[range.clone()]).last();
        let end = last.map_or(range.end, |(_, found)| range.start + found.end);
        range.start..end
    }
}

fn off_prompt(i: usize) -> Error {
    Error::data("the chat template does not show this answer behind its own generation prompt")
        .at(format!("messages[{i}]"))
        .with_hint(
            "set `renderer.variables` so that they agree (such as `enable_thinking: false`), or \
             choose another renderer",
        )
}

fn rewritten(i: usize) -> Error {
    Error::data("the chat template shows this answer differently once the conversation goes on")
        .at(format!("messages[{i}]"))
        .with_hint("set `data.train_on: last_assistant_message`, or choose another renderer")
}
