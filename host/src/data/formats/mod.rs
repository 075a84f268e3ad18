/*!
What a line is, and what it becomes before any renderer sees it: a conversation, a pair of them, a
text, or tokens.

```text
messages, prompt_completion, sharegpt, alpaca ──▶ {"messages": […], …}   a renderer's
preference ───────────────────────────────────▶ two of them              a renderer's, one group
text, tokens ─────────────────────────────────▶ what they say            an example of the host's own
record ───────────────────────────────────────▶ the line                 a renderer's
```

A line is checked to be one JSON object in one pass; its fields are mapped as text, so that nothing
that a renderer may want (tools, flags, keys unknown to us) is lost or rewritten on the way.
*/

mod alpaca;
mod build;
mod calls;
mod detect;
mod messages;
pub(super) mod near;
mod origin;
mod pair;
mod preference;
mod sharegpt;
mod text;
mod tokens;

pub use text::PlainText;
pub use tokens::TokenRow;

use super::{Mapping, scan};
use crate::{Error, config::Format};
use build::Members;
use detect::Telling;
use origin::Origin;
use std::{borrow::Cow, ops::Range};

/// What a line became.
#[derive(Debug)]
pub enum Mapped<'a> {
    /// A record for the renderer.
    One(Conversation<'a>),
    /// Two records for the renderer, which stay together: the chosen one, the rejected one.
    Pair([Conversation<'a>; 2]),
    /// A text.
    Text(PlainText),
    /// An example that was made elsewhere.
    Tokens(TokenRow),
}

/// A record as a renderer gets it.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// The JSON object.
    pub json: Cow<'a, str>,
    /// Where its messages came from; None: from where they stand.
    origin: Option<Origin>,
}

/// Why a line is no record: byte of the line, and the error.
pub type NoRecord = (usize, Error);

/// The shape of a record of messages, for hints.
const MESSAGES: &str = "each record is `{\"messages\": [{\"role\": …, \"content\": …}]}`";

/// Maps a line.
///
/// # Errors
/// Where in the line it is wrong, and how.
pub fn map_record<'l>(line: &'l str, mapping: &Mapping) -> Result<Mapped<'l>, NoRecord> {
    let telling = Telling::of(mapping);
    let found = detect::keys(line, &telling)?;
    let format = match mapping.format {
        Format::Auto => telling.format(line, &found)?,
        named => named,
    };
    Ok(match format {
        Format::Auto | Format::Record => {
            Mapped::One(Conversation { json: Cow::Borrowed(line), origin: None })
        }
        Format::Messages if !found[0] => {
            let name = mapping.name(&mapping.fields.messages, "messages");
            return Err((0, missing(line, name, MESSAGES)));
        }
        Format::Messages => Mapped::One(messages::map(line, mapping)?),
        Format::PromptCompletion => Mapped::One(pair::map(line, mapping)?),
        Format::Sharegpt => Mapped::One(sharegpt::map(line, mapping)?),
        Format::Alpaca => Mapped::One(alpaca::map(line, mapping)?),
        Format::Preference => Mapped::Pair(preference::map(line, mapping)?),
        Format::Text => Mapped::Text(text::map(line, mapping)?),
        Format::Tokens => Mapped::Tokens(tokens::map(line, mapping)?),
    })
}

impl<'a> Mapped<'a> {
    /// The records for the renderer: one, two, or none where the host makes the example.
    #[must_use]
    pub fn conversations(&self) -> &[Conversation<'a>] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Pair(pair) => pair,
            Self::Text(_) | Self::Tokens(_) => &[],
        }
    }
}

impl Conversation<'_> {
    /// Whether the renderer gets the line itself, so that its columns are the line's.
    #[must_use]
    pub fn is_as_in_line(&self) -> bool {
        matches!(self.json, Cow::Borrowed(_))
    }

    /// The path of a field as the line spells it: of a pair, `messages[0].content` is `prompt`.
    #[must_use]
    pub fn field_in_line<'f>(&self, field: &'f str) -> Cow<'f, str> {
        let named = self.origin.as_ref().and_then(|o| o.field(field));
        named.map_or(Cow::Borrowed(field), Cow::Owned)
    }
}

/// The value of a member; None where the line has none of that name.
fn find(line: &str, members: &Members, name: &str) -> Result<Option<Range<usize>>, NoRecord> {
    let mut found = members.iter().filter(|(k, _)| scan::key(line, k) == name);
    let Some((_, value)) = found.next() else { return Ok(None) };
    match found.next() {
        None => Ok(Some(value.clone())),
        Some((again, _)) => {
            let error = Error::data("stands twice").field(name).hint("write every key once");
            Err((again.start, error))
        }
    }
}

/// A member that must be a string where there is one, as JSON; None for an empty one and `null`.
fn text<'l>(
    line: &'l str,
    members: &Members,
    name: &str,
    shape: &str,
) -> Result<Option<(Range<usize>, &'l str)>, NoRecord> {
    let Some(span) = find(line, members, name)? else { return Ok(None) };
    match &line[span.clone()] {
        "\"\"" | "null" => Ok(None),
        text if text.starts_with('"') => Ok(Some((span, text))),
        _ => Err((span.start, wrong("a string", name, shape))),
    }
}

/// A member that must be a string with something in it, as JSON.
fn required<'l>(
    line: &'l str,
    members: &Members,
    name: &str,
    shape: &str,
) -> Result<(Range<usize>, &'l str), NoRecord> {
    match text(line, members, name, shape)? {
        Some(found) => Ok(found),
        None => match find(line, members, name)? {
            Some(span) => Err((span.start, empty(name))),
            None => Err((0, missing(line, name, shape))),
        },
    }
}

fn missing(line: &str, field: &str, shape: &str) -> Error {
    let hint = near::key(&scan::keys(line), &[field]).unwrap_or_else(|| shape.to_owned());
    Error::data("is missing").field(field).hint(hint)
}

fn wrong(expected: &str, field: &str, shape: &str) -> Error {
    Error::data(format!("must be {expected}")).field(field).hint(shape)
}

fn empty(field: &str) -> Error {
    Error::data("is empty").field(field).hint("remove the record")
}

#[cfg(test)]
mod tests;
