//! One error type for every plugin: what kind it is, what went wrong, what was being done.

use std::fmt;

/// What the host may do about an error. The texts are for people; the kind is for the program.
///
/// A number and not an enum: a kind added later must not change the layout that plugins were built
/// against. Unknown numbers behave like [`ErrorKind::OTHER`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorKind(pub u16);

impl ErrorKind {
    /// Anything else. The run fails.
    pub const OTHER: Self = Self(0);
    /// A setting is wrong. The user mends the config; nothing was started.
    pub const CONFIG: Self = Self(1);
    /// A record or file holds what it must not. The row is reported by place.
    pub const DATA: Self = Self(2);
    /// A key, file, model or checkpoint does not exist.
    pub const NOT_FOUND: Self = Self(3);
    /// Reading or writing failed (disk full, permissions).
    pub const IO: Self = Self(4);
    /// The network or a service failed; the same call may work later.
    pub const NETWORK: Self = Self(5);
    /// The plugin cannot do this at all.
    pub const UNSUPPORTED: Self = Self(6);
    /// The user asked to stop.
    pub const CANCELLED: Self = Self(7);
    /// The plugin panicked. Its state is not to be trusted.
    pub const PANIC: Self = Self(8);
    /// A training operation was checked whole before it began and refused: nothing changed.
    pub const REJECTED: Self = Self(9);
    /// The answer never came: the effect of the operation is unknown.
    pub const LOST: Self = Self(10);

    /// The word for this kind, as run records and JSON output spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CONFIG => "config",
            Self::DATA => "data",
            Self::NOT_FOUND => "not_found",
            Self::IO => "io",
            Self::NETWORK => "network",
            Self::UNSUPPORTED => "unsupported",
            Self::CANCELLED => "cancelled",
            Self::PANIC => "panic",
            Self::REJECTED => "rejected",
            Self::LOST => "lost",
            _ => "other",
        }
    }
}

impl fmt::Debug for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

/// An error of a plugin or of a host service.
///
/// `Display` prints `context: context: message` on one line, outermost context first. The hint is
/// kept apart: the host prints it on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    /// Innermost first, in the order in which it was added.
    context: Vec<String>,
    /// Dotted path of the offending key or field, such as `messages[2].content`.
    field: Option<String>,
    hint: Option<String>,
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`. The message is lower-case and has no full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), context: Vec::new(), field: None, hint: None }
    }

    /// Short for [`ErrorKind::CONFIG`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::CONFIG, message)
    }

    /// Short for [`ErrorKind::DATA`].
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DATA, message)
    }

    /// Short for [`ErrorKind::NOT_FOUND`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NOT_FOUND, message)
    }

    /// Short for [`ErrorKind::UNSUPPORTED`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UNSUPPORTED, message)
    }

    /// Short for [`ErrorKind::REJECTED`].
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::REJECTED, message)
    }

    /// What the host may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message alone, without context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was being done, innermost first.
    #[must_use]
    pub fn contexts(&self) -> &[String] {
        &self.context
    }

    /// Path of the offending key or field.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Adds what was being done. Call it while the error travels up.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context.push(context.into());
        self
    }

    /// Names the offending key or field, such as `messages[2].content`.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Puts `outer` before the field path, as a path grows while an error travels up:
    /// `content` within `messages[2]` becomes `messages[2].content`.
    #[must_use]
    pub fn within(mut self, outer: impl AsRef<str>) -> Self {
        let outer = outer.as_ref();
        self.field = Some(match self.field {
            Some(inner) if inner.starts_with('[') => format!("{outer}{inner}"),
            Some(inner) => format!("{outer}.{inner}"),
            None => outer.to_owned(),
        });
        self
    }

    /// Says what the user can do. One short sentence, no full stop.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what the user can do, where anybody knows.
    #[must_use]
    pub fn with_hint_if(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.with_hint(hint),
            None => self,
        }
    }

    /// The same error under another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "`{field}`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        // An error that crossed the boundary inside a reader or an upload comes back as it was.
        if let Some(inner) = e.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return inner.clone();
        }
        let error = match e.kind() {
            std::io::ErrorKind::NotFound => Self::not_found(e.to_string()),
            _ => Self::new(ErrorKind::IO, e.to_string()),
        };
        match e.kind() {
            std::io::ErrorKind::StorageFull => error.with_hint("free some space, then run again"),
            std::io::ErrorKind::PermissionDenied => {
                error.with_hint("check the permissions of the file and its folder")
            }
            std::io::ErrorKind::ReadOnlyFilesystem => error.with_hint("choose a writable folder"),
            _ => error,
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(e: serde_json::Error) -> Self {
        Self::new(ErrorKind::DATA, e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_puts_the_outermost_context_first() {
        let e = Error::data("must be a string").at("content").within("messages[2]");
        let e = e.context("record 7").context("render `chats.jsonl`");
        assert_eq!(
            e.to_string(),
            "render `chats.jsonl`: record 7: `messages[2].content`: must be a string"
        );
    }

    #[test]
    fn missing_files_are_not_found() {
        let e: Error = std::io::Error::from(std::io::ErrorKind::NotFound).into();
        assert_eq!(e.kind(), ErrorKind::NOT_FOUND);
    }

    #[test]
    fn an_error_inside_an_io_error_is_not_wrapped_twice() {
        let e = Error::not_found("no such key").at("a/b");
        assert_eq!(Error::from(std::io::Error::other(e.clone())), e);
    }
}
