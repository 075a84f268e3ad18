//! `template`: any model, by its own chat template.
//!
//! The whole conversation is rendered to text once, as `transformers` renders it, and tokenised as
//! one text. The parts that are trained are found in that text by comparing it with renders of its
//! beginnings (`spans.rs`); where the comparison fails, the record is refused: nothing is guessed.
//! What users wrote stays text, even if it spells a control token (`shield.rs`).

mod encode;
mod jinja;
mod marks;
mod record;
mod shield;
mod spans;

use crate::{
    config::TemplateConfig,
    response,
    schema::{self, Shows},
    train_on,
};
use encode::Encoder;
use jinja::Jinja;
use marks::take_marks;
use record::Conversation;
use serde_json::Value;
use shield::Specials;
use tinsmith_plugin_api::{
    DatasetRenderer, Error, Examples, Parsed, Record, Result, Services, Stop, Termination,
};

/// Renders chat records by the model's chat template.
#[derive(Debug)]
pub struct Template {
    config: TemplateConfig,
    services: Services,
    jinja: Jinja,
    encoder: Encoder,
    bos: Option<String>,
    stop: Stop,
    eos: Option<i32>,
}

impl DatasetRenderer for Template {
    const NAME: &'static str = "template";
    const SUMMARY: &'static str = "Any model, by the chat template of its tokenizer";
    type Config = TemplateConfig;

    fn new(config: TemplateConfig, services: Services) -> Result<Self> {
        let info = services.tokenizer()?;
        let source = config.chat_template.as_ref().or(info.chat_template.as_ref());
        let source = source.ok_or_else(|| {
            Error::config("the tokenizer has no chat template")
                .at("chat_template")
                .with_hint("give one, or choose `renderer: role_colon` for a base model")
        })?;
        let jinja = Jinja::new(source, &info, &config)?;
        let specials = Specials::new(&info.added_tokens)?;
        let eos = response::eos(&services)?;
        let stop = find_stop(&jinja, &specials, eos);
        let encoder = Encoder::new(services.clone(), specials);
        Ok(Self { config, services, jinja, encoder, bos: info.bos_token, stop, eos })
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        let messages = schema::parse(record.json(), Shows::TEMPLATE)?.messages;
        let turn = train_on::last_turn(&messages[..messages.len() - 1]);
        let weights = self.config.train_on.select(&messages, turn)?;
        let conversation = Conversation::of_record(record.json(), self.encoder.specials())?;
        let found = if self.config.train_on.headers() {
            spans::all_but_bos(&self.jinja, &conversation, self.bos.as_deref())?
        } else {
            let specials = self.encoder.specials();
            spans::find(&self.jinja, specials, &conversation, &messages, &weights)?
        };
        let encoded = self.encoder.encode_split(&found.text, &conversation.shield, &found.spans)?;
        out.span(&encoded.tokens, 0.0);
        let start = out.weights.len() - encoded.tokens.len();
        for (weight, range) in out.weights[start..].iter_mut().zip(&encoded.ranges) {
            let span =
                found.spans.iter().position(|s| s.start <= range.start && range.end <= s.end);
            *weight = span.map_or(0.0, |span| found.weights[span]);
        }
        out.finish();
        Ok(())
    }

    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        schema::parse_prompt(messages, Shows::TEMPLATE, &mut String::new())?;
        let specials = self.encoder.specials();
        let conversation = match messages.is_object() {
            true => Conversation::of_record(&messages.to_string(), specials)?,
            false => Conversation::of_messages(messages, specials)?,
        };
        let text = self.jinja.render(&conversation, conversation.messages.len(), true)?;
        let (text, _) = take_marks(&text)?;
        Ok(self.encoder.encode_split(&text, &conversation.shield, &[])?.tokens)
    }

    fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// The text up to the first stop token, as it was sampled: a thinking block that the template
    /// would frame is part of it.
    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        let end = tokens.iter().position(|token| self.stop.tokens.contains(token));
        let content = self.services.decode(&tokens[..end.unwrap_or(tokens.len())])?;
        if let Some(end) = end {
            let eos = Some(tokens[end]) == self.eos && self.stop.tokens[0] != tokens[end];
            let termination = if eos { Termination::Eos } else { Termination::Stop };
            return Ok(Parsed { message: response::assistant(&content), termination });
        }
        let cut = self.stop.strings.iter().find_map(|stop| content.split_once(stop.as_str()));
        let (content, termination) = match cut {
            Some((content, _)) => (content, Termination::Stop),
            None => (content.as_str(), Termination::Malformed),
        };
        Ok(Parsed { message: response::assistant(content), termination })
    }
}

/// What the template writes behind an answer: the first control token there, or the text. The
/// tokenizer's end-of-sequence token ends an answer in any case.
fn find_stop(jinja: &Jinja, specials: &Specials, eos: Option<i32>) -> Stop {
    const ANSWER: &str = "tinsmith answer probe";
    let probe = serde_json::json!([
        {"role": "user", "content": "tinsmith question probe"},
        {"role": "assistant", "content": ANSWER},
    ]);
    let rendered = Conversation::of_messages(&probe, specials)
        .and_then(|conversation| jinja.render(&conversation, 2, false))
        .and_then(|text| take_marks(&text));
    let mut stop = Stop::default();
    // A template that refuses the probe may still render real conversations.
    if let Some((_, tail)) = rendered.as_ref().ok().and_then(|(text, _)| text.rsplit_once(ANSWER)) {
        match specials.first(tail) {
            Some((id, _)) => stop.tokens.push(id),
            None if !tail.trim().is_empty() => stop.strings.push(tail.to_owned()),
            None => {}
        }
    }
    if let Some(eos) = eos.filter(|eos| !stop.tokens.contains(eos)) {
        stop.tokens.push(eos);
    }
    stop
}
