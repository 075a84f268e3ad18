//! When a sample ends.

use tinsmith_plugin_api::{Error, ErrorKind, Result, SampleRequest, Services, StreamDecoder};

/// What ends the samples of a request.
#[derive(Clone, Debug)]
pub struct Stops {
    tokens: Vec<i32>,
    texts: Vec<String>,
    longest: usize,
}

impl Stops {
    /// The stops of a request; `eos` are the model's own.
    ///
    /// # Errors
    /// `rejected` for an empty stop text.
    pub fn new(request: &SampleRequest, eos: &[i32]) -> Result<Self> {
        let texts = request.stop_strings.clone();
        if texts.iter().any(String::is_empty) {
            return Err(Error::rejected("an empty text would end every sample").at("stop_strings"));
        }
        let tokens = request.stop_tokens.clone().unwrap_or_else(|| eos.to_vec());
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        Ok(Self { tokens, texts, longest })
    }

    /// A watch over one sample.
    pub fn watch(&self, services: &Services) -> Watch {
        let decoder = (!self.texts.is_empty()).then(|| services.stream_decoder());
        Watch { decoder, tail: String::new() }
    }
}

/// Watches one sample for its end.
#[derive(Debug)]
pub struct Watch {
    decoder: Option<StreamDecoder>,
    /// The end of the text: as much as could still become a stop text.
    tail: String,
}

impl Watch {
    /// Whether the sample ends with this token.
    ///
    /// # Errors
    /// `unsupported` if stop texts need a tokenizer and the run has none.
    pub fn ends(&mut self, stops: &Stops, token: i32) -> Result<bool> {
        if stops.tokens.contains(&token) {
            return Ok(true);
        }
        let Some(decoder) = &mut self.decoder else { return Ok(false) };
        match decoder.push(&[token]) {
            Ok(text) => self.tail.push_str(&text),
            // Models have ids that their tokenizer does not: such a token has no text.
            Err(e) if e.kind() == ErrorKind::DATA => self.tail.clear(),
            Err(e) => return Err(e),
        }
        if stops.texts.iter().any(|text| self.tail.contains(text)) {
            return Ok(true);
        }
        let mut cut = self.tail.len().saturating_sub(stops.longest);
        while !self.tail.is_char_boundary(cut) {
            cut -= 1;
        }
        self.tail.drain(..cut);
        Ok(false)
    }
}
