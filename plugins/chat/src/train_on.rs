//! Which messages of a conversation are trained.

use crate::schema::{Message, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tinsmith_plugin_api::{Error, Result};

/// Which parts of a conversation carry weight 1. The beginning-of-sequence token never does; headers
/// only in `all_tokens`. The end of a turn belongs to its message and is trained with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrainOn {
    /// The last message, which must be the assistant's.
    LastAssistantMessage,
    /// Every assistant message after the last user message (of those before the last message, should
    /// the user have the last word).
    LastAssistantTurn,
    /// Every assistant message.
    #[default]
    AllAssistantMessages,
    /// Every message, whoever wrote it; headers are not trained.
    AllMessages,
    /// Every token, headers included.
    AllTokens,
    /// Messages of the user and the system.
    AllUserAndSystemMessages,
    /// The messages that say `"trainable": true` or have a `weight`; every message must say.
    Customized,
}

impl TrainOn {
    /// Whether headers are trained as well.
    pub(crate) fn headers(self) -> bool {
        self == Self::AllTokens
    }

    /// How much the output of each message counts: 0 is not trained. `turn` is where the last turn of
    /// the assistant begins.
    ///
    /// # Errors
    /// A data error if nothing would be trained, or if `trainable` or `weight` is missing or out of
    /// place.
    pub(crate) fn select(self, messages: &[Message<'_>], turn: usize) -> Result<Vec<f32>> {
        self.check(messages)?;
        let weights = self.weights(messages, turn);
        if weights.iter().any(|weight| *weight > 0.0) {
            return Ok(weights);
        }
        Err(self.nothing(messages))
    }

    /// As [`TrainOn::select`], of messages that were checked.
    pub(crate) fn weights(self, messages: &[Message<'_>], turn: usize) -> Vec<f32> {
        let last = messages.len().wrapping_sub(1);
        let chosen = |(i, message): (usize, &Message<'_>)| {
            let assistant = message.role == Role::Assistant;
            let chosen = match self {
                Self::LastAssistantMessage => assistant && i == last,
                Self::LastAssistantTurn => assistant && i >= turn,
                Self::AllAssistantMessages => assistant,
                Self::AllMessages | Self::AllTokens => true,
                Self::AllUserAndSystemMessages => {
                    matches!(message.role, Role::User | Role::System)
                }
                Self::Customized => match message.trainable {
                    Some(trainable) => trainable,
                    None => message.weight.is_some(),
                },
            };
            if chosen { message.factor() } else { 0.0 }
        };
        messages.iter().enumerate().map(chosen).collect()
    }

    /// Whether the mode trains messages of this role in any conversation.
    fn trains(self, role: Role) -> bool {
        match self {
            Self::LastAssistantMessage | Self::LastAssistantTurn | Self::AllAssistantMessages => {
                role == Role::Assistant
            }
            Self::AllUserAndSystemMessages => matches!(role, Role::User | Role::System),
            Self::AllMessages | Self::AllTokens | Self::Customized => true,
        }
    }

    /// Refuses what a record says of its own training where that would have no effect.
    ///
    /// # Errors
    /// A data error that names the field.
    pub(crate) fn check(self, messages: &[Message<'_>]) -> Result<()> {
        for (i, message) in messages.iter().enumerate() {
            let at = |e: Error, field: &str| e.at(format!("messages[{i}].{field}"));
            let counts = message.weight.is_some_and(|weight| weight > 0.0);
            match (message.trainable, message.weight) {
                (None, None) if self == Self::Customized => {
                    return Err(at(Error::data("is missing"), "trainable").with_hint(
                        "`train_on: customized` needs `trainable` (true or false) or `weight` on \
                         every message",
                    ));
                }
                (Some(false), _) if self == Self::Customized && counts => {
                    return Err(at(Error::data("contradicts `trainable: false`"), "weight")
                        .with_hint("remove one of the two"));
                }
                (Some(_), _) if self != Self::Customized => {
                    return Err(at(Error::data("has no effect here"), "trainable").with_hint(
                        "set `data.train_on: customized`, or remove `trainable` from the messages",
                    ));
                }
                _ if counts && !self.trains(message.role) => {
                    return Err(at(Error::data("has no effect here"), "weight").with_hint(
                        "this `data.train_on` does not train the role: remove `weight`, or choose \
                         `customized`",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Why nothing would be trained.
    pub(crate) fn nothing(self, messages: &[Message<'_>]) -> Error {
        let last = messages.len().saturating_sub(1);
        let unweighted: Vec<_> =
            messages.iter().map(|message| Message { weight: None, ..message.clone() }).collect();
        let turn = last_turn(&unweighted[..last]);
        let silenced = messages.iter().any(|message| message.weight == Some(0.0));
        if silenced && self.weights(&unweighted, turn).iter().any(|weight| *weight > 0.0) {
            return Error::data("every message that would be trained has `weight` 0")
                .at("messages")
                .with_hint("remove the record, or raise a weight");
        }
        let (what, at, hint) = match self {
            Self::LastAssistantMessage => (
                "the last message is not the assistant's",
                format!("messages[{last}].role"),
                "end the conversation with the answer, or choose another `data.train_on`",
            ),
            Self::LastAssistantTurn => (
                "no assistant message follows the last user message",
                format!("messages[{last}].role"),
                "end the conversation with the answer, or choose another `data.train_on`",
            ),
            Self::Customized => (
                "no message is trainable",
                "messages".to_owned(),
                "set `trainable: true` on a message, or remove the record",
            ),
            Self::AllUserAndSystemMessages => (
                "there is no user or system message",
                "messages".to_owned(),
                "choose another `data.train_on`",
            ),
            _ => (
                "there is no assistant message",
                "messages".to_owned(),
                "add the answer the model is to learn, or choose another `data.train_on`",
            ),
        };
        Error::data(what).at(at).with_hint(hint)
    }
}

/// Where the turn behind the last user message begins.
pub(crate) fn last_turn(messages: &[Message<'_>]) -> usize {
    messages.iter().rposition(|m| m.role == Role::User).map_or(0, |user| user + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(roles: &str) -> Vec<Message<'static>> {
        let role = |c| match c {
            's' => Role::System,
            'u' => Role::User,
            'a' => Role::Assistant,
            _ => Role::Tool,
        };
        roles.chars().map(|c| Message::new(role(c), "x")).collect()
    }

    fn select(mode: TrainOn, messages: &[Message<'_>]) -> Result<Vec<f32>> {
        mode.select(messages, last_turn(&messages[..messages.len().saturating_sub(1)]))
    }

    /// One digit a message: 1 where it is trained.
    fn selected(mode: TrainOn, roles: &str) -> String {
        let weights = select(mode, &messages(roles)).unwrap();
        weights.into_iter().map(|weight| if weight > 0.0 { '1' } else { '0' }).collect()
    }

    /// The table of tinker-cookbook's `TrainOnWhat`.
    #[test]
    fn modes_choose_what_the_cookbook_chooses() {
        use TrainOn::*;
        assert_eq!(selected(LastAssistantMessage, "suauata"), "0000001");
        assert_eq!(selected(LastAssistantTurn, "suauata"), "0000101");
        assert_eq!(selected(AllAssistantMessages, "suauata"), "0010101");
        assert_eq!(selected(AllMessages, "suauata"), "1111111");
        assert_eq!(selected(AllTokens, "sua"), "111");
        assert_eq!(selected(AllUserAndSystemMessages, "suauata"), "1101000");
        assert_eq!(selected(LastAssistantTurn, "a"), "1");
        // The last message asks for the turn that is meant; it does not begin another.
        assert_eq!(selected(LastAssistantTurn, "uau"), "010");
    }

    #[test]
    fn a_record_that_trains_nothing_is_refused() {
        use TrainOn::*;
        let field = |mode: TrainOn, roles: &str| {
            let e = select(mode, &messages(roles)).unwrap_err();
            assert!(e.hint().is_some());
            e.field().unwrap().to_owned()
        };
        assert_eq!(field(AllAssistantMessages, "su"), "messages");
        assert_eq!(field(LastAssistantMessage, "uau"), "messages[2].role");
        assert_eq!(field(LastAssistantTurn, "uu"), "messages[1].role");
        assert_eq!(field(AllUserAndSystemMessages, "a"), "messages");
        assert_eq!(field(AllAssistantMessages, ""), "messages");
    }

    #[test]
    fn trainable_and_customized_need_each_other() {
        let mut both = messages("ua");
        let missing = select(TrainOn::Customized, &both).unwrap_err();
        assert_eq!(missing.field(), Some("messages[0].trainable"));
        both[0].trainable = Some(false);
        both[1].trainable = Some(true);
        assert_eq!(select(TrainOn::Customized, &both).unwrap(), [0.0, 1.0]);
        let stray = select(TrainOn::AllAssistantMessages, &both).unwrap_err();
        assert_eq!(stray.field(), Some("messages[0].trainable"));
        both[1].trainable = Some(false);
        let none = select(TrainOn::Customized, &both).unwrap_err();
        assert_eq!(none.to_string(), "`messages`: no message is trainable");
    }

    #[test]
    fn a_weight_scales_what_the_mode_trains_and_is_never_ignored() {
        use TrainOn::*;
        let mut some = messages("uaua");
        some[1].weight = Some(0.0);
        some[3].weight = Some(0.25);
        assert_eq!(select(AllAssistantMessages, &some).unwrap(), [0.0, 0.0, 0.0, 0.25]);
        assert_eq!(select(AllMessages, &some).unwrap(), [1.0, 0.0, 1.0, 0.25]);
        some[3].weight = Some(0.0);
        let none = select(AllAssistantMessages, &some).unwrap_err();
        assert!(none.to_string().contains("every message that would be trained has `weight` 0"));
        some[0].weight = Some(0.0);
        assert!(select(AllMessages, &some).is_ok());
        some[0].weight = Some(1.0);
        let stray = select(AllAssistantMessages, &some).unwrap_err();
        assert_eq!(stray.field(), Some("messages[0].weight"));
        some[2].weight = Some(0.5);
        assert_eq!(select(Customized, &some).unwrap(), [1.0, 0.0, 0.5, 0.0]);
        some[2].trainable = Some(false);
        let both = select(Customized, &some).unwrap_err();
        assert_eq!(both.field(), Some("messages[2].weight"));
    }
}
