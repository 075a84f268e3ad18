//! Libraries beside the test binary, folders of its own, and registries over both.

use dir_store as _;
use focal_loss as _;
use hello_renderer as _;
use misbehaving as _;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tinsmith::{
    Error, Result,
    plugins::{Places, PluginOptions, Registry},
};
use tinsmith_plugin_api::testing::MemoryServices;

/// The shared library of a crate of this workspace.
pub fn library(crate_name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = format!("lib{crate_name}{}", std::env::consts::DLL_SUFFIX);
    let path = test.parent().unwrap().join(name);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

/// Folders for one test, gone afterwards.
pub struct Home {
    dir: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn places(&self) -> Places {
        let path = self.path();
        Places {
            path: Vec::new(),
            installed: Some(path.join("data/tinsmith/plugins")),
            machine: vec![path.join("machine/tinsmith/plugins")],
            trusted: Some(path.join("config/tinsmith/trusted.toml")),
            cache: Some(path.join("cache/tinsmith/plugins")),
        }
    }

    /// A file in this home.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A changed copy of a library.
    pub fn patched(
        &self,
        crate_name: &str,
        name: &str,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> PathBuf {
        let mut bytes = std::fs::read(library(crate_name)).unwrap();
        change(&mut bytes);
        self.file(name, &bytes)
    }

    /// All plugins, those at `paths` named by hand.
    pub fn registry(&self, paths: &[PathBuf]) -> Result<Registry> {
        let options = PluginOptions { paths: paths.to_vec(), configured: Vec::new() };
        Registry::load_from(self.places(), &options)
    }

    /// The same plugins once linked and once loaded, with a word for messages.
    pub fn both(&self, crates: &[&str]) -> [(&'static str, Registry); 2] {
        let libraries: Vec<PathBuf> = crates.iter().map(|name| library(name)).collect();
        let loaded = self.registry(&libraries).unwrap();
        for entry in loaded.entries().iter().take(crates.len()) {
            assert!(entry.sha256().is_some(), "`{}` is not from a library", entry.id());
        }
        [("linked", self.registry(&[]).unwrap()), ("loaded", loaded)]
    }
}

/// Replaces every occurrence, by as many bytes.
pub fn replace_all(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let found: Vec<usize> = memchr::memmem::find_iter(bytes, old).collect();
    assert!(!found.is_empty(), "`{}` is not in the library", String::from_utf8_lossy(old));
    for at in found {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
}

/// A config section.
pub fn section(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no section"),
    }
}

pub fn services() -> tinsmith_plugin_api::Services {
    MemoryServices::new().services()
}

/// One clear line and a hint, and nothing that only a programmer reads.
pub fn assert_clear(e: &Error) {
    let text = e.to_string();
    assert!(!text.contains('\n') && text.len() < 600, "not one line: {text}");
    assert!(!text.ends_with('.'), "ends in a full stop: {text}");
    let hint = e.hint.as_deref().unwrap_or_default();
    assert!(!hint.is_empty() && !hint.contains('\n'), "no hint: {text}");
}
