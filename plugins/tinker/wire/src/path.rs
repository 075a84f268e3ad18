//! Paths of checkpoints: `tinker://RUN/KIND/NAME`.

use std::{fmt, str::FromStr};
use tinsmith_plugin_api::{Error, Result};

const SCHEME: &str = "tinker://";

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To train on from: weights and optimizer.
    Training,
    /// To sample from.
    Sampler,
    /// To take away.
    External,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Training, Self::Sampler, Self::External];

    /// As a part of a path.
    #[must_use]
    pub fn segment(self) -> &'static str {
        match self {
            Self::Training => "weights",
            Self::Sampler => "sampler_weights",
            Self::External => "external_weights",
        }
    }

    /// As listings call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Sampler => "sampler",
            Self::External => "external",
        }
    }

    fn of_segment(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.segment() == segment)
    }
}

/// A checkpoint of a training run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TinkerPath {
    /// The training run, which is the id of its model.
    pub run: String,
    /// What the checkpoint is for.
    pub kind: Kind,
    /// Its name, unique within run and kind.
    pub name: String,
}

impl TinkerPath {
    /// As REST paths and listings name it within its run: `KIND/NAME`.
    #[must_use]
    pub fn checkpoint_id(&self) -> String {
        format!("{}/{}", self.kind.segment(), self.name)
    }

    /// The checkpoint of a run by its id: `KIND/NAME`, or `NAME` alone, which some servers say, and
    /// which is then of kind `otherwise`.
    ///
    /// # Errors
    /// `rejected` for what is no such id.
    pub fn of_checkpoint(run: &str, id: &str, otherwise: Kind) -> Result<Self> {
        match id.split_once('/') {
            Some(_) => format!("{SCHEME}{run}/{id}").parse(),
            None => Self::new(run, otherwise, id),
        }
    }

    fn new(run: &str, kind: Kind, name: &str) -> Result<Self> {
        for (what, part) in [("run", run), ("name", name)] {
            if part.is_empty() || part == "." || part == ".." || part.contains(['/', '\\', '\0']) {
                return Err(Error::rejected(format!("`{part}` is no {what} of a checkpoint")));
            }
        }
        Ok(Self { run: run.to_owned(), kind, name: name.to_owned() })
    }
}

impl fmt::Display for TinkerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}/{}", self.run, self.kind.segment(), self.name)
    }
}

impl FromStr for TinkerPath {
    type Err = Error;

    /// Three parts, or two where a server leaves out the kind of its sampler checkpoints.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |e: Option<Error>| {
            let why = e.map(|e| format!(": {}", e.message())).unwrap_or_default();
            Error::rejected(format!("`{text}` is no path of a checkpoint{why}")).with_hint(
                "such a path is `tinker://RUN/weights/NAME`, with `sampler_weights` or \
                 `external_weights` for what is sampled or downloaded",
            )
        };
        let Some(rest) = text.strip_prefix(SCHEME) else { return Err(wrong(None)) };
        let parts: Vec<&str> = rest.split('/').collect();
        let (run, kind, name) = match parts[..] {
            [run, kind, name] => (run, Kind::of_segment(kind).ok_or_else(|| wrong(None))?, name),
            [run, name] => (run, Kind::Sampler, name),
            _ => return Err(wrong(None)),
        };
        Self::new(run, kind, name).map_err(|e| wrong(Some(e)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for kind in Kind::ALL {
            let path = TinkerPath { run: "sess-1:train:0".into(), kind, name: "step-1".into() };
            assert_eq!(path.to_string().parse::<TinkerPath>().unwrap(), path);
            let by_id = TinkerPath::of_checkpoint(&path.run, &path.checkpoint_id(), Kind::Training);
            assert_eq!(by_id.unwrap(), path);
        }
    }

    #[test]
    fn a_path_of_two_parts_is_of_a_sampler() {
        let path: TinkerPath = "tinker://model_1/0007".parse().unwrap();
        assert_eq!(
            (path.kind, path.checkpoint_id().as_str()),
            (Kind::Sampler, "sampler_weights/0007")
        );
    }

    #[test]
    fn what_leads_elsewhere_is_no_path() {
        for text in [
            "http://a/weights/b",
            "tinker://a",
            "tinker://a/weights/",
            "tinker:///weights/b",
            "tinker://a/weights/b/c",
            "tinker://a/other/b",
            "tinker://a/weights/..",
            "tinker://../weights/b",
            "tinker://a/weights/b\\c",
        ] {
            let e = text.parse::<TinkerPath>().unwrap_err();
            assert!(e.message().contains("is no path of a checkpoint"), "{text}: {e}");
        }
        assert!(TinkerPath::of_checkpoint("run", "weights/../x", Kind::Training).is_err());
        assert!(TinkerPath::of_checkpoint("run", "..", Kind::Training).is_err());
    }
}
