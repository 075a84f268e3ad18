//! What the renderers that build tokens piece by piece share.

use crate::{
    schema::{Message, Role},
    train_on::TrainOn,
};
use tinsmith_plugin_api::{Examples, Result};

/// How a family of models lays out a conversation. Earlier messages never change when later ones
/// come, so that every generation prompt of a conversation is a prefix of the next.
pub(crate) trait Layout {
    /// What stands before the first message.
    fn bos(&self) -> &[i32];

    /// What announces the message at `index`.
    fn header(&self, index: usize, role: Role) -> &[i32];

    /// Appends what the message says, its end of turn included.
    fn output(&self, content: &str, tokens: &mut Vec<i32>) -> Result<()>;

    /// What ends the conversation behind an assistant message, where the end of turn alone does not.
    fn tail(&self) -> &[i32] {
        &[]
    }

    /// Pushes the one example of a conversation.
    fn render(&self, messages: &[Message<'_>], on: TrainOn, out: &mut Examples) -> Result<()> {
        let trained = on.select(messages)?;
        let header_weight = if on.headers() { 1.0 } else { 0.0 };
        out.span(self.bos(), 0.0);
        let mut output = Vec::new();
        for (i, (message, trained)) in messages.iter().zip(trained).enumerate() {
            let weight = if trained { 1.0 } else { 0.0 };
            output.clear();
            self.output(&message.content, &mut output)?;
            out.span(self.header(i, message.role), header_weight).span(&output, weight);
            if i + 1 == messages.len() && message.role == Role::Assistant {
                out.span(self.tail(), weight);
            }
        }
        out.finish();
        Ok(())
    }

    /// Everything up to the assistant's next words.
    fn prompt(&self, messages: &[Message<'_>]) -> Result<Vec<i32>> {
        let mut tokens = self.bos().to_vec();
        for (i, message) in messages.iter().enumerate() {
            tokens.extend_from_slice(self.header(i, message.role));
            self.output(&message.content, &mut tokens)?;
        }
        tokens.extend_from_slice(self.header(messages.len(), Role::Assistant));
        Ok(tokens)
    }
}
