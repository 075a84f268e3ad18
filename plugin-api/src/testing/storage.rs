//! The behaviour that every storage backend owes.

use super::MemoryServices;
use crate::{ErrorKind, StorageBackend, StorageHandle};
use serde_json::Value;
use std::{
    io::{Read, Write},
    sync::{Arc, Barrier},
};

/// Runs the whole suite on a backend, opened with `config` on an empty place.
///
/// # Panics
/// Where the backend does not behave; the message says how.
pub fn check_storage<T: StorageBackend>(config: &Value) {
    let services = MemoryServices::new().services();
    match super::storage::<T>(config, &services) {
        Ok(store) => check_store(&store),
        Err(e) => panic!("`new` refused the config: {e}"),
    }
}

/// As [`check_storage`], for a store that is open already, such as one from a shared library.
///
/// # Panics
/// Where the store does not behave; the message says how.
pub fn check_store(store: &Arc<dyn StorageHandle>) {
    absent_keys(store);
    unsafe_keys(store);
    a_write_is_whole_or_absent(store);
    overwriting(store);
    reading_from_an_offset(store);
    listing(store);
    create_if_absent(store);
    only_one_creates(store);
    writers_do_not_mix(store);
    a_key_and_a_folder_of_one_name(store);
    a_large_blob(store);
    assert_eq!(keys(store, ""), Vec::<String>::new(), "every key was deleted, but some remain");
}

type Store = Arc<dyn StorageHandle>;

/// Unwraps with the call's name: the suite is code of the crate, not of a test.
fn ok<T>(what: &str, result: crate::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(e) => panic!("{what}: {e}"),
    }
}

fn refused<T>(what: &str, result: crate::Result<T>, kind: ErrorKind) {
    match result {
        Ok(_) => panic!("{what} was accepted, not answered with an error of kind {kind:?}"),
        Err(e) => assert_eq!(e.kind(), kind, "{what}: {e}"),
    }
}

fn put(store: &Store, key: &str, bytes: &[u8]) {
    assert_eq!(ok("put", store.put(key, bytes)), bytes.len() as u64, "commit tells the size");
}

fn get(store: &Store, key: &str) -> Vec<u8> {
    ok("get", store.get(key))
}

fn keys(store: &Store, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let visit = &mut |key: &str, _: u64| {
        found.push(key.to_owned());
        true
    };
    ok("list", store.list(prefix, visit));
    found
}

fn delete(store: &Store, key: &str) {
    ok("delete", store.delete(key));
}

fn absent_keys(store: &Store) {
    assert_eq!(keys(store, ""), Vec::<String>::new(), "the suite needs an empty store");
    for key in ["missing", "no/such/folder"] {
        assert!(!ok("exists", store.exists(key)), "`{key}` does not exist");
        refused("opening an absent key", store.open(key, 0).map(drop), ErrorKind::NOT_FOUND);
        delete(store, key);
    }
}

fn unsafe_keys(store: &Store) {
    for key in ["", "/", "/etc/passwd", "a//b", "a/", ".", "..", "../a", "a/../b", "a/./b", "a/.."]
    {
        let what = |call: &str| format!("`{call}` with the key `{key}`");
        refused(&what("open"), store.open(key, 0).map(drop), ErrorKind::CONFIG);
        refused(&what("create"), store.create(key).map(drop), ErrorKind::CONFIG);
        refused(&what("create_if_absent"), store.create_if_absent(key, b""), ErrorKind::CONFIG);
        refused(&what("delete"), store.delete(key), ErrorKind::CONFIG);
        refused(&what("exists"), store.exists(key), ErrorKind::CONFIG);
    }
}

fn a_write_is_whole_or_absent(store: &Store) {
    for key in ["blob", "deep/er/blob", "with space/ünï.bin"] {
        let mut upload = ok("create", store.create(key));
        for piece in [&b"one "[..], b"", b"two"] {
            ok("write", upload.write_all(piece).map_err(Into::into));
        }
        ok("flush", upload.flush().map_err(Into::into));
        assert!(!ok("exists", store.exists(key)), "`{key}` is visible before its commit");
        assert_eq!(keys(store, ""), Vec::<String>::new(), "an uncommitted write is listed");
        assert_eq!(ok("commit", upload.commit()), 7, "commit tells the size");
        assert!(ok("exists", store.exists(key)), "`{key}` is not visible after its commit");
        assert_eq!(get(store, key), b"one two");
        delete(store, key);
        assert!(!ok("exists", store.exists(key)), "`{key}` is visible after its deletion");
        delete(store, key);

        let mut dropped = ok("create", store.create(key));
        ok("write", dropped.write_all(b"never").map_err(Into::into));
        drop(dropped);
        assert!(!ok("exists", store.exists(key)), "a dropped write left `{key}`");
        assert_eq!(keys(store, ""), Vec::<String>::new(), "a dropped write left something");
    }
    put(store, "empty", b"");
    assert_eq!(get(store, "empty"), b"");
    delete(store, "empty");
}

fn overwriting(store: &Store) {
    put(store, "over", b"the first and longer one");
    let mut upload = ok("create", store.create("over"));
    ok("write", upload.write_all(b"second").map_err(Into::into));
    assert_eq!(get(store, "over"), b"the first and longer one", "visible before its commit");
    ok("commit", upload.commit());
    assert_eq!(get(store, "over"), b"second");
    drop(ok("create", store.create("over")));
    assert_eq!(get(store, "over"), b"second", "a dropped write changed the blob");
    delete(store, "over");
}

fn reading_from_an_offset(store: &Store) {
    put(store, "offset", b"0123456789");
    for from in [0, 1, 9, 10] {
        let mut rest = Vec::new();
        let mut reader = ok("open", store.open("offset", from));
        ok("read", reader.read_to_end(&mut rest).map_err(Into::into));
        assert_eq!(rest, &b"0123456789"[from as usize..], "from byte {from}");
    }
    delete(store, "offset");
}

fn listing(store: &Store) {
    // In ascending order of whole keys: `-` sorts before `/`, so that a walk of folders that sorts
    // names gets it wrong.
    let all = ["a-b", "a/b", "a/b-c", "a/b.d/e", "ab", "b"];
    for (bytes, key) in all.iter().enumerate().rev() {
        put(store, key, &vec![0; bytes]);
    }
    assert_eq!(keys(store, ""), all);
    assert_eq!(keys(store, "a/"), ["a/b", "a/b-c", "a/b.d/e"]);
    assert_eq!(keys(store, "a/b"), ["a/b", "a/b-c", "a/b.d/e"], "a prefix is text, no folder");
    assert_eq!(keys(store, "a"), ["a-b", "a/b", "a/b-c", "a/b.d/e", "ab"]);
    assert_eq!(keys(store, "c/d"), Vec::<String>::new());

    let mut sizes = Vec::new();
    let visit = &mut |_: &str, bytes: u64| {
        sizes.push(bytes);
        sizes.len() < 3
    };
    ok("list", store.list("", visit));
    assert_eq!(sizes, [0, 1, 2], "sizes in bytes, and the visitor's `false` ends the listing");
    for key in all {
        delete(store, key);
    }
}

fn create_if_absent(store: &Store) {
    assert!(ok("create_if_absent", store.create_if_absent("lock/file", b"mine")));
    assert!(!ok("create_if_absent", store.create_if_absent("lock/file", b"theirs")));
    assert_eq!(get(store, "lock/file"), b"mine");
    delete(store, "lock/file");
}

const RACERS: usize = 8;

/// Runs `f(i)` on some threads at once.
fn race<T: Send + 'static>(store: &Store, f: fn(&Store, usize) -> T) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(RACERS));
    let racer = |i| {
        let (store, barrier) = (Arc::clone(store), Arc::clone(&barrier));
        std::thread::spawn(move || {
            barrier.wait();
            f(&store, i)
        })
    };
    let threads: Vec<_> = (0..RACERS).map(racer).collect();
    let join = |thread: std::thread::JoinHandle<T>| match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    threads.into_iter().map(join).collect()
}

fn only_one_creates(store: &Store) {
    for round in 0..8 {
        let won = race(store, |store, i| {
            let bytes = format!("racer {i}");
            ok("create_if_absent", store.create_if_absent("race", bytes.as_bytes()))
        });
        let winners: Vec<usize> = (0..RACERS).filter(|i| won[*i]).collect();
        assert_eq!(winners.len(), 1, "round {round}: {} racers created the key", winners.len());
        assert_eq!(get(store, "race"), format!("racer {}", winners[0]).as_bytes());
        delete(store, "race");
    }
}

fn writers_do_not_mix(store: &Store) {
    race(store, |store, i| {
        let mut upload = ok("create", store.create("mixed/blob"));
        for _ in 0..64 {
            ok("write", upload.write_all(&[i as u8; 512]).map_err(Into::into));
        }
        ok("commit", upload.commit());
    });
    let blob = get(store, "mixed/blob");
    assert_eq!(blob.len(), 64 * 512);
    assert!(blob.iter().all(|byte| *byte == blob[0]), "two writers of one key were mixed");
    delete(store, "mixed/blob");
}

/// Some backends cannot hold `x` and `x/y`; they must say so and keep what they have.
fn a_key_and_a_folder_of_one_name(store: &Store) {
    put(store, "x", b"file");
    let inner = store.put("x/y", b"inner");
    assert_eq!(get(store, "x"), b"file", "writing `x/y` harmed `x`");
    if inner.is_ok() {
        assert_eq!(get(store, "x/y"), b"inner");
        delete(store, "x/y");
    }
    delete(store, "x");
}

fn a_large_blob(store: &Store) {
    const BYTES: usize = 9 << 20;
    // A pattern without a short period, so that a lost or doubled piece shows.
    let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    let blob: Vec<u8> = (0..BYTES).map(byte).collect();
    let mut upload = ok("create", store.create("large/blob"));
    for piece in blob.chunks(1_000_003) {
        ok("write", upload.write_all(piece).map_err(Into::into));
    }
    assert_eq!(ok("commit", upload.commit()), BYTES as u64);
    assert!(get(store, "large/blob") == blob, "a large blob came back changed");
    let mut tail = Vec::new();
    let mut reader = ok("open", store.open("large/blob", 5_000_000));
    ok("read", reader.read_to_end(&mut tail).map_err(Into::into));
    assert!(tail == blob[5_000_000..], "the tail of a large blob came back changed");
    delete(store, "large/blob");
}
