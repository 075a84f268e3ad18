//! Keeps control-token texts that users wrote apart from those that the template writes.
//!
//! A conversation *about* chat formats may hold `<|im_end|>` as text. Before the template runs, each
//! such text in the record is replaced by one private-use character; afterwards every control-token
//! text in the output is the template's own. Encoding puts the texts back, literally.

use crate::controls::Controls;
use tinsmith_plugin_api::{Error, Result};

/// Stand-ins are counted from here: the private-use plane 15, which has no characters of its own.
const FIRST: u32 = 0xf_0000;
/// Stand-ins of one conversation; the plane has 65,534 characters.
const MOST: u32 = 0xfff0;

/// The texts that were replaced in one conversation.
#[derive(Debug, Default)]
pub(super) struct Shield {
    texts: Vec<String>,
}

impl Shield {
    /// Replaces the control-token texts in a user's string.
    pub(super) fn cover(&mut self, text: &mut String, controls: &Controls) -> Result<()> {
        if text.chars().any(|c| c as u32 >= FIRST) {
            return Err(Error::data("holds characters of the private-use planes, from U+F0000 on")
                .with_hint("remove them: no text uses them, and this renderer does itself"));
        }
        let mut covered = String::new();
        let mut rest = 0;
        for (_, range) in controls.all(text) {
            let stand_in = (self.texts.len() < MOST as usize)
                .then(|| char::from_u32(FIRST + self.texts.len() as u32))
                .flatten()
                .ok_or_else(|| {
                    Error::data(format!("holds more than {MOST} control-token texts"))
                })?;
            covered.push_str(&text[rest..range.start]);
            covered.push(stand_in);
            self.texts.push(text[range.clone()].to_owned());
            rest = range.end;
        }
        if rest > 0 {
            covered.push_str(&text[rest..]);
            *text = covered;
        }
        Ok(())
    }

    /// Whether nothing was replaced.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text behind a stand-in.
    pub(super) fn text(&self, c: char) -> Option<&str> {
        let index = (c as u32).checked_sub(FIRST)?;
        self.texts.get(index as usize).map(String::as_str)
    }
}
