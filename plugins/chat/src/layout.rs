//! From messages to tokens: examples and prompts.

use crate::{
    config::Settings,
    family::{Family, Scene},
    schema::{Message, Role},
    train_on::TrainOn,
    writer::Writer,
};
use std::marker::PhantomData;
use tinsmith_plugin_api::{Error, Examples, Result, Services};

/// Lays out conversations as a family does.
#[derive(Debug)]
pub(crate) struct Layout<'a, F, C> {
    family: &'a F,
    services: &'a Services,
    config: PhantomData<C>,
}

impl<'a, F: Family<C>, C: Settings> Layout<'a, F, C> {
    pub(crate) fn new(family: &'a F, services: &'a Services) -> Self {
        Self { family, services, config: PhantomData }
    }

    /// Appends one example. The first `brought` messages are the format's own and not the record's.
    ///
    /// # Errors
    /// A data error for what the format cannot show, or if nothing would be trained.
    pub(crate) fn example(
        &self,
        messages: &[Message<'_>],
        brought: usize,
        train_on: TrainOn,
        out: &mut Examples,
    ) -> Result<()> {
        let turn = self.family.turn(&messages[..messages.len() - 1]);
        let scene = Scene::new(messages, turn);
        let weights = train_on.weights(messages, turn);
        let start = out.tokens.len();
        let mut starts = Vec::with_capacity(messages.len());
        let mut writer = Writer::new(self.services);
        out.span(self.family.bos(), 0.0);
        for (i, weight) in weights.into_iter().enumerate() {
            let place = scene.place(i);
            let at = |e: Error| within(e, i, brought);
            starts.push(out.tokens.len());
            self.family.header(&place, &mut writer).map_err(at)?;
            out.span(&writer.take()?, if train_on.headers() { weight } else { 0.0 });
            self.family.output(&place, &mut writer).map_err(at)?;
            out.span(&writer.take()?, weight);
            if place.last {
                out.span(self.family.tail(place.message.role), weight);
            }
        }
        if let Some(answer) = first_answer(train_on, messages) {
            let known = self.prompt_length(messages, brought, answer, turn, &starts, out)?;
            match known {
                Some(length) => out.weights[start..start + length].fill(0.0),
                None if F::CLOSES_THINKING => return Err(thinks(answer.saturating_sub(brought))),
                // The format shows this answer behind another prompt than the one it is given.
                None => {}
            }
        }
        if out.weights[start..].iter().all(|weight| *weight <= 0.0) {
            return Err(Error::data("the format shows nothing of the messages that are trained")
                .at("messages")
                .with_hint("remove the empty answers, or the record"));
        }
        out.finish();
        Ok(())
    }

    /// How many tokens of the example that is being written are the generation prompt of message
    /// `answer`, or None if it does not begin with that prompt. `starts` says where each message
    /// begins.
    fn prompt_length(
        &self,
        messages: &[Message<'_>],
        brought: usize,
        answer: usize,
        turn: usize,
        starts: &[usize],
        out: &Examples,
    ) -> Result<Option<usize>> {
        let before = &messages[..answer];
        let start = out.tokens.len() - out.open_tokens();
        // Only answers read differently at the end of a prompt, or outside of its last turn: without
        // one, the prompt is the example up to here and what comes before the answer.
        let same = before.last().is_none_or(|message| message.role != Role::Assistant)
            && self.family.turn(before) == turn.min(answer);
        let (from, prompt) = if same {
            (starts[answer], self.before_answer(&Scene::new(before, turn))?)
        } else {
            (start, self.prompt(before, brought)?)
        };
        let found = out.tokens[from..].starts_with(&prompt);
        Ok(found.then(|| from - start + prompt.len()))
    }

    /// The prompt for what comes after `messages`, of which the first `brought` are the format's own.
    ///
    /// # Errors
    /// A data error for what the format cannot show.
    pub(crate) fn prompt(&self, messages: &[Message<'_>], brought: usize) -> Result<Vec<i32>> {
        let scene = Scene::new(messages, self.family.turn(messages));
        let mut tokens = self.family.bos().to_vec();
        let mut writer = Writer::new(self.services);
        for i in 0..messages.len() {
            let place = scene.place(i);
            let at = |e: Error| within(e, i, brought);
            self.family.header(&place, &mut writer).map_err(at)?;
            writer.flush()?;
            self.family.output(&place, &mut writer).map_err(at)?;
            writer.flush()?;
        }
        tokens.extend(writer.take()?);
        tokens.extend(self.before_answer(&scene)?);
        Ok(tokens)
    }

    /// What stands between a conversation and the answer to it.
    fn before_answer(&self, scene: &Scene<'_>) -> Result<Vec<i32>> {
        let nothing = Message::new(Role::Assistant, "");
        let mut writer = Writer::new(self.services);
        self.family.prompt(&scene.end(&nothing), &mut writer)?;
        writer.take()
    }
}

/// The error of message `i` of those that are written, of which the first `brought` are not the
/// record's.
fn within(e: Error, i: usize, brought: usize) -> Error {
    match i.checked_sub(brought) {
        Some(i) => e.within(format!("messages[{i}]")),
        None => e.at("tools"),
    }
}

/// The answer that a prompt would be given for, in the modes that train what one prompt leads to.
fn first_answer(train_on: TrainOn, messages: &[Message<'_>]) -> Option<usize> {
    let answer = match train_on {
        TrainOn::LastAssistantMessage => messages.len() - 1,
        TrainOn::LastAssistantTurn => crate::train_on::last_turn(messages),
        _ => return None,
    };
    messages.get(answer).filter(|message| message.role == Role::Assistant).map(|_| answer)
}

fn thinks(answer: usize) -> Error {
    Error::data("the answer thinks, behind a prompt that closes the thinking block")
        .at(format!("messages[{answer}]"))
        .with_hint("remove the thinking, or choose the renderer that thinks")
}
