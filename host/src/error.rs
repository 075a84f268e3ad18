//! The host's error: what kind it is, what was being done, where, and what the user can do.

use std::{fmt, path::PathBuf};
use tinsmith_plugin_api::{Error as PluginError, ErrorKind};

/// Decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something failed: exit code 1.
    Failed,
    /// The command line or the config is wrong: exit code 2.
    Usage,
    /// The data was rejected: exit code 3.
    Data,
    /// The user interrupted; a checkpoint was saved: exit code 130.
    Interrupted,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Data => "data",
            Self::Interrupted => "interrupted",
        }
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Data => 3,
            Self::Interrupted => 130,
        }
    }
}

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: Option<u64>,
    /// Column, from 1.
    pub column: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

/// The host's error. `Display` is one line: `place: context: field: message`.
#[derive(Clone, Debug)]
pub struct Error {
    /// Decides the exit code.
    pub kind: Kind,
    /// What went wrong, lower-case, without a full stop.
    pub message: String,
    /// What was being done, innermost first.
    pub context: Vec<String>,
    /// Where.
    pub place: Option<Place>,
    /// Dotted path of the key or field.
    pub field: Option<String>,
    /// What the user can do.
    pub hint: Option<String>,
    /// The plugin's kind, where a plugin raised it.
    pub plugin_kind: Option<ErrorKind>,
}

/// A result with the host's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            context: Vec::new(),
            place: None,
            field: None,
            hint: None,
            plugin_kind: None,
        }
    }

    /// The same as a plugin raises it: its whole line under this kind, and the hint.
    #[must_use]
    pub fn told_as(self, kind: ErrorKind) -> tinsmith_plugin_api::Error {
        tinsmith_plugin_api::Error::new(kind, self.to_string()).with_hint_if(self.hint)
    }

    /// Short for [`Kind::Failed`].
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Short for [`Kind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Short for [`Kind::Data`].
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// An I/O error on a path.
    pub fn io(doing: &str, path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        let path = path.into();
        let mut e = Self::failed(format!("{doing} `{}`: {error}", path.display()));
        e.hint = match error.kind() {
            std::io::ErrorKind::NotFound => None,
            std::io::ErrorKind::PermissionDenied => {
                Some("check the permissions of the file and its folder".into())
            }
            std::io::ErrorKind::StorageFull => Some("free some space, then run again".into()),
            std::io::ErrorKind::ReadOnlyFilesystem => {
                Some("choose a writable folder with `--output`".into())
            }
            _ => None,
        };
        e
    }

    /// The same, where what was rejected is none of the user's data, whatever a plugin calls it: a
    /// damaged model or checkpoint.
    #[must_use]
    pub fn not_of_the_data(mut self) -> Self {
        if self.kind == Kind::Data {
            self.kind = Kind::Failed;
        }
        self
    }

    /// Adds what was being done.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context.push(context.into());
        self
    }

    /// Adds where.
    #[must_use]
    pub fn place(
        mut self,
        path: impl Into<PathBuf>,
        line: Option<u64>,
        column: Option<u64>,
    ) -> Self {
        self.place = Some(Place { path: path.into(), line, column });
        self
    }

    /// Names the key or field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
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

impl From<PluginError> for Error {
    fn from(e: PluginError) -> Self {
        let kind = match e.kind() {
            ErrorKind::CONFIG => Kind::Usage,
            ErrorKind::DATA => Kind::Data,
            ErrorKind::CANCELLED => Kind::Interrupted,
            _ => Kind::Failed,
        };
        Self {
            kind,
            message: e.message().to_owned(),
            context: e.contexts().to_vec(),
            place: None,
            field: e.field().map(str::to_owned),
            hint: e.hint().map(str::to_owned),
            plugin_kind: Some(e.kind()),
        }
    }
}

/// Text from outside as one line that cannot steer a terminal: control characters are escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
