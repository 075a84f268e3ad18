//! Which tokenizers were compared with the reference already, so that the next start need not load
//! it: an empty file for each, below the cache folder of the user.

use crate::{env, plugins::dirs, stamp::stamp, tokenizer::files::Files};
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf};
use tokenizers::AddedToken;

/// Smaller files are compared every time, which takes milliseconds.
const SMALL: usize = 1 << 20;

/// The mark of one tokenizer; without a path where none is wanted.
#[derive(Debug)]
pub struct Mark(Option<PathBuf>);

impl Mark {
    /// The mark of these files, for this very program: another build may encode otherwise.
    pub fn of(files: &Files, fingerprint: &str, added: &[(u32, AddedToken)]) -> Self {
        if files.tokenizer.len() < SMALL {
            return Self(None);
        }
        let program = std::env::current_exe().ok().and_then(|path| stamp(&path));
        let folder = dirs::below_home(env::XDG_CACHE_HOME, ".cache");
        let path = folder.zip(program).map(|(folder, program)| {
            let facts = format!("{fingerprint} {program:?} {added:?}");
            let name = crate::text::hex(&Sha256::digest(facts));
            folder.join("tinsmith/tokenizers").join(name)
        });
        Self(path)
    }

    /// Whether the comparison was made and found nothing.
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|path| path.is_file())
    }

    /// Remembers that. If it cannot be written, the next start compares again.
    pub fn set(&self) {
        if let Some(path) = &self.0 {
            let made = path.parent().map(fs::create_dir_all);
            let _ = made.map(|made| made.and_then(|()| fs::write(path, "")));
        }
    }
}
