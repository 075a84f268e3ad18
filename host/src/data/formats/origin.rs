//! Where the messages of a mapped record stand in its line, so that errors name the line's fields.

/// A part of the line that gave messages.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A text gave one message.
    Text(String),
    /// A list gave so many.
    List(String, usize),
    /// A list of question and answer gave so many pairs.
    Turns(String, usize),
}

/// What the messages of a record were made of, in order.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub(super) parts: Vec<Part>,
    /// What `role` and `content` of a listed message are called, if otherwise.
    pub(super) role: Option<String>,
    pub(super) content: Option<String>,
    /// What `tools` is called, if otherwise.
    pub(super) tools: Option<String>,
}

impl Origin {
    /// The line's name of a field such as `messages[2].content`; None: it is the same.
    pub(super) fn field(&self, field: &str) -> Option<String> {
        if let (Some(rest), Some(tools)) = (field.strip_prefix("tools"), &self.tools) {
            return rest.is_empty().then(|| tools.clone());
        }
        let Some(rest) = field.strip_prefix("messages[") else {
            // The list itself: what gave its first message.
            return (field == "messages").then(|| self.parts.first().map(Part::name)).flatten();
        };
        let (index, rest) = rest.split_once(']')?;
        let mut index: usize = index.parse().ok()?;
        for part in &self.parts {
            let count = match part {
                Part::Text(_) => 1,
                Part::List(_, n) => *n,
                Part::Turns(_, n) => 2 * n,
            };
            if index >= count {
                index -= count;
                continue;
            }
            return Some(match part {
                // A text gave a whole message: the part of it that is meant is the text.
                Part::Text(name) => name.clone(),
                Part::List(name, _) => format!("{name}[{index}]{}", self.renamed(rest)),
                Part::Turns(name, _) => format!("{name}[{}][{}]", index / 2, index % 2),
            });
        }
        None
    }

    fn renamed(&self, rest: &str) -> String {
        for (own, given) in [(".role", &self.role), (".content", &self.content)] {
            if let (Some(after), Some(given)) = (rest.strip_prefix(own), given)
                && (after.is_empty() || after.starts_with(['.', '[']))
            {
                return format!(".{given}{after}");
            }
        }
        rest.to_owned()
    }
}

impl Part {
    fn name(&self) -> String {
        match self {
            Self::Text(name) | Self::List(name, _) | Self::Turns(name, _) => name.clone(),
        }
    }
}
