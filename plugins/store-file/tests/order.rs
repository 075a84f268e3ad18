//! Listing against a model: a sorted set of keys.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::BTreeSet;
use tempfile::TempDir;
use tinsmith_plugin_api::testing::{self, MemoryServices};
use tinsmith_store_file::FileStorage;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever keys could be written, `list` gives those with the prefix, in the order of bytes.
    #[test]
    fn keys_come_in_the_order_of_their_bytes(
        wanted in prop::collection::btree_set("[ab0!~-]{1,2}(/[ab.-]{0,1}[ab]){0,2}", 0..12),
        prefix in "([ab0!~-]{1,2}/?)?",
    ) {
        let dir = TempDir::new().unwrap();
        let config = serde_json::json!({"uri": dir.path()});
        let services = MemoryServices::new().services();
        let store = testing::storage::<FileStorage>(&config, &services).unwrap();
        let mut written = BTreeSet::new();
        for key in wanted {
            // Refused where `a` and `a/b` cannot both be files.
            if store.put(&key, key.as_bytes()).is_ok() {
                written.insert(key);
            }
        }
        written.retain(|key| key.starts_with(&prefix));
        let mut listed = Vec::new();
        store.list(&prefix, &mut |key, bytes| {
            assert_eq!(bytes, key.len() as u64);
            listed.push(key.to_owned());
            true
        }).unwrap();
        prop_assert_eq!(listed, written.into_iter().collect::<Vec<_>>());
    }
}
