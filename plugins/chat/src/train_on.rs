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
    /// Every assistant message after the last user message.
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
    /// The messages that say `"trainable": true`; every message must say true or false.
    Customized,
}

impl TrainOn {
    /// Whether headers are trained as well.
    pub(crate) fn headers(self) -> bool {
        self == Self::AllTokens
    }

    /// Which of the messages are trained: one flag a message.
    ///
    /// # Errors
    /// A data error if no message would be, or if `trainable` is missing or out of place.
    pub(crate) fn select(self, messages: &[Message<'_>]) -> Result<Vec<bool>> {
        self.check_trainable(messages)?;
        let last = messages.len().wrapping_sub(1);
        let turn = messages.iter().rposition(|m| m.role == Role::User).map_or(0, |user| user + 1);
        let chosen = |(i, message): (usize, &Message<'_>)| {
            let assistant = message.role == Role::Assistant;
            match self {
                Self::LastAssistantMessage => assistant && i == last,
                Self::LastAssistantTurn => assistant && i >= turn,
                Self::AllAssistantMessages => assistant,
                Self::AllMessages | Self::AllTokens => true,
                Self::AllUserAndSystemMessages => {
                    matches!(message.role, Role::User | Role::System)
                }
                Self::Customized => message.trainable == Some(true),
            }
        };
        let trained: Vec<bool> = messages.iter().enumerate().map(chosen).collect();
        if trained.contains(&true) { Ok(trained) } else { Err(self.nothing(messages)) }
    }

    fn check_trainable(self, messages: &[Message<'_>]) -> Result<()> {
        for (i, message) in messages.iter().enumerate() {
            let field = || format!("messages[{i}].trainable");
            match message.trainable {
                None if self == Self::Customized => {
                    return Err(Error::data("is missing").at(field()).with_hint(
                        "`train_on: customized` needs `trainable` (true or false) on every message",
                    ));
                }
                Some(_) if self != Self::Customized => {
                    return Err(Error::data("has no effect here").at(field()).with_hint(
                        "set `data.train_on: customized`, or remove `trainable` from the messages",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Why nothing would be trained.
    fn nothing(self, messages: &[Message<'_>]) -> Error {
        let last = messages.len().saturating_sub(1);
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
        let message = |c| Message { role: role(c), content: "x".into(), trainable: None };
        roles.chars().map(message).collect()
    }

    /// One digit a message: 1 where it is trained.
    fn selected(mode: TrainOn, roles: &str) -> String {
        let flags = mode.select(&messages(roles)).unwrap();
        flags.into_iter().map(|on| if on { '1' } else { '0' }).collect()
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
    }

    #[test]
    fn a_record_that_trains_nothing_is_refused() {
        use TrainOn::*;
        let field = |mode: TrainOn, roles: &str| {
            let e = mode.select(&messages(roles)).unwrap_err();
            assert!(e.hint().is_some());
            e.field().unwrap().to_owned()
        };
        assert_eq!(field(AllAssistantMessages, "su"), "messages");
        assert_eq!(field(LastAssistantMessage, "uau"), "messages[2].role");
        assert_eq!(field(LastAssistantTurn, "uau"), "messages[2].role");
        assert_eq!(field(AllUserAndSystemMessages, "a"), "messages");
        assert_eq!(field(AllAssistantMessages, ""), "messages");
    }

    #[test]
    fn trainable_and_customized_need_each_other() {
        let mut both = messages("ua");
        let missing = TrainOn::Customized.select(&both).unwrap_err();
        assert_eq!(missing.field(), Some("messages[0].trainable"));
        both[0].trainable = Some(false);
        both[1].trainable = Some(true);
        assert_eq!(TrainOn::Customized.select(&both).unwrap(), [false, true]);
        let stray = TrainOn::AllAssistantMessages.select(&both).unwrap_err();
        assert_eq!(stray.field(), Some("messages[0].trainable"));
        both[1].trainable = Some(false);
        let none = TrainOn::Customized.select(&both).unwrap_err();
        assert_eq!(none.to_string(), "`messages`: no message is trainable");
    }
}
