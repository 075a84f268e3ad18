//! What a family of models says about its format, and the renderer that is made of it.

use crate::{
    config::ChatConfig,
    response,
    schema::{self, Message, Role, Tools},
    train_on::TrainOn,
};
use serde_json::Value;
use std::fmt;
use tinsmith_plugin_api::{
    DatasetRenderer, Examples, Parsed, Record, Result, Services, Special, Stop,
};

/// How a family of models lays out a conversation. The methods with a body say what most families
/// do; the file of a family holds only what is its own.
///
/// Earlier messages never change when later ones come, so that every generation prompt of a
/// conversation is a prefix of the next.
pub(crate) trait Family: fmt::Debug + Sized + Send + Sync + 'static {
    /// The renderer's name in a config.
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str;

    /// Looks up what the family needs of the run's tokenizer.
    fn new(services: &Services) -> Result<Self>;

    /// What stands before the first message.
    fn bos(&self) -> &[i32] {
        &[]
    }

    /// What announces the message at `index`, or, behind the last one, the answer.
    fn header(&self, index: usize, role: Role) -> &[i32];

    /// The token that ends a turn; None where text does.
    fn end(&self) -> Option<i32>;

    /// Appends what the message says, its end of turn included.
    fn output(
        &self,
        services: &Services,
        message: &Message<'_>,
        tokens: &mut Vec<i32>,
    ) -> Result<()> {
        tokens.extend(services.encode(&message.content)?);
        tokens.extend(self.end());
        Ok(())
    }

    /// What ends the conversation behind an assistant message, where the end of turn alone does not.
    fn tail(&self) -> &[i32] {
        &[]
    }

    /// What ends an answer.
    fn stop(&self) -> Stop {
        Stop { tokens: self.end().into_iter().collect(), strings: Vec::new() }
    }

    /// Reads a sampled answer; `eos` is the tokenizer's end-of-sequence token.
    fn parse(&self, services: &Services, eos: Option<i32>, tokens: &[i32]) -> Result<Parsed> {
        response::until_token(services, tokens, &self.stop().tokens, eos)
    }
}

/// A header for each role.
#[derive(Debug)]
pub(crate) struct Headers([Vec<i32>; 4]);

impl Headers {
    /// Encodes what `text` gives for each role.
    pub(crate) fn new(
        services: &Services,
        special: Special,
        text: impl Fn(Role) -> String,
    ) -> Result<Self> {
        let [system, user, assistant, tool] =
            Role::ALL.map(|role| services.encode_with(&text(role), special));
        Ok(Self([system?, user?, assistant?, tool?]))
    }

    /// The header of a role.
    pub(crate) fn of(&self, role: Role) -> &[i32] {
        &self.0[role as usize]
    }
}

/// Renders chat records as a family does.
#[derive(Debug)]
pub struct Chat<F> {
    family: F,
    train_on: TrainOn,
    services: Services,
    eos: Option<i32>,
}

impl<F: Family> DatasetRenderer for Chat<F> {
    const NAME: &'static str = F::NAME;
    const SUMMARY: &'static str = F::SUMMARY;
    type Config = ChatConfig;

    fn new(config: ChatConfig, services: Services) -> Result<Self> {
        let family = F::new(&services)?;
        let eos = response::eos(&services)?;
        Ok(Self { family, train_on: config.train_on, services, eos })
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        let messages = schema::parse(record.json(), Tools::Refuse)?;
        let trained = self.train_on.select(&messages)?;
        let header_weight = weight(self.train_on.headers());
        out.span(self.family.bos(), 0.0);
        let mut output = Vec::new();
        for (i, (message, trained)) in messages.iter().zip(trained).enumerate() {
            output.clear();
            self.family.output(&self.services, message, &mut output)?;
            out.span(self.family.header(i, message.role), header_weight);
            out.span(&output, weight(trained));
            if i + 1 == messages.len() && message.role == Role::Assistant {
                out.span(self.family.tail(), weight(trained));
            }
        }
        out.finish();
        Ok(())
    }

    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        let messages = schema::parse_messages(messages, Tools::Refuse)?;
        let mut tokens = self.family.bos().to_vec();
        for (i, message) in messages.iter().enumerate() {
            tokens.extend_from_slice(self.family.header(i, message.role));
            self.family.output(&self.services, message, &mut tokens)?;
        }
        tokens.extend_from_slice(self.family.header(messages.len(), Role::Assistant));
        Ok(tokens)
    }

    fn stop(&self) -> Stop {
        self.family.stop()
    }

    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        self.family.parse(&self.services, self.eos, tokens)
    }
}

fn weight(trained: bool) -> f32 {
    if trained { 1.0 } else { 0.0 }
}
