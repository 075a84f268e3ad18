//! From the rendered text to tokens.

use super::shield::Shield;
use crate::controls::Controls;
use std::ops::Range;
use tinsmith_plugin_api::{Error, Result, Services, Special};

/// Encodes rendered texts.
#[derive(Debug)]
pub(super) struct Encoder {
    services: Services,
    controls: Controls,
}

/// Tokens, and the bytes of the rendered text that each covers.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) tokens: Vec<i32>,
    pub(super) ranges: Vec<Range<usize>>,
}

impl Encoder {
    pub(super) fn new(services: Services, controls: Controls) -> Self {
        Self { services, controls }
    }

    pub(super) fn controls(&self) -> &Controls {
        &self.controls
    }

    /// Encodes the text so that no token reaches over the start or end of a span.
    ///
    /// The text is encoded whole, as `transformers` does it. Where a token would reach over a
    /// border (an answer that begins with a line break, behind a header that ends with one), the
    /// parts are encoded on their own, as they are when the model writes the answer itself.
    ///
    /// # Errors
    /// A data error if the parts do not decode to the same text as the whole, as with tokenizers
    /// that put a space before everything.
    pub(super) fn encode_split(
        &self,
        text: &str,
        shield: &Shield,
        spans: &[Range<usize>],
    ) -> Result<Encoded> {
        let mut whole = Encoded::default();
        self.encode(text, 0, shield, &mut whole)?;
        let mut borders: Vec<usize> = spans.iter().flat_map(|s| [s.start, s.end]).collect();
        borders.sort_unstable();
        borders.dedup();
        let crossed = |r: &Range<usize>| borders.iter().any(|b| r.start < *b && *b < r.end);
        if !whole.ranges.iter().any(crossed) {
            return Ok(whole);
        }
        let mut parts = Encoded::default();
        let mut start = 0;
        for end in borders.into_iter().chain([text.len()]) {
            self.encode(&text[start..end], start, shield, &mut parts)?;
            start = end;
        }
        if self.services.decode_bytes(&parts.tokens)?
            != self.services.decode_bytes(&whole.tokens)?
        {
            return Err(Error::data("the answers cannot be tokenised apart from their headers")
                .at("messages")
                .with_hint("begin the answers without white space, or choose another renderer"));
        }
        Ok(parts)
    }

    /// Appends the tokens of `text`, which begins at byte `base` of the rendered text.
    fn encode(&self, text: &str, base: usize, shield: &Shield, out: &mut Encoded) -> Result<()> {
        if shield.is_empty() {
            return self.piece(text, Special::Parse, out, |at| base + at);
        }
        // Every control token in the text is the template's; between them all is literal.
        let mut rest = 0;
        for (id, range) in self.controls.all(text) {
            self.literal(&text[rest..range.start], base + rest, shield, out)?;
            out.tokens.push(id);
            out.ranges.push(base + range.start..base + range.end);
            rest = range.end;
        }
        self.literal(&text[rest..], base + rest, shield, out)
    }

    /// Encodes text with the shielded texts put back.
    fn literal(&self, text: &str, base: usize, shield: &Shield, out: &mut Encoded) -> Result<()> {
        let mut restored = String::with_capacity(text.len());
        // Where each stand-in lies in `text`, and its text in `restored`.
        let mut moved: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for (at, c) in text.char_indices() {
            match shield.text(c) {
                Some(original) => {
                    let from = restored.len();
                    restored.push_str(original);
                    moved.push((at..at + c.len_utf8(), from..restored.len()));
                }
                None => restored.push(c),
            }
        }
        let back = |at: usize| {
            let (mut here, mut there) = (0, 0);
            for (stand_in, original) in &moved {
                if at < original.start {
                    break;
                }
                if at < original.end {
                    return base + stand_in.start;
                }
                (here, there) = (stand_in.end, original.end);
            }
            base + here + (at - there)
        };
        self.piece(&restored, Special::Literal, out, back)
    }

    fn piece(
        &self,
        text: &str,
        special: Special,
        out: &mut Encoded,
        place: impl Fn(usize) -> usize,
    ) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let (tokens, ranges) = self.services.encode_offsets(text, special)?;
        out.tokens.extend(tokens);
        let place = |(start, end): (u32, u32)| place(start as usize)..place(end as usize);
        out.ranges.extend(ranges.into_iter().map(place));
        Ok(())
    }
}
