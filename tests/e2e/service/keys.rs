//! Where the key and the server's address come from, and which of two counts.

use crate::client::Server;
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    sync::{Arc, Mutex},
};
use tinsmith_test_support::{
    cli::Sandbox,
    gate::{self, Reply, Request},
    tiny_run,
};

const MORE: &str = "training: {batch_size: 2, max_steps: 1}\n";

/// Something in front of a server that notes which keys it is sent.
fn noting(upstream: u16) -> (u16, Arc<Mutex<BTreeSet<Option<String>>>>) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let noted = Arc::clone(&seen);
    let port = gate::start(upstream, move |request: Request| {
        // A download's address stands for itself.
        if !request.what.contains("/files/") {
            noted.lock().unwrap().insert(request.key.clone());
        }
        Reply::Pass(request)
    });
    (port, seen)
}

/// Puts a key where the official command line tool keeps its own.
fn store(sandbox: &Sandbox, key: &str) {
    let stored = json!({"version": 1, "default": "7", "keys": {
        "6": {"type": "manual", "key": "tml-another"},
        "7": {"type": "manual", "key": key},
    }});
    sandbox.write(".home/.tinker/credentials.json", stored.to_string());
}

#[test]
fn the_key_comes_from_the_config_the_environment_a_command_or_the_stored_one() {
    let server = Server::start(&[]);
    let (port, seen) = noting(server.port);
    let here = format!("base_url: \"http://127.0.0.1:{port}\"");
    // Each has all that come after it besides: the first counts.
    for (expected, from) in ["tml-config", "tml-env", "tml-command", "tml-stored"].iter().zip(0..) {
        let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
        let named = if from == 0 { ", api_key: {env: MINE}" } else { "" };
        tiny_run::write_on(&sandbox, 4, &format!("{here}{named}"), MORE);
        store(&sandbox, "tml-stored");
        if from <= 2 {
            let command = "echo asked >> asked.txt; printf 'tml-command\\n'";
            sandbox.env("TINKER_CREDENTIAL_CMD", command);
        }
        if from <= 1 {
            sandbox.env("TINKER_API_KEY", "tml-env");
        }
        sandbox.env("MINE", "tml-config");
        let shown = sandbox.show(&["train", "run.yaml"]);
        assert!(shown.starts_with("exit 0\n"), "{expected}: {shown}");
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen, BTreeSet::from([Some((*expected).to_owned())]), "{expected}");
        assert_eq!(sandbox.path().join("asked.txt").exists(), from == 2);
    }
}

#[test]
fn a_key_that_cannot_be_had_is_no_reason_to_send_another() {
    let server = Server::start(&[]);
    let (port, seen) = noting(server.port);
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write_on(&sandbox, 4, &format!("base_url: \"http://127.0.0.1:{port}\""), MORE);
    store(&sandbox, "tml-stored");
    sandbox.env("TINKER_CREDENTIAL_CMD", "echo tml-half; exit 3");
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("`TINKER_CREDENTIAL_CMD` failed: exit status: 3"), "{shown}");
    assert!(!shown.contains("tml-"), "{shown}");
    assert!(seen.lock().unwrap().is_empty());

    fs::remove_file(sandbox.path().join(".home/.tinker/credentials.json")).unwrap();
    sandbox.write(".home/.tinker/credentials.json", "{\"keys\": {\"7\": \"tml-torn");
    let mut torn = sandbox;
    torn.env("TINKER_CREDENTIAL_CMD", "");
    let shown = torn.show(&["train", "run.yaml"]);
    assert!(shown.contains("credentials.json` is damaged at line 1"), "{shown}");
    assert!(!shown.contains("tml-"), "{shown}");
}

/// A variable that lies around must not send data elsewhere than the config says.
#[test]
fn the_address_comes_from_a_flag_the_config_or_the_environment() {
    let (first, second) = (Server::start(&[]), Server::start(&[]));
    let ((one, seen_one), (two, seen_two)) = (noting(first.port), noting(second.port));
    let url = |port| format!("http://127.0.0.1:{port}");
    for (config, env, flag, second) in [
        (Some(one), Some(two), None, false),
        (None, Some(two), None, true),
        (Some(one), None, Some(two), true),
    ] {
        let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
        let trainer = config
            .map_or("max_in_flight: 2".to_owned(), |port| format!("base_url: \"{}\"", url(port)));
        tiny_run::write_on(&sandbox, 4, &trainer, MORE);
        if let Some(port) = env {
            sandbox.env("TINKER_BASE_URL", &url(port));
        }
        let set = flag.map(|port| format!("trainer.base_url={}", url(port)));
        let mut args = vec!["train", "run.yaml"];
        args.extend(set.iter().flat_map(|set| ["--set", set]));
        let shown = sandbox.show(&args);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        let told = [&seen_one, &seen_two]
            .map(|seen| !std::mem::take(&mut *seen.lock().unwrap()).is_empty());
        assert_eq!(told, [!second, second]);
    }
}
