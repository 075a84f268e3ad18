//! The suite every backend owes, and what is special about files: temporary names, links, refusals.

#![allow(clippy::unwrap_used)]

use std::{fs, io::Write, path::Path, sync::Arc};
use tempfile::TempDir;
use tinsmith_plugin_api::{
    ErrorKind, StorageHandle,
    testing::{self, MemoryServices},
};
use tinsmith_store_file::FileStorage;

fn open(root: &Path) -> Arc<dyn StorageHandle> {
    let config = serde_json::json!({"uri": format!("file://{}", root.display())});
    testing::storage::<FileStorage>(&config, &MemoryServices::new().services()).unwrap()
}

fn keys(store: &Arc<dyn StorageHandle>, prefix: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let visit = &mut |key: &str, _: u64| {
        keys.push(key.to_owned());
        true
    };
    store.list(prefix, visit).unwrap();
    keys
}

/// Names in a folder, temporary ones included.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn behaves_as_every_backend_must() {
    let dir = TempDir::new().unwrap();
    let uri = format!("file://{}", dir.path().join("not/made/yet").display());
    testing::check_storage::<FileStorage>(&serde_json::json!({"uri": uri}));
    // The suite deleted all it wrote, and the folders went with it.
    assert_eq!(names(&dir.path().join("not/made/yet")), [""; 0]);
}

#[test]
fn a_dropped_write_leaves_no_file_and_no_folder() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let mut upload = store.create("a/b/c").unwrap();
    upload.write_all(&[7; 300_000]).unwrap();
    assert_eq!(names(&dir.path().join("a/b")).len(), 1);
    drop(upload);
    assert_eq!(names(dir.path()), [""; 0]);
}

/// A process that was killed leaves its temporary file; nobody sees it, and nobody trips over it.
#[test]
fn temporary_files_of_a_killed_process_are_invisible() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    store.put("run/state", b"whole").unwrap();
    fs::write(dir.path().join("run/.tinsmith-tmp-x81bQz"), b"half").unwrap();
    assert_eq!(keys(&store, ""), ["run/state"]);
    let e = store.open("run/.tinsmith-tmp-x81bQz", 0).map(drop).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::CONFIG);
    store.put("run/state", b"new").unwrap();
    assert_eq!(store.get("run/state").unwrap(), b"new");
    store.delete("run/state").unwrap();
    assert_eq!(keys(&store, ""), [""; 0]);
}

#[cfg(unix)]
#[test]
fn links_below_the_root_are_refused_and_the_root_may_be_one() {
    let dir = TempDir::new().unwrap();
    let real = dir.path().join("real");
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir_all(&real).unwrap();
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("secret"), b"private").unwrap();
    std::os::unix::fs::symlink(&elsewhere, real.join("out")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("secret"), real.join("file")).unwrap();
    std::os::unix::fs::symlink(&real, dir.path().join("root")).unwrap();

    let store = open(&dir.path().join("root"));
    store.put("inside", b"ok").unwrap();
    assert_eq!(fs::read(real.join("inside")).unwrap(), b"ok");
    for key in ["out/secret", "file"] {
        let e = store.get(key).unwrap_err();
        assert!(e.to_string().contains("is a symbolic link"), "{e}");
        assert!(store.put(key, b"x").is_err());
        assert!(store.delete(key).is_err());
        assert!(store.exists(key).is_err());
    }
    assert_eq!(keys(&store, ""), ["inside"]);
    assert_eq!(fs::read(elsewhere.join("secret")).unwrap(), b"private");
}

#[test]
fn a_file_in_the_way_is_one_clear_line() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    store.put("a", b"file").unwrap();
    let e = store.put("a/b", b"x").unwrap_err();
    let root = dir.path().display();
    assert_eq!(e.to_string(), format!("cannot write `a/b`: a part of it is a file in `{root}`"));
    store.put("folder/x", b"y").unwrap();
    let e = store.put("folder", b"x").unwrap_err();
    assert_eq!(e.to_string(), format!("cannot write `folder`: it is a folder in `{root}`"));
    assert_eq!(names(dir.path()), ["a", "folder"]);
    assert!(!store.exists("folder").unwrap());
    assert_eq!(store.open("folder", 0).map(drop).unwrap_err().kind(), ErrorKind::NOT_FOUND);
}

/// A folder is not the blob that `create_if_absent` asks for: to answer that it is there would make
/// the caller read it.
#[test]
fn a_folder_in_the_place_of_a_blob_is_no_blob() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    store.put("folder/x", b"y").unwrap();
    let e = store.create_if_absent("folder", b"x").unwrap_err();
    let root = dir.path().display();
    assert_eq!(e.to_string(), format!("cannot write `folder`: it is a folder in `{root}`"));
    assert_eq!(keys(&store, ""), ["folder/x"]);
    assert_eq!(names(dir.path()), ["folder"]);
}

/// What others put into the folder under names that no key may have: listed, it could not be read.
#[cfg(unix)]
#[test]
fn names_that_are_no_keys_are_not_listed() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    store.put("a", b"x").unwrap();
    for name in ["a:b", "a\\b", "a\nb"] {
        fs::write(dir.path().join(name), b"y").unwrap();
    }
    fs::create_dir(dir.path().join("c:d")).unwrap();
    fs::write(dir.path().join("c:d/e"), b"y").unwrap();
    assert_eq!(keys(&store, ""), ["a"]);
}

/// To open a named pipe is to wait for its writer, who may never come.
#[cfg(unix)]
#[test]
fn a_named_pipe_is_no_blob() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe")).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(store.open("pipe", 0).map(drop)));
    let answer = told.recv_timeout(std::time::Duration::from_secs(20)).expect("open waits");
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::NOT_FOUND);
}

/// `/sys` refuses new files to everybody, also to root, who may write to any ordinary folder.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_one_clear_line() {
    let e = open(Path::new("/sys/tinsmith")).put("a/b", b"x").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IO);
    let text = e.to_string();
    assert!(
        text == "cannot write `a/b`: permission denied in `/sys/tinsmith`"
            || text == "cannot write `a/b`: the file system of `/sys/tinsmith` is read-only",
        "{text}"
    );
    assert!(e.hint().unwrap().contains("--output"));
    // `/proc` says that the folder does not exist, which must not read as an absent key.
    let e = open(Path::new("/proc/tinsmith")).put("a/b", b"x").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IO);
    assert!(e.to_string().starts_with("cannot write `a/b`: "), "{e}");
}

#[cfg(unix)]
#[test]
fn blobs_have_the_permissions_of_ordinary_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    open(dir.path()).put("blob", b"x").unwrap();
    fs::write(dir.path().join("ordinary"), b"x").unwrap();
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("blob"), mode("ordinary"));
}
