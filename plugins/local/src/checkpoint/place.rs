//! Where a checkpoint lies, and the uri that says so.

use std::fmt;
use tinsmith_plugin_api::{Error, Result};

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Training goes on from it.
    State,
    /// It is sampled from.
    Sampler,
    /// As `Sampler`, held in memory.
    Ephemeral,
}

/// Names a checkpoint. The two kinds that are stored have separate names, as on Tinker: a state and
/// a sampler of the same step may share one. `Display` gives the uri, which is also the prefix of
/// the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub what: Use,
    pub name: String,
}

/// The first part of the uris of each kind.
const ROOTS: [(Use, &str); 3] =
    [(Use::State, "checkpoints"), (Use::Sampler, "samplers"), (Use::Ephemeral, "memory")];

impl Place {
    /// Where the checkpoint of that name goes.
    ///
    /// # Errors
    /// `rejected` for a name that is no plain word.
    pub fn new(what: Use, name: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 200 || !name.chars().all(plain) {
            return Err(Error::rejected(format!("`{name}` cannot name a checkpoint"))
                .with_hint("use letters, digits, `-` and `_`"));
        }
        Ok(Self { what, name: name.into() })
    }

    /// What a uri (or the beginning of a key) means, if it is one of this trainer's.
    pub fn parse(uri: &str) -> Option<Self> {
        let (root, name) = uri.split_once('/')?;
        let (what, _) = *ROOTS.iter().find(|(_, known)| *known == root)?;
        Self::new(what, name).ok()
    }

    /// The prefix of all keys of that kind.
    pub fn root(what: Use) -> &'static str {
        match what {
            Use::State => ROOTS[0].1,
            Use::Sampler => ROOTS[1].1,
            Use::Ephemeral => ROOTS[2].1,
        }
    }

    /// The key of one of its files.
    pub fn key(&self, file: &str) -> String {
        format!("{self}/{file}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Self::root(self.what), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_its_place_and_nothing_outside_of_it() {
        for uri in ["checkpoints/000020", "samplers/final", "memory/3"] {
            assert_eq!(Place::parse(uri).unwrap().to_string(), uri);
        }
        for not in ["checkpoints", "checkpoints/", "checkpoints/a/b", "checkpoints/..", "x/y"] {
            assert_eq!(Place::parse(not), None, "{not}");
        }
        assert!(Place::new(Use::State, "../x").is_err());
    }
}
