//! A tokenizer without the `tokenizers` crate: its own tables, read as a stream. That crate holds a
//! vocabulary several times over while it reads it, so it is only asked when nothing is known of a
//! file yet.

use super::{Encoder, Slow, check, mark::Mark, model::Tokens, parts::Parts};
use crate::{
    Result,
    tokenizer::{files::Files, is_control, reference::Reference, vocabulary::Vocabulary},
};
use tokenizers::AddedToken;

/// What stands in for a [`Reference`].
#[derive(Debug)]
pub struct Fast {
    /// Text to tokens.
    pub encoder: Encoder,
    tokens: Tokens,
    /// Added tokens, by id.
    pub added: Vec<(u32, AddedToken)>,
}

impl Fast {
    /// The tokenizer of these files, with the bytes of its tokens.
    ///
    /// # Errors
    /// In words, what the files have that is not known here.
    pub fn read(files: &Files) -> std::result::Result<(Self, Vocabulary), String> {
        let parts = Parts::read(&files.tokenizer)?;
        let mut added = parts.added(&files.added)?;
        added.iter_mut().for_each(|(_, token)| token.special = is_control(token));
        let (encoder, tokens, vocabulary) = parts.build(&added)?;
        Ok((Self { encoder, tokens, added }, vocabulary))
    }

    /// Compares it with the reference, unless this program has done so before with these files.
    ///
    /// # Errors
    /// A usage error with the file, if the reference cannot read it. Within: the reference, which
    /// does not agree.
    pub fn checked(
        self,
        files: &Files,
        fingerprint: &str,
    ) -> Result<std::result::Result<Self, Reference>> {
        let mark = Mark::of(files, fingerprint, &self.added);
        if mark.is_set() {
            return Ok(Ok(self));
        }
        let mut reference = Reference::load(files, Slow::Differs(String::new()))?;
        let difference = self.added_difference(&reference.parse).map_or_else(
            || check::first_difference(&self.encoder, &mut reference.parse),
            |token| Ok(Some(token)),
        );
        reference.slow = match difference {
            Ok(None) => {
                mark.set();
                return Ok(Ok(self));
            }
            Ok(Some(text)) => Slow::Differs(text),
            Err(what) => Slow::Unknown(what),
        };
        Ok(Err(reference))
    }

    /// An added token of which the reference thinks otherwise.
    fn added_difference(&self, reference: &tokenizers::Tokenizer) -> Option<String> {
        let theirs = reference.get_added_tokens_decoder();
        let ours = self.added.iter().find(|(id, token)| theirs.get(id) != Some(token));
        let missing = || {
            let known = |id: &u32| self.added.iter().any(|(ours, _)| ours == id);
            theirs.iter().find(|(id, _)| !known(id)).map(|(_, token)| token)
        };
        ours.map(|(_, token)| token).or_else(missing).map(|token| token.content.clone())
    }

    /// The id of exactly this token.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        let added = self.added.iter().find(|(_, added)| added.content == token);
        added.map(|(id, _)| *id).or_else(|| self.tokens.id(token))
    }
}
