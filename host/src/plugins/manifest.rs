//! `plugin.toml`: what a plugin is and provides, readable without running its code.

use super::elf::SYMBOL_PREFIX;
use crate::{Error, Result, error::printable};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tinsmith_plugin_api::abi::{Kind, Plugin, Provided};

/// The name of the file.
pub(super) const FILE: &str = "plugin.toml";

/// A plugin's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's id: small letters, digits, `-` and `_`.
    pub id: String,
    /// The plugin's own version.
    pub version: String,
    /// Version of plugin-api that it was built against.
    pub api: String,
    /// The plugin ABI that it speaks.
    pub abi: u32,
    /// Name of the library, beside the manifest.
    pub library: String,
    /// sha256 of the library, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The library's symbol, where it cannot be found by its prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Names by kind.
    #[serde(default)]
    pub provides: Provides,
}

/// What a plugin provides, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provides {
    /// Names of dataset renderers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renderers: Vec<String>,
    /// Names of losses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<String>,
    /// Schemes of storage backends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub storages: Vec<String>,
    /// Names of trainers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trainers: Vec<String>,
}

impl Provides {
    /// The names of one kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Renderer => &self.renderers,
            Kind::Loss => &self.losses,
            Kind::Storage => &self.storages,
            Kind::Trainer => &self.trainers,
        }
    }

    /// True if nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Kind::ALL.iter().all(|kind| self.of(*kind).is_empty())
    }

    /// What an admitted plugin says of itself.
    #[must_use]
    pub fn from_plugin(plugin: &Plugin) -> Self {
        let all = plugin.provides();
        let of = |kind| {
            let named = all.iter().filter(move |item: &&Provided| item.kind == kind);
            named.map(|item| item.name.clone()).collect()
        };
        Self {
            renderers: of(Kind::Renderer),
            losses: of(Kind::Loss),
            storages: of(Kind::Storage),
            trainers: of(Kind::Trainer),
        }
    }
}

impl Manifest {
    /// Reads the manifest of the plugin in `folder`.
    ///
    /// # Errors
    /// `failed` if it cannot be read, `usage` with line and column if it is no manifest.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
        let manifest: Self = toml_edit::de::from_str(&text).map_err(|e| {
            let (line, column) = e.span().map_or((None, None), |span| position(&text, span.start));
            let message = e.message().lines().collect::<Vec<_>>().join(": ");
            Error::usage(message.trim_end_matches('.').to_owned())
                .context("plugin manifest")
                .place(&path, line, column)
                .hint("`tinsmith plugins add --replace PATH` installs the plugin again")
        })?;
        manifest.check().map_err(|e| e.place(&path, None, None))?;
        Ok(manifest)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// `failed` if it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml_edit::ser::to_string_pretty(self)
            .map_err(|e| Error::failed(format!("write the manifest of `{}`: {e}", self.id)))
    }

    /// Where the library lies.
    #[must_use]
    pub fn library_in(&self, folder: &Path) -> PathBuf {
        folder.join(&self.library)
    }

    fn check(&self) -> Result<()> {
        check_id(&self.id)?;
        // One plain name: the library lies beside its manifest, nowhere else.
        let plain = Path::new(&self.library).file_name().is_some_and(|name| *name == *self.library);
        if !plain {
            return Err(Error::usage(format!("`{}` is no file name", self.library))
                .field("library")
                .hint("the library lies in the folder of its `plugin.toml`"));
        }
        if let Some(symbol) = &self.symbol
            && !symbol.starts_with(SYMBOL_PREFIX)
        {
            return Err(Error::usage(format!("`{symbol}` is no plugin's symbol"))
                .field("symbol")
                .hint(format!("it is `{SYMBOL_PREFIX}` and the name of the crate")));
        }
        // Listings show them as they stand.
        let names = Kind::ALL.into_iter().flat_map(|kind| self.provides.of(kind));
        for text in names.chain([&self.version, &self.api]) {
            if text.is_empty() || text.chars().any(char::is_control) {
                return Err(Error::usage(format!("`{}` is no name or version", printable(text)))
                    .hint("`tinsmith plugins add --replace PATH` installs the plugin again"));
            }
        }
        Ok(())
    }
}

/// Ids become folder names and prefixes of names.
pub(super) fn check_id(id: &str) -> Result<()> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if id.is_empty() || id.len() > 64 || id.starts_with('-') || !id.chars().all(letter) {
        return Err(Error::usage(format!("`{id}` is no plugin id"))
            .field("id")
            .hint("use small letters, digits, `-` and `_`"));
    }
    Ok(())
}

/// Line and column of a byte, both from 1.
fn position(text: &str, byte: usize) -> (Option<u64>, Option<u64>) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u64 + 1;
    (Some(line), Some(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "id = \"my-format\"\nversion = \"0.3.0\"\napi = \"0.1.0\"\nabi = 2\n\
                        library = \"libmy_format.so\"\n\n[provides]\nrenderers = [\"hello\"]\n";

    fn read(text: &str) -> Result<Manifest> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Manifest::read(folder.path())
    }

    #[test]
    fn a_manifest_is_read_and_written_alike() {
        let manifest = read(GOOD).unwrap();
        assert_eq!(manifest.provides.of(Kind::Renderer), ["hello"]);
        assert_eq!(read(&manifest.to_toml().unwrap()).unwrap(), manifest);
    }

    #[test]
    fn errors_have_a_place() {
        let e = read(&GOOD.replace("abi = 2", "abi = \"one\"")).unwrap_err();
        assert_eq!(e.place.as_ref().unwrap().line, Some(4), "{e}");
        let e = read(&GOOD.replace("version", "versoin")).unwrap_err();
        assert!(e.to_string().contains("versoin"), "{e}");
    }

    #[test]
    fn a_library_elsewhere_and_a_strange_id_are_refused() {
        for library in ["../libx.so", "/tmp/libx.so", "", "sub/libx.so", ".."] {
            assert!(read(&GOOD.replace("libmy_format.so", library)).is_err(), "{library}");
        }
        for id in ["", "../x", "A", "a b", "-x"] {
            assert!(read(&GOOD.replace("my-format", id)).is_err(), "{id}");
        }
    }
}
