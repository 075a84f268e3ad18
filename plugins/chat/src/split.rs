//! One conversation as several examples.
//!
//! Some formats show an answer one way when it is given and another way once the conversation goes
//! on: they drop old thinking. One sequence of several turns would then train answers behind
//! histories that inference never shows. Cut behind each answer, every example begins with the very
//! prompt that the model is given.

use crate::{
    schema::{Message, Role},
    train_on::TrainOn,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tinsmith_plugin_api::{Error, Result};

/// Whether a conversation of several turns becomes several examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// One example for each trained answer, where the format shows old answers differently from new
    /// ones. Tokens of early turns are repeated.
    #[default]
    Auto,
    /// One example a conversation. Early answers may stand behind histories that the model is never
    /// shown.
    Never,
}

/// The first `count` messages, trained as `train_on` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) count: usize,
    pub(crate) train_on: TrainOn,
}

/// A cut behind each answer that is trained. `turn` is where the turn begins that all the messages
/// lead up to.
pub(crate) fn by_answer(train_on: TrainOn, messages: &[Message<'_>], turn: usize) -> Vec<Cut> {
    let from = match train_on {
        TrainOn::LastAssistantMessage => messages.len().saturating_sub(1),
        TrainOn::LastAssistantTurn => turn,
        _ => 0,
    };
    let trained = |message: &Message<'_>| match train_on {
        TrainOn::Customized => message.flagged(),
        _ => message.factor() > 0.0,
    };
    let cut = |count| Cut { count, train_on: TrainOn::LastAssistantMessage };
    let answers = messages.iter().enumerate().skip(from);
    answers
        .filter(|(_, message)| message.role == Role::Assistant && trained(message))
        .map(|(i, _)| cut(i + 1))
        .collect()
}

/// Refuses modes that train what is no answer: there is no prompt to cut behind.
///
/// # Errors
/// A config error.
pub(crate) fn check(train_on: TrainOn) -> Result<()> {
    match train_on {
        TrainOn::AllMessages | TrainOn::AllTokens | TrainOn::AllUserAndSystemMessages => {
            Err(Error::config(
                "trains more than answers, so its conversations cannot be split into one example \
                 an answer, as this renderer's format needs it",
            )
            .at("train_on")
            .with_hint(
                "set `renderer.split: never` to train the conversation as one sequence, or choose \
                 a `train_on` of assistant messages",
            ))
        }
        _ => Ok(()),
    }
}

/// Refuses trained messages that are no answers.
///
/// # Errors
/// A data error that names the message.
pub(crate) fn check_messages(train_on: TrainOn, messages: &[Message<'_>]) -> Result<()> {
    let stray = |message: &Message<'_>| message.role != Role::Assistant && message.flagged();
    match messages.iter().position(stray) {
        Some(i) if train_on == TrainOn::Customized => {
            Err(Error::data("is trained, but only answers can be split into examples of their own")
                .at(format!("messages[{i}]"))
                .with_hint("train assistant messages only, or set `renderer.split: never`"))
        }
        _ => Ok(()),
    }
}
