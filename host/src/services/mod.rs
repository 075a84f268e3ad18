/*!
What the host lends to plugins: its tokenizer, the run's storage, the thread budget, the user's wish
to stop, and the secrets that a plugin's own config names.
*/

use crate::tokenizer::Tokenizer;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tinsmith_plugin_api::{
    Error, HostServices, Level, Result, Secret, Services, Special, StorageHandle, TokenizerInfo,
};

type Log = Arc<dyn Fn(Level, &str) + Send + Sync>;
type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Puts together what one plugin is lent.
#[derive(Clone, Default)]
pub struct ServicesBuilder {
    tokenizer: Option<Arc<Tokenizer>>,
    store: Option<Arc<dyn StorageHandle>>,
    threads: Option<usize>,
    cancel: Option<Arc<AtomicBool>>,
    log: Option<Log>,
    progress: Option<Progress>,
    secrets: BTreeMap<String, Option<Secret>>,
}

impl fmt::Debug for ServicesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServicesBuilder").finish_non_exhaustive()
    }
}

impl ServicesBuilder {
    /// Lends nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lends a tokenizer.
    #[must_use]
    pub fn tokenizer(mut self, tokenizer: Arc<Tokenizer>) -> Self {
        self.tokenizer = Some(tokenizer);
        self
    }

    /// Lends the run's storage.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn StorageHandle>) -> Self {
        self.store = Some(store);
        self
    }

    /// The thread budget. Default: the machine's.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// True once the user asked to stop.
    #[must_use]
    pub fn cancel(mut self, cancel: Arc<AtomicBool>) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// Where log lines go. Default: nowhere.
    #[must_use]
    pub fn log(mut self, log: Log) -> Self {
        self.log = Some(log);
        self
    }

    /// Where progress goes. Default: nowhere.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The secrets that the plugin's own config names; `None` for one that has no value.
    #[must_use]
    pub fn secrets(mut self, secrets: BTreeMap<String, Option<Secret>>) -> Self {
        self.secrets = secrets;
        self
    }

    /// What the plugin gets.
    #[must_use]
    pub fn build(self) -> Services {
        Services::new(Arc::new(Lent(self)))
    }
}

/// The machine's thread count: the budget where nobody set one.
#[must_use]
pub fn machine_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

struct Lent(ServicesBuilder);

impl Lent {
    fn tokenizer_or_refuse(&self) -> Result<&Tokenizer> {
        self.0.tokenizer.as_deref().ok_or_else(|| {
            Error::unsupported("there is no tokenizer here")
                .with_hint("set `model.tokenizer`, or `--tokenizer` on the command line")
        })
    }
}

impl HostServices for Lent {
    fn log(&self, level: Level, message: &str) {
        if let Some(log) = &self.0.log {
            log(level, message);
        }
    }

    fn progress(&self, done: u64, total: u64) {
        if let Some(progress) = &self.0.progress {
            progress(done, total);
        }
    }

    fn cancelled(&self) -> bool {
        self.0.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    fn threads(&self) -> usize {
        self.0.threads.unwrap_or_else(machine_threads)
    }

    fn encode(&self, text: &str, special: Special) -> Result<Vec<i32>> {
        self.tokenizer_or_refuse()?.encode(text, special)
    }

    fn encode_offsets(&self, text: &str, special: Special) -> Result<(Vec<i32>, Vec<(u32, u32)>)> {
        self.tokenizer_or_refuse()?.encode_offsets(text, special)
    }

    fn token_id(&self, token: &str) -> Option<i32> {
        self.0.tokenizer.as_ref()?.token_id(token)
    }

    fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        self.tokenizer_or_refuse()?.decode_bytes(tokens)
    }

    fn tokenizer(&self) -> Result<TokenizerInfo> {
        Ok(self.tokenizer_or_refuse()?.info().clone())
    }

    fn store(&self) -> Result<Arc<dyn StorageHandle>> {
        self.0.store.clone().ok_or_else(|| Error::unsupported("there is no run, so no storage"))
    }

    fn secret(&self, name: &str) -> Result<Secret> {
        match self.0.secrets.get(name) {
            Some(Some(secret)) => Ok(secret.clone()),
            Some(None) => Err(Error::not_found(format!("secret `{name}` has no value"))
                .with_hint(format!("set the environment variable `{name}`"))),
            None => Err(Error::config(format!("the plugin's config names no secret `{name}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinsmith_plugin_api::ErrorKind;

    #[test]
    fn only_secrets_that_the_config_names_are_lent() {
        let secrets = BTreeMap::from([
            ("KEY".to_owned(), Some(Secret::new("tml-1"))),
            ("EMPTY".to_owned(), None),
        ]);
        let services = ServicesBuilder::new().secrets(secrets).build();
        assert_eq!(services.secret("KEY").unwrap().reveal(), "tml-1");
        assert_eq!(services.secret("EMPTY").unwrap_err().kind(), ErrorKind::NOT_FOUND);
        assert_eq!(services.secret("PATH").unwrap_err().kind(), ErrorKind::CONFIG);
    }

    #[test]
    fn without_a_tokenizer_the_error_says_what_to_set() {
        let services = ServicesBuilder::new().build();
        let e = services.encode("x").unwrap_err();
        assert!(e.hint().is_some());
        assert_eq!(services.token_id("x"), None);
    }
}
