//! The renderer that is made of a family.

use crate::{
    config::{ChatConfig, Settings},
    family::Family,
    layout::Layout,
    response::Reader,
    schema,
    split::{self, Split},
    train_on::TrainOn,
};
use serde_json::Value;
use std::marker::PhantomData;
use tinsmith_plugin_api::{DatasetRenderer, Examples, Parsed, Record, Result, Services, Stop};

/// Renders chat records as a family does.
#[derive(Debug)]
pub struct Chat<F, C = ChatConfig> {
    family: F,
    train_on: TrainOn,
    /// Whether a conversation becomes one example an answer.
    splits: bool,
    services: Services,
    reader: Reader,
    config: PhantomData<fn(C)>,
}

impl<F: Family<C>, C: Settings> DatasetRenderer for Chat<F, C> {
    const NAME: &'static str = F::NAME;
    const SUMMARY: &'static str = F::SUMMARY;
    type Config = C;

    fn new(config: C, services: Services) -> Result<Self> {
        let family = F::new(&config, &services)?;
        let (train_on, reader) = (config.train_on(), Reader::new(&services)?);
        let splits = !F::EXTENDS && config.split() == Split::Auto;
        if splits {
            split::check(train_on)?;
        } else if !F::EXTENDS && train_on != TrainOn::LastAssistantMessage {
            services.warn(format!(
                "`{}` shows the model old answers differently from new ones: with `split: never`, \
                 early answers of a conversation are trained behind what inference never shows",
                F::NAME
            ));
        }
        Ok(Self { family, train_on, splits, services, reader, config: PhantomData })
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        let talk = schema::parse(record.json(), F::SHOWS)?;
        let turn = self.family.turn(&talk.messages[..talk.messages.len() - 1]);
        self.train_on.select(&talk.messages, turn)?;
        let given = talk.messages.len();
        let layout = Layout::new(&self.family, &self.services);
        if !self.splits {
            let messages = self.family.open(talk)?;
            let brought = messages.len() - given;
            return layout.example(&messages, brought, self.train_on, out);
        }
        split::check_messages(self.train_on, &talk.messages)?;
        let cuts = self.family.cuts(self.train_on, &talk.messages);
        if cuts.is_empty() {
            return Err(self.train_on.nothing(&talk.messages));
        }
        let messages = self.family.open(talk)?;
        let brought = messages.len() - given;
        for cut in cuts {
            layout.example(&messages[..brought + cut.count], brought, cut.train_on, out)?;
        }
        Ok(())
    }

    /// `messages` may be an object too, with `messages` and `tools`.
    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        let mut json = String::new();
        let talk = schema::parse_prompt(messages, F::SHOWS, &mut json)?;
        let given = talk.messages.len();
        let messages = self.family.open(talk)?;
        let brought = messages.len() - given;
        Layout::new(&self.family, &self.services).prompt(&messages, brought)
    }

    fn stop(&self) -> Stop {
        self.family.stop()
    }

    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        self.family.parse(&self.reader, tokens)
    }
}
