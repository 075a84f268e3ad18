//! The sessions that live, in the run's storage: what a process leaves there that dies.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    sync::{Mutex, PoisonError},
};
use tinsmith_plugin_api::{Result, StorageHandle};

/// Where they are kept.
const KEPT: &str = "tinker-sessions.json";
/// Bytes that are read of it at most.
const MOST: u64 = 1 << 16;

/// The sessions of this process.
#[derive(Debug, Default)]
pub(crate) struct Alive(Mutex<BTreeSet<String>>);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    base_url: String,
    sessions: BTreeSet<String>,
}

impl Alive {
    /// Sessions on this server that were kept and are not of this process: its predecessor died.
    pub fn left(&self, base: &str, store: &dyn StorageHandle) -> BTreeSet<String> {
        let ours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = read(store).filter(|kept| kept.base_url == base);
        kept.map(|kept| kept.sessions.difference(&ours).cloned().collect()).unwrap_or_default()
    }

    /// A session begins. A note that cannot be kept costs a place on the server for some minutes, and
    /// nothing else.
    pub fn begin(&self, base: &str, id: &str, store: &dyn StorageHandle) {
        let mut ours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ours.insert(id.to_owned());
        let _ = write(store, base, &ours);
    }

    /// A session has ended.
    pub fn end(&self, base: &str, id: &str, store: &dyn StorageHandle) {
        let mut ours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ours.remove(id) {
            let _ = write(store, base, &ours);
        }
    }
}

fn read(store: &dyn StorageHandle) -> Option<Kept> {
    let mut text = String::new();
    store.open(KEPT, 0).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(store: &dyn StorageHandle, base: &str, sessions: &BTreeSet<String>) -> Result<()> {
    if sessions.is_empty() {
        return store.delete(KEPT);
    }
    let kept = Kept { base_url: base.to_owned(), sessions: sessions.clone() };
    let mut upload = store.create(KEPT)?;
    upload.write_all(serde_json::to_string(&kept).unwrap_or_default().as_bytes())?;
    upload.commit().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinsmith_plugin_api::testing::MemoryServices;

    fn list(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn only_what_another_process_left_is_to_be_ended() {
        let store = MemoryServices::new().services().store().unwrap();
        let died = Alive::default();
        died.begin("http://a", "1", store.as_ref());
        died.begin("http://a", "2", store.as_ref());
        died.end("http://a", "1", store.as_ref());
        let next = Alive::default();
        assert_eq!(next.left("http://b", store.as_ref()), list(&[]), "of another server");
        assert_eq!(next.left("http://a", store.as_ref()), list(&["2"]));
        // Its own are none: a reference model has a session beside the trained one's.
        next.begin("http://a", "3", store.as_ref());
        assert_eq!(next.left("http://a", store.as_ref()), list(&[]));
        next.begin("http://a", "4", store.as_ref());
        assert_eq!(Alive::default().left("http://a", store.as_ref()), list(&["3", "4"]));
        next.end("http://a", "3", store.as_ref());
        next.end("http://a", "4", store.as_ref());
        assert!(store.open(KEPT, 0).is_err(), "nothing is left of them");
    }
}
