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
    controls::Controls,
    response,
    schema::{self, Message, Shows},
    split::{self, Split},
    train_on,
};
use encode::Encoder;
use jinja::Jinja;
use marks::take_marks;
use record::Conversation;
use serde_json::Value;
use spans::{Found, Miss};
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
        let controls = Controls::new(&info.added_tokens)?;
        let eos = response::eos(&services, &info);
        let stop = find_stop(&jinja, &controls, eos);
        let encoder = Encoder::new(services.clone(), controls);
        Ok(Self { config, services, jinja, encoder, bos: info.bos_token, stop, eos })
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        let messages = schema::parse(record.json(), Shows::TEMPLATE)?.messages;
        let train_on = self.config.train_on;
        let turn = train_on::last_turn(&messages[..messages.len() - 1]);
        let weights = train_on.select(&messages, turn)?;
        let talk = Conversation::of_record(record.json(), self.encoder.controls())?;
        if train_on.headers() {
            if let Some(i) = messages.iter().position(|message| message.weight.is_some()) {
                return Err(Error::data("has no effect here")
                    .at(format!("messages[{i}].weight"))
                    .with_hint("choose another `data.train_on` than all_tokens, or remove it"));
            }
            let found = spans::all_but_bos(&self.jinja, &talk, self.bos.as_deref())?;
            return self.example(&talk, &found, out);
        }
        let find = |messages: &[Message<'_>], weights: &[f32]| {
            spans::find(&self.jinja, self.encoder.controls(), &talk, messages, weights)
        };
        let whole = find(&messages, &weights);
        let splits = self.config.split == Split::Auto
            && split::check(train_on).and(split::check_messages(train_on, &messages)).is_ok();
        let cuts = match whole {
            Err(Miss::Rewritten(_)) if splits => {
                split::by_answer(train_on, &messages, train_on::last_turn(&messages))
            }
            _ => Vec::new(),
        };
        if cuts.is_empty() {
            return self.example(&talk, &whole?, out);
        }
        for cut in cuts {
            let shown = &messages[..cut.count];
            self.example(&talk, &find(shown, &cut.train_on.weights(shown, 0))?, out)?;
        }
        Ok(())
    }

    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        schema::parse_prompt(messages, Shows::TEMPLATE, &mut String::new())?;
        let controls = self.encoder.controls();
        let conversation = match messages.is_object() {
            true => Conversation::of_record(&messages.to_string(), controls)?,
            false => Conversation::of_messages(messages, controls)?,
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

impl Template {
    /// Appends one example.
    fn example(&self, talk: &Conversation, found: &Found, out: &mut Examples) -> Result<()> {
        let encoded = self.encoder.encode_split(&found.text, &talk.shield, &found.spans)?;
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
}

/// What the template writes behind an answer: the first control token there, or the text. The
/// tokenizer's end-of-sequence token ends an answer in any case.
fn find_stop(jinja: &Jinja, controls: &Controls, eos: Option<i32>) -> Stop {
    const ANSWER: &str = "tinsmith answer probe";
    let probe = serde_json::json!([
        {"role": "user", "content": "tinsmith question probe"},
        {"role": "assistant", "content": ANSWER},
    ]);
    let rendered = Conversation::of_messages(&probe, controls)
        .and_then(|conversation| jinja.render(&conversation, 2, false))
        .and_then(|text| take_marks(&text));
    let mut stop = Stop::default();
    // A template that refuses the probe may still render real conversations.
    if let Some((_, tail)) = rendered.as_ref().ok().and_then(|(text, _)| text.rsplit_once(ANSWER)) {
        match controls.first(tail) {
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
