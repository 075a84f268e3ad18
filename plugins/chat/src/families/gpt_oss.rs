//! `gpt_oss_no_sysprompt` and `gpt_oss_low_reasoning`, `…_medium_…`, `…_high_…`: OpenAI's Harmony.
//!
//! What an assistant says goes through channels: it thinks in `analysis`, calls tools and announces
//! that in `commentary`, answers in `final`. The `system` of a record is the `developer` here; the
//! format's own system message, where a renderer writes one, tells the date and how hard to think.
//! The last answer of a conversation ends with `<|return|>`, which becomes `<|end|>` in the history.

mod harmony;
mod tools;

use crate::{
    chat::Chat,
    config::{ChatConfig, DatedConfig, Settings},
    date,
    family::{Family, Place},
    response::Reader,
    schema::{Content, Message, Role, Shows, Talk},
    writer::Writer,
};
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    marker::PhantomData,
};
use tinsmith_plugin_api::{Error, Parsed, Result, Services, Stop, Termination};

/// What tells the renderers of the family apart.
pub(crate) trait Variant: fmt::Debug + Send + Sync + 'static {
    /// The renderer's name.
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str;
    /// How hard the model is told to think, if it is told anything.
    const EFFORT: Option<&'static str>;
    /// The settings.
    type Config: Settings;

    /// The date that the settings name.
    fn date(config: &Self::Config) -> Option<&str>;
}

/// Writes no system message of its own.
#[derive(Debug)]
pub struct Bare;

impl Variant for Bare {
    const NAME: &'static str = "gpt_oss_no_sysprompt";
    const SUMMARY: &'static str = "gpt-oss without a system message of the format's own";
    const EFFORT: Option<&'static str> = None;
    type Config = ChatConfig;

    fn date(_: &ChatConfig) -> Option<&str> {
        None
    }
}

macro_rules! effort {
    ($name:ident, $id:literal, $effort:literal) => {
        #[doc = concat!("Tells the date, and to think with ", $effort, " effort.")]
        #[derive(Debug)]
        pub struct $name;

        impl Variant for $name {
            const NAME: &'static str = $id;
            const SUMMARY: &'static str =
                concat!("gpt-oss that is told the date, and to think with ", $effort, " effort");
            const EFFORT: Option<&'static str> = Some($effort);
            type Config = DatedConfig;

            fn date(config: &DatedConfig) -> Option<&str> {
                config.current_date.as_deref()
            }
        }
    };
}

effort!(Low, "gpt_oss_low_reasoning", "low");
effort!(Medium, "gpt_oss_medium_reasoning", "medium");
effort!(High, "gpt_oss_high_reasoning", "high");

/// `gpt_oss_no_sysprompt`
pub type GptOss = Chat<Format<Bare>, ChatConfig>;
/// `gpt_oss_low_reasoning`
pub type GptOssLow = Chat<Format<Low>, DatedConfig>;
/// `gpt_oss_medium_reasoning`
pub type GptOssMedium = Chat<Format<Medium>, DatedConfig>;
/// `gpt_oss_high_reasoning`
pub type GptOssHigh = Chat<Format<High>, DatedConfig>;

/// The tokens of Harmony.
#[derive(Debug)]
pub struct Format<V> {
    start: i32,
    channel: i32,
    constrain: i32,
    message: i32,
    end: i32,
    call: i32,
    done: i32,
    /// The format's own system message.
    system: Option<String>,
    variant: PhantomData<V>,
}

impl<V: Variant> Family<V::Config> for Format<V> {
    const NAME: &'static str = V::NAME;
    const SUMMARY: &'static str = V::SUMMARY;
    const SHOWS: Shows = Shows { developer: true, ..Shows::ALL };
    const EXTENDS: bool = false;

    fn new(config: &V::Config, services: &Services) -> Result<Self> {
        let token = |text: &str| services.require_token(text);
        let system = |effort: &str| {
            let date = date::current(V::date(config))?;
            Ok::<_, Error>(format!(
                "You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: \
                 2024-06\nCurrent date: {date}\n\nReasoning: {effort}\n\n# Valid channels: \
                 analysis, commentary, final. Channel must be included for every message."
            ))
        };
        Ok(Self {
            start: token("<|start|>")?,
            channel: token("<|channel|>")?,
            constrain: token("<|constrain|>")?,
            message: token("<|message|>")?,
            end: token("<|end|>")?,
            call: token("<|call|>")?,
            done: token("<|return|>")?,
            system: V::EFFORT.map(system).transpose()?,
            variant: PhantomData,
        })
    }

    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        let Talk { mut messages, tools } = talk;
        name_results(&mut messages)?;
        let mut opened = Vec::with_capacity(messages.len() + 3);
        if let Some(system) = &self.system {
            opened.push(Message::new(Role::Maker, system.clone()));
        }
        if !tools.is_empty() {
            opened.push(Message::new(Role::Maker, tools::ROUTING));
            let declared = tools::declare(&tools);
            match messages.first_mut() {
                Some(first) if first.role == Role::System => {
                    let said = first.content.text();
                    let said = match said.is_empty() {
                        true => declared,
                        false => format!("# Instructions\n\n{said}\n\n{declared}"),
                    };
                    first.role = Role::Developer;
                    first.content = Content::Text(said.into());
                }
                _ => opened.push(Message::new(Role::Developer, declared)),
            }
        }
        opened.extend(messages);
        Ok(opened)
    }

    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        to.control(self.start)?;
        match at.message.role {
            Role::System => to.text(Role::Developer.name()),
            Role::Tool => {
                let name = at.message.name.as_deref().unwrap_or_default();
                let name = name.strip_prefix("functions.").unwrap_or(name);
                to.text("functions.").text(name).text(" to=assistant")
            }
            role => to.text(role.name()),
        };
        Ok(())
    }

    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        let said = at.message.content.text();
        match at.message.role {
            Role::Assistant => return self.answer(at, &said, to),
            Role::System => {
                to.control(self.message)?.text("# Instructions\n\n").text(&said).text("\n\n")
            }
            Role::Tool => self.through(to, "commentary")?.text(&said),
            _ => to.control(self.message)?.text(&said),
        };
        to.control(self.end).map(drop)
    }

    fn stop(&self) -> Stop {
        Stop { tokens: vec![self.done, self.call], strings: Vec::new() }
    }

    fn message(&self, text: &str) -> Value {
        harmony::read(text)
    }

    /// As elsewhere, but an answer may hold both stop tokens, and ends at the first.
    fn parse(&self, reader: &Reader, tokens: &[i32]) -> Result<Parsed> {
        let stops = [self.done, self.call];
        let twice = |stop: &i32| tokens.iter().filter(|token| *token == stop).count() > 1;
        let first = tokens.iter().position(|token| stops.contains(token));
        let ended = match first {
            Some(end) if !stops.iter().any(twice) => {
                reader.ended(&tokens[..end], Termination::Stop)?
            }
            _ => reader.until_token(tokens, &stops)?,
        };
        Ok(ended.read(harmony::read))
    }
}

impl<V> Format<V> {
    /// Begins a message in a channel.
    fn through<'w, 's>(&self, to: &'w mut Writer<'s>, channel: &str) -> Result<&'w mut Writer<'s>> {
        to.control(self.channel)?.text(channel).control(self.message)
    }

    /// Ends a message of the assistant and begins the next.
    fn again(&self, to: &mut Writer<'_>, end: i32) -> Result<()> {
        to.control(end)?.control(self.start)?.text(Role::Assistant.name());
        Ok(())
    }

    fn answer(&self, at: &Place<'_>, said: &str, to: &mut Writer<'_>) -> Result<()> {
        let message = at.message;
        let thinking = message.content.thinking();
        if !thinking.is_empty() {
            self.through(to, "analysis")?.text(&thinking);
            self.again(to, self.end)?;
        }
        if message.calls.is_empty() {
            self.through(to, "final")?.text(said);
            return to.control(if at.last { self.done } else { self.end }).map(drop);
        }
        if !said.is_empty() {
            self.through(to, "commentary")?.text(said);
            self.again(to, self.end)?;
        }
        for (i, call) in message.calls.iter().enumerate() {
            if i > 0 {
                self.again(to, self.call)?;
            }
            to.text(" to=functions.").text(&call.name).control(self.channel)?.text("commentary ");
            to.control(self.constrain)?.text("json").control(self.message)?.text(&call.arguments);
        }
        to.control(self.call).map(drop)
    }
}

/// Gives tool results the name of the function that was called, which the format shows: their own,
/// else that of the call they answer by id, else by order.
fn name_results(messages: &mut [Message<'_>]) -> Result<()> {
    let mut called: HashMap<String, String> = HashMap::new();
    let mut waiting = VecDeque::new();
    for (i, message) in messages.iter_mut().enumerate() {
        if message.role == Role::Assistant {
            waiting = message.calls.iter().map(|call| call.name.to_string()).collect();
            let ids = message.calls.iter().filter_map(|call| Some((call.id.as_ref()?, &call.name)));
            called.extend(ids.map(|(id, name)| (id.to_string(), name.to_string())));
        }
        if message.role != Role::Tool {
            continue;
        }
        let next = waiting.pop_front();
        if message.name.is_some() {
            continue;
        }
        let name = match message.call_id.as_deref() {
            Some(id) => called.get(id).cloned(),
            None => next,
        };
        let name = name.ok_or_else(|| {
            Error::data("this format shows the function that a tool message answers for")
                .at(format!("messages[{i}].name"))
                .with_hint("give `name`, or a `tool_call_id` that one of the calls before has")
        })?;
        message.name = Some(name.into());
    }
    Ok(())
}
