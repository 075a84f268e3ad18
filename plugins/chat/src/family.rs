//! What a family of models says about its format.

use crate::{
    config::{ChatConfig, Settings},
    response::{self, Reader},
    schema::{Message, Role, Shows, Talk},
    split::{self, Cut},
    train_on::{self, TrainOn},
    writer::Writer,
};
use serde_json::Value;
use std::{borrow::Cow, fmt};
use tinsmith_plugin_api::{Parsed, Result, Services, Special, Stop};

/// How a family of models lays out a conversation. The methods with a body say what most families
/// do; the file of a family holds only what is its own.
///
/// A message is written as a header (what the model is shown) and an output (what it writes). How it
/// is written may depend on where it stands ([`Place`]); but only an assistant's message may depend
/// on whether it is the last one, or in the last turn: everything else reads the same in a prompt.
/// `C` is the type of the settings.
pub(crate) trait Family<C: Settings = ChatConfig>:
    fmt::Debug + Sized + Send + Sync + 'static
{
    /// The renderer's name in a config.
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str;
    /// What the format can show.
    const SHOWS: Shows = Shows::TEXT;
    /// Whether earlier messages never change when later ones come, so that every generation prompt of
    /// a conversation is a prefix of the next.
    const EXTENDS: bool = true;
    /// Whether the generation prompt closes the thinking block. An answer that thinks is refused
    /// where it would stand behind such a prompt.
    const CLOSES_THINKING: bool = false;
    /// Looks up what the family needs of the run's tokenizer.
    fn new(config: &C, services: &Services) -> Result<Self>;

    /// The messages as they are written: with the tools in front, with a system message where the
    /// format has one by itself. A message of the record keeps its place at the end of the list.
    ///
    /// # Errors
    /// A data error for what the format cannot show.
    fn open<'a>(&self, talk: Talk<'a>) -> Result<Vec<Message<'a>>> {
        Ok(talk.messages)
    }

    /// What stands before the first message.
    fn bos(&self) -> &[i32] {
        &[]
    }

    /// Writes what announces a message.
    ///
    /// # Errors
    /// A data error for what the format cannot show; its path begins within the message.
    fn header(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()>;

    /// Writes what the message says, its end of turn included.
    ///
    /// # Errors
    /// As [`Family::header`].
    fn output(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()>;

    /// Writes what stands before an answer; `at` is an assistant's message that says nothing yet.
    ///
    /// # Errors
    /// As [`Family::header`].
    fn prompt(&self, at: &Place<'_>, to: &mut Writer<'_>) -> Result<()> {
        self.header(at, to)
    }

    /// What ends a conversation behind a message of this role, where the end of turn alone does not.
    fn tail(&self, role: Role) -> &[i32] {
        let _ = role;
        &[]
    }

    /// Where the turn begins that these messages lead up to: before it all is history.
    fn turn(&self, messages: &[Message<'_>]) -> usize {
        train_on::last_turn(messages)
    }

    /// The examples of a conversation whose prompts are no prefixes of each other.
    fn cuts(&self, train_on: TrainOn, messages: &[Message<'_>]) -> Vec<Cut> {
        split::by_answer(train_on, messages, self.turn(messages))
    }

    /// What ends an answer.
    fn stop(&self) -> Stop;

    /// A sampled answer with the tokens in front that its prompt ended with, where the answer needs
    /// them to be read.
    fn restore<'a>(&self, tokens: &'a [i32]) -> Cow<'a, [i32]> {
        Cow::Borrowed(tokens)
    }

    /// Reads the text of an answer that ended as it should.
    fn message(&self, text: &str) -> Value {
        response::assistant(text)
    }

    /// Reads a sampled answer.
    ///
    /// # Errors
    /// A data error for ids outside the vocabulary.
    fn parse(&self, reader: &Reader, tokens: &[i32]) -> Result<Parsed> {
        let tokens = self.restore(tokens);
        let ended = reader.until_token(&tokens, &self.stop().tokens)?;
        Ok(ended.read(|text| self.message(text)))
    }
}

/// A message and what a family may know of where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The message.
    pub(crate) message: &'a Message<'a>,
    /// Its index in the conversation as it is written.
    pub(crate) index: usize,
    /// Whether nothing follows.
    pub(crate) last: bool,
    /// Whether it belongs to the turn that the conversation ends with.
    pub(crate) in_turn: bool,
    /// Index of the last user message.
    pub(crate) last_user: Option<usize>,
    /// Who spoke before.
    pub(crate) before: Option<Role>,
    /// Who speaks next.
    pub(crate) after: Option<Role>,
}

impl Place<'_> {
    /// Whether the message is the assistant's.
    pub(crate) fn answers(&self) -> bool {
        self.message.role == Role::Assistant
    }
}

/// A conversation whose messages are to be placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    messages: &'a [Message<'a>],
    last_user: Option<usize>,
    turn: usize,
}

impl<'a> Scene<'a> {
    /// A conversation whose last turn begins at `turn`.
    pub(crate) fn new(messages: &'a [Message<'a>], turn: usize) -> Self {
        let last_user = messages.iter().rposition(|message| message.role == Role::User);
        Self { messages, last_user, turn }
    }

    /// The place of message `index`.
    pub(crate) fn place(&self, index: usize) -> Place<'a> {
        self.of(&self.messages[index], index)
    }

    /// The place behind all messages, where `answer` is to be written.
    pub(crate) fn end(&self, answer: &'a Message<'a>) -> Place<'a> {
        Place { in_turn: true, ..self.of(answer, self.messages.len()) }
    }

    fn of(&self, message: &'a Message<'a>, index: usize) -> Place<'a> {
        let role = |index: usize| self.messages.get(index).map(|message| message.role);
        Place {
            message,
            index,
            last: index + 1 >= self.messages.len(),
            in_turn: index >= self.turn,
            last_user: self.last_user,
            before: index.checked_sub(1).and_then(role),
            after: role(index + 1),
        }
    }
}

/// A header for each role of every format, encoded once.
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
            Role::COMMON.map(|role| services.encode_with(&text(role), special));
        Ok(Self([system?, user?, assistant?, tool?]))
    }

    /// The header of a role; the system's for roles that only some formats have.
    pub(crate) fn of(&self, role: Role) -> &[i32] {
        self.0.get(role as usize).unwrap_or(&self.0[0])
    }
}
