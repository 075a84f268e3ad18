//! What is downloaded arrives whole, or not at all.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod fake;

use fake::{Fake, Reply, ok};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tinsmith_plugin_api::{Error, ErrorKind, Export, FileSink, Result, Trainer};

const PATH: &str = "tinker://s1:train:0/weights/final";
const URLS: &str =
    "training_runs/s1:train:0/checkpoints/external_weights/tinsmith-download/external_weights_urls";

/// Files as they arrive; a finished one is in `whole`.
#[derive(Default)]
struct Sink {
    open: Option<(String, Vec<u8>)>,
    whole: BTreeMap<String, Vec<u8>>,
}

impl FileSink for Sink {
    fn start(&mut self, name: &str) -> Result<()> {
        // As the host's own does.
        if name.split('/').any(|part| part.is_empty() || part == "..") {
            return Err(Error::rejected(format!("`{name}` is no safe name")));
        }
        self.open = Some((name.to_owned(), Vec::new()));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.open.as_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let (name, bytes) = self.open.take().unwrap();
        self.whole.insert(name, bytes);
        Ok(())
    }
}

fn export(fake: &Arc<Fake>, uri: &str) -> (Result<()>, Sink, String) {
    let (trainer, host) = fake.trainer(&json!({}));
    let mut sink = Sink::default();
    let result = trainer.export(uri, Export::Adapter, &mut sink);
    let told = format!("{result:?} {:?}", host.log_lines());
    (result, sink, told)
}

fn weights() -> Vec<u8> {
    (0..100_000_u32).map(|i| (i * 7 % 251) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A server whose file is answered by `file`; the configuration is always whole.
fn serving(file: impl Fn(usize, Option<&str>) -> Reply + Send + Sync + 'static) -> Arc<Fake> {
    let tries = AtomicUsize::new(0);
    Fake::start(move |asked, fake| match asked.path.as_str() {
        URLS => Some(ok(json!({
            "urls": {
                "adapter_model.safetensors": format!("{}/file?signature=5ecre7", fake.base),
                "adapter_config.json": format!("{}/config?signature=5ecre7", fake.base),
            },
            "expires": "2030-01-01T00:00:00Z"
        }))),
        "/config?signature=5ecre7" => Some(ok(json!({"r": 4}))),
        "/file?signature=5ecre7" => {
            assert_eq!(asked.header("x-api-key"), None, "the address is enough");
            Some(file(tries.fetch_add(1, Ordering::SeqCst), asked.header("range")))
        }
        _ => None,
    })
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_broke() {
    let whole = weights();
    let fake = serving(move |attempt, range| {
        let etag = ("etag", "\"1\"".to_owned());
        match (attempt, range) {
            (0, None) => Reply::Cut(200, vec![etag], weights(), 40_000),
            (n, Some(range)) => {
                let from: usize =
                    range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
                assert!(from > 0);
                let place = ("content-range", format!("bytes {from}-99999/100000"));
                let rest = weights()[from..].to_vec();
                match n {
                    1 => Reply::Drop,
                    3 => Reply::Hang(206, vec![etag, place], rest, 5_000),
                    2 => Reply::Cut(206, vec![etag, place], rest, 30_000),
                    _ => {
                        Reply::With(206, vec![etag, place, ("x-sha256", sha256(&weights()))], rest)
                    }
                }
            }
            other => panic!("{other:?}"),
        }
    });
    let (result, sink, told) = export(&fake, PATH);
    result.unwrap();
    assert_eq!(sink.whole["adapter_model.safetensors"], whole);
    assert_eq!(sink.whole["adapter_config.json"], br#"{"r":4}"#);
    assert!(!told.contains("5ecre7"), "{told}");
    // Signed anew for every try, and the export is deleted.
    assert!(fake.count(URLS) >= 5);
    let deleted =
        fake.asked.lock().unwrap().iter().any(|a| {
            a.method == "DELETE" && a.path.ends_with("external_weights/tinsmith-download")
        });
    assert!(deleted);
    assert_eq!(fake.count("sessions/s1/finish"), 1);
}

#[test]
fn a_server_without_ranges_sends_it_again() {
    let fake = serving(|attempt, _| match attempt {
        0 => Reply::Cut(200, Vec::new(), weights(), 40_000),
        _ => Reply::With(200, Vec::new(), weights()),
    });
    let (result, sink, _) = export(&fake, PATH);
    result.unwrap();
    assert_eq!(sink.whole["adapter_model.safetensors"], weights());
}

#[test]
fn what_is_not_what_the_server_has_is_no_file() {
    let other = serving(|_, _| Reply::With(200, vec![("x-sha256", sha256(b"other"))], weights()));
    let changed = serving(|attempt, range| match attempt {
        0 => Reply::Cut(200, vec![("etag", "\"1\"".into())], weights(), 40_000),
        _ => {
            let from: usize = range.unwrap()[6..].trim_end_matches('-').parse().unwrap();
            let place = ("content-range", format!("bytes {from}-99999/100000"));
            Reply::With(206, vec![("etag", "\"2\"".into()), place], weights()[from..].to_vec())
        }
    });
    for (fake, says) in [(other, "sha256 differs"), (changed, "changed while it was downloaded")] {
        let (result, sink, told) = export(&fake, PATH);
        let e = result.unwrap_err();
        assert!(e.to_string().contains(says), "{e}");
        assert!(!sink.whole.contains_key("adapter_model.safetensors"));
        assert!(!told.contains("5ecre7"), "{told}");
    }
    let gone = serving(|_, _| Reply::Cut(200, Vec::new(), weights(), 0));
    let (result, sink, _) = export(&gone, PATH);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::NETWORK);
    assert!(!sink.whole.contains_key("adapter_model.safetensors"));
}

/// An older server: it knows no exports, and gives an archive of what is sampled from.
fn archive(build: impl Fn(&mut tar::Builder<Vec<u8>>) + Send + Sync + 'static) -> Arc<Fake> {
    Fake::start(move |asked, fake| match asked.path.as_str() {
        "save_weights_external" => Some(Reply::Json(404, json!({"detail": "Not Found"}))),
        "save_weights_for_sampler" => Some(ok(json!({"request_id": "save"}))),
        "retrieve_future" if asked.json()["request_id"] == "save" => {
            Some(ok(json!({"path": "tinker://s1:train:0/tinsmith-download"})))
        }
        path if path.ends_with("/checkpoints/sampler_weights/tinsmith-download/archive") => {
            Some(Reply::Json(405, json!({"detail": "Method Not Allowed"})))
        }
        path if path.ends_with("/checkpoints/tinsmith-download/archive") => {
            let place = ("location", format!("{}/archive.tar?signature=5ecre7", fake.base));
            Some(Reply::With(302, vec![place], Vec::new()))
        }
        "/archive.tar?signature=5ecre7" => {
            let mut tar = tar::Builder::new(Vec::new());
            build(&mut tar);
            Some(Reply::With(200, Vec::new(), tar.into_inner().unwrap()))
        }
        _ => None,
    })
}

fn file(tar: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    // `set_path` refuses what leads elsewhere: this is what an enemy writes.
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

#[test]
fn an_archive_is_taken_where_there_are_no_exports() {
    let fake = archive(|tar| {
        file(tar, "./adapter_config.json", b"{}");
        file(tar, "adapter_model.safetensors", &weights());
        file(tar, "checkpoint_complete", b"");
    });
    let (result, sink, told) = export(&fake, PATH);
    result.unwrap();
    let names: Vec<&String> = sink.whole.keys().collect();
    assert_eq!(names, ["adapter_config.json", "adapter_model.safetensors"]);
    assert_eq!(sink.whole["adapter_model.safetensors"], weights());
    assert!(!told.contains("5ecre7"), "{told}");
}

#[test]
fn an_archive_that_leads_elsewhere_is_refused() {
    for name in ["../evil", "/etc/evil", "a/../../evil"] {
        let fake = archive(move |tar| file(tar, name, b"x"));
        let (result, sink, _) = export(&fake, PATH);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::REJECTED, "{name}");
        assert!(sink.whole.is_empty());
    }
    let fake = archive(|tar| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "adapter_config.json", "/etc/passwd").unwrap();
    });
    let (result, sink, _) = export(&fake, PATH);
    assert!(result.unwrap_err().to_string().contains("a link or a device"));
    assert!(sink.whole.is_empty());
    let empty = archive(|_| {});
    assert_eq!(export(&empty, PATH).0.unwrap_err().kind(), ErrorKind::NOT_FOUND);
}
