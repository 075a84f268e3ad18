//! What a user reads when a service is not there, is another one, or will not do it: what failed, why, and
//! what to do. And TLS, by which every hosted service is reached.

use crate::client::Server;
use serde_json::json;
use std::time::Duration;
use tinsmith_test_support::{
    cli::Sandbox,
    gate::{self, Reply},
    tiny_run, tls,
};

const MORE: &str = "training: {batch_size: 2, max_steps: 2}\n";

/// A run with this in its trainer section.
fn client(trainer: &str) -> Sandbox {
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write_on(&sandbox, 6, trainer, MORE);
    sandbox.env("TINSMITH_TINKER_CLOCK", "0.02");
    sandbox
}

fn url(base: &str) -> String {
    format!("base_url: \"{base}\"")
}

fn here(port: u16) -> String {
    url(&format!("http://127.0.0.1:{port}"))
}

/// The run fails with all of these in what it says, and no step was made.
fn check_refused(sandbox: &Sandbox, args: &[&str], parts: &[&str]) {
    let shown = sandbox.show(args);
    assert!(!shown.starts_with("exit 0\n") && !shown.contains("panicked"), "{shown}");
    for part in parts {
        assert!(shown.contains(part), "`{part}` is not in:\n{shown}");
    }
    assert!(!shown.contains("step 1/"), "{shown}");
}

const TRAIN: [&str; 2] = ["train", "run.yaml"];

#[test]
fn a_key_that_is_missing_strange_or_wrong() {
    let elsewhere = url("https://tinker.example.invalid");
    let mut sandbox = client(&elsewhere);
    check_refused(
        &sandbox,
        &TRAIN,
        &["there is no key for the Tinker API", "set `TINKER_API_KEY`"],
    );
    sandbox.env("TINKER_API_KEY", "sk-something");
    check_refused(&sandbox, &TRAIN, &["`TINKER_API_KEY` holds is no key", "begin with `tml-`"]);
    sandbox.env("TINKER_API_KEY", "tml-good");
    check_refused(
        &sandbox,
        &TRAIN,
        &[
            "run.yaml:7:35",
            "`tinker.example.invalid`, which is not trusted",
            "TINSMITH_TRUST_HOST=",
        ],
    );
    let missing = client(&format!("{elsewhere}, api_key: {{env: MISSING}}"));
    check_refused(
        &missing,
        &TRAIN,
        &["run.yaml:7:", "`trainer.api_key.env`", "environment variable `MISSING`"],
    );

    let server = crate::keyed("tml-right");
    let mut sandbox = client(&here(server.port));
    sandbox.env("TINKER_API_KEY", "tml-wrong");
    check_refused(&sandbox, &TRAIN, &["401", "does not know the key"]);
}

#[test]
fn no_server_or_another_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    check_refused(&client(&here(port)), &TRAIN, &["cannot be reached", "see that the server runs"]);
    let mut nowhere = client(&url("https://tinker.example.invalid"));
    nowhere.env("TINKER_API_KEY", "tml-x").env("TINSMITH_TRUST_HOST", "tinker.example.invalid");
    check_refused(&nowhere, &TRAIN, &["cannot be reached", "no such host"]);

    for (status, body) in [(404, "<html>nothing here</html>"), (200, "<html>welcome</html>")] {
        let port = gate::start(1, move |_| Reply::Say(status, Vec::new(), body.to_owned()));
        check_refused(&client(&here(port)), &TRAIN, &["may be no Tinker server", "base_url"]);
    }
}

#[test]
fn what_the_server_does_not_have() {
    let server = Server::start(&[]);
    let sandbox = client(&here(server.port));
    let asked = ["train", "run.yaml", "--set", "model.base_model=org/other"];
    check_refused(&sandbox, &asked, &["has no model `org/other`", "it has `base`"]);
    let asked = ["train", "run.yaml", "--set", "lora.rank=100000"];
    check_refused(&sandbox, &asked, &["`rank`: must be at most", "\nhint: "]);
}

#[test]
fn a_checkpoint_that_has_expired_or_is_gone() {
    let server = Server::start(&[]);
    let sandbox = client(&here(server.port));
    assert!(sandbox.show(&TRAIN).starts_with("exit 0\n"));
    let out = ["--output", "out"];
    let list = [&["checkpoints", "list", "latest", "--format", "json"][..], &out].concat();
    let row: serde_json::Value = serde_json::from_slice(&sandbox.run(&list).stdout).unwrap();
    let uri = row["uri"].as_str().unwrap();
    let (run, name) = uri.strip_prefix("tinker://").unwrap().split_once('/').unwrap();
    let at = format!("/training_runs/{run}/checkpoints/{name}/ttl");
    let body = json!({ "ttl_seconds": 1 }).to_string();
    let kind = [("content-type", "application/json")];
    assert_eq!(server.send("PUT", &at, &kind, body.as_bytes()).status, 204);
    std::thread::sleep(Duration::from_millis(1100));
    for args in [
        &["download", "latest", "--dest", "taken"][..],
        &["sample", "latest", "-p", "say number 1"],
    ] {
        check_refused(
            &sandbox,
            &[args, &out].concat(),
            &["there is no checkpoint", "\nhint: it may have expired"],
        );
    }
    assert!(!sandbox.path().join("taken").exists());
}

#[test]
fn tls_is_spoken_in_both_versions_of_http_and_strangers_are_not_trusted() {
    let server = Server::start(&[]);
    let plain = format!("https://localhost:{}", server.port);
    check_refused(&client(&url(&plain)), &TRAIN, &["cannot be reached", "write `http://`"]);
    for (protocols, agreed) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let tls = tls::start(server.port, protocols);
        let mut sandbox = client(&url(&format!("https://localhost:{}", tls.port)));
        check_refused(&sandbox, &TRAIN, &["certificate is not trusted", "SSL_CERT_FILE"]);
        assert_eq!(tls.agreed.lock().unwrap().len(), 0, "nothing is said to a stranger");
        sandbox.write("ca.pem", &tls.certificate);
        let path = sandbox.path().join("ca.pem").display().to_string();
        sandbox.env("SSL_CERT_FILE", &path);
        let shown = sandbox.show(&TRAIN);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        let said = tls.agreed.lock().unwrap();
        assert!(!said.is_empty() && said.iter().all(|protocol| protocol == agreed), "{said:?}");
    }
}

#[test]
fn downloads_are_fetched_where_the_server_says_that_it_is_reached() {
    let public = "https://gpu.example.org/tinker";
    let server = Server::start(&["--set", &format!("serve.public_url={public}/")]);
    let sandbox = client(&here(server.port));
    let shown = sandbox.show(&TRAIN);
    // Nobody is there: the attempt is what is seen. The signature in the address is not shown.
    assert!(!shown.starts_with("exit 0\n") && shown.contains("download `adapter"), "{shown}");
    assert!(shown.contains("lookup") && !shown.contains("signature"), "{shown}");
}
