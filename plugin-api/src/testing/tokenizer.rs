//! A tokenizer small enough to check by eye.

use crate::{AddedToken, Encoded, Error, Result, Special, TokenizerInfo};

/// One token a byte (ids 0 to 255), then the added tokens: `<s>` is 256, `</s>` is 257.
#[derive(Clone, Debug)]
pub struct ByteTokenizer {
    added: Vec<String>,
    chat_template: Option<String>,
}

impl Default for ByteTokenizer {
    fn default() -> Self {
        Self { added: vec!["<s>".into(), "</s>".into()], chat_template: None }
    }
}

impl ByteTokenizer {
    /// Adds a control token; ids go on from 258.
    #[must_use]
    pub fn with_token(mut self, text: &str) -> Self {
        self.added.push(text.to_owned());
        self
    }

    /// Sets the chat template that [`TokenizerInfo`] tells.
    #[must_use]
    pub fn with_chat_template(mut self, jinja: &str) -> Self {
        self.chat_template = Some(jinja.to_owned());
        self
    }

    /// Tokens of `text`, with the bytes that each covers.
    #[must_use]
    pub fn encode(&self, text: &str, special: Special) -> Encoded {
        let (mut tokens, mut ranges) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < text.len() {
            let (id, bytes) = match self.added_at(&text.as_bytes()[at..], special) {
                Some((id, bytes)) => (id, bytes),
                None => (i32::from(text.as_bytes()[at]), 1),
            };
            tokens.push(id);
            ranges.push((at as u32, (at + bytes) as u32));
            at += bytes;
        }
        (tokens, ranges)
    }

    /// The longest added token that `rest` begins with.
    fn added_at(&self, rest: &[u8], special: Special) -> Option<(i32, usize)> {
        if special == Special::Literal {
            return None;
        }
        let ids = self.added.iter().zip(256..);
        let found = ids.filter(|(text, _)| rest.starts_with(text.as_bytes()));
        found.map(|(text, id)| (id, text.len())).max_by_key(|(_, bytes)| *bytes)
    }

    /// The id of exactly this token.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<i32> {
        match token.as_bytes() {
            [byte] => Some(i32::from(*byte)),
            _ => self.added.iter().zip(256..).find(|(text, _)| *text == token).map(|(_, id)| id),
        }
    }

    /// The bytes of these tokens.
    ///
    /// # Errors
    /// A data error for an id outside the vocabulary.
    pub fn decode(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for &id in tokens {
            match (u8::try_from(id), usize::try_from(id)) {
                (Ok(byte), _) => bytes.push(byte),
                (_, Ok(id)) if id - 256 < self.added.len() => {
                    bytes.extend_from_slice(self.added[id - 256].as_bytes());
                }
                _ => return Err(Error::data(format!("token {id} is outside of the vocabulary"))),
            }
        }
        Ok(bytes)
    }

    /// Facts as a host tells them.
    #[must_use]
    pub fn info(&self) -> TokenizerInfo {
        let token = |(content, id): (&String, i32)| AddedToken {
            id,
            content: content.clone(),
            special: true,
        };
        TokenizerInfo {
            chat_template: self.chat_template.clone(),
            bos_token: Some("<s>".into()),
            eos_token: Some("</s>".into()),
            added_tokens: self.added.iter().zip(256..).map(token).collect(),
            vocab_size: 256 + self.added.len() as u32,
            fingerprint: format!("bytes+{}", self.added.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_parsed_or_left_as_text() {
        let tokenizer = ByteTokenizer::default().with_token("<|eot|>");
        let (parsed, ranges) = tokenizer.encode("é<|eot|>!", Special::Parse);
        assert_eq!(parsed, [0xc3, 0xa9, 258, 0x21]);
        assert_eq!(ranges, [(0, 1), (1, 2), (2, 9), (9, 10)]);
        let (literal, _) = tokenizer.encode("<|eot|>", Special::Literal);
        assert_eq!(literal.len(), 7);
        assert_eq!(tokenizer.decode(&parsed).unwrap(), "é<|eot|>!".as_bytes());
    }

    #[test]
    fn ids_outside_of_the_vocabulary_are_data_errors() {
        let tokenizer = ByteTokenizer::default();
        for id in [-1, 258, i32::MAX] {
            assert_eq!(tokenizer.decode(&[id]).unwrap_err().kind(), crate::ErrorKind::DATA);
        }
    }
}
