//! A key, the tokens it is exchanged for and the secrets of others are in nothing that a run writes or
//! says, whatever the server answers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tinsmith_test_support::{
    cli::Sandbox,
    gate::{self, Reply, Request},
    tiny_run,
};

const KEY: &str = "tml-kUq7VbXs2EwPz9";
const OTHER: &str = "hunter2-of-somebody-else";
/// What the server behind the gate wants.
const INNER: &str = "tml-inner-8fJ3";
const MORE: &str = "training: {batch_size: 2, max_steps: 4}\ncheckpoint: {every_steps: 2}\n";

/// A run that has the key by a variable of its own, beside a variable that nobody names.
fn client(port: u16) -> Sandbox {
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let trainer = format!(
        "base_url: \"http://127.0.0.1:{port}\", api_key: {{env: MY_KEY}}, patience_seconds: 15"
    );
    tiny_run::write_on(&sandbox, 8, &trainer, MORE);
    sandbox.env("MY_KEY", KEY).env("OTHER_KEY", OTHER).env("TINSMITH_TINKER_CLOCK", "0.02");
    sandbox
}

/// The n-th token that the key is exchanged for.
fn token(n: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "sub": format!("token-{n}"), "iat": now - 10, "exp": now + 3600 });
    format!("eyJ.{}.signature-of-{n}", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Takes tokens only, each for so many requests, and gives them for the key.
fn exchanging(upstream: u16, holds: u64) -> (u16, Arc<AtomicU64>) {
    let (exchanges, uses) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
    let counted = Arc::clone(&exchanges);
    let busy = AtomicU64::new(0);
    let port = gate::start(upstream, move |request: Request| {
        let now = exchanges.load(SeqCst);
        match (request.what.as_str(), request.key.clone()) {
            ("POST /api/v1/client/config", _) => {
                Reply::Amend(request.with_key(INNER), json!({ "pjwt_auth_enabled": true }))
            }
            ("POST /api/v1/auth/token", Some(key)) if key == KEY => {
                uses.store(0, SeqCst);
                let jwt = token(exchanges.fetch_add(1, SeqCst) + 1);
                Reply::Say(200, Vec::new(), json!({ "jwt": jwt }).to_string())
            }
            // Signed addresses stand for themselves, and must not be sent a key.
            (_, None) => Reply::Pass(request),
            (what, Some(key))
                if what.ends_with("save_weights") && busy.fetch_add(1, SeqCst) == 0 =>
            {
                Reply::Say(503, Vec::new(), json!({ "detail": format!("busy, {key}") }).to_string())
            }
            (_, Some(key)) => {
                let current = key.ends_with(&format!("signature-of-{now}"));
                if current && uses.fetch_add(1, SeqCst) < holds {
                    return Reply::Pass(request.with_key(INNER));
                }
                let why = "Bearer error=\"invalid_token\"".to_owned();
                let body = json!({ "detail": format!("`{key}` does not hold any more") });
                Reply::Say(401, vec![("www-authenticate", why)], body.to_string())
            }
        }
    });
    (port, counted)
}

/// Everything below a folder whose bytes hold one of the secrets.
fn holders(folder: &Path, secrets: &[&str], seen: &mut usize) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path, secrets, seen));
            continue;
        }
        *seen += 1;
        let bytes = std::fs::read(&path).unwrap();
        let holds = |secret: &&&str| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        found.extend(secrets.iter().find(holds).map(|s| format!("{} holds {s}", path.display())));
    }
    found
}

/// `eyJ.` begins each of the tokens, `signature-of-` ends it.
const SECRETS: [&str; 5] = [KEY, INNER, OTHER, "eyJ.", "signature-of-"];

fn check_said(sandbox: &Sandbox, args: &[&str], said: &mut String) {
    let shown = sandbox.show(args);
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{args:?} says {secret}:\n{shown}");
    }
    said.push_str(&shown);
}

#[test]
fn nothing_that_a_run_writes_or_says_holds_a_key_or_a_token() {
    let server = crate::keyed(INNER);
    let (port, exchanges) = exchanging(server.port, 12);
    let sandbox = client(port);
    let mut said = String::new();
    let out = ["--output", "out"];
    check_said(&sandbox, &["train", "run.yaml", "-vv"], &mut said);
    assert!(said.starts_with("exit 0\n"), "{said}");
    // The log was on, and tokens were renewed in the midst of it.
    assert!(said.contains("POST optim_step: 200"), "{said}");
    assert!(said.contains("busy, [key]; trying again"), "{said}");
    assert!(exchanges.load(SeqCst) > 2, "{} exchanges", exchanges.load(SeqCst));
    for args in [
        &["status", "latest", "-vv"][..],
        &["status", "latest", "--format", "json"],
        &["runs", "show", "latest", "-vv"],
        &["checkpoints", "list", "latest", "-vv"],
        &["checkpoints", "ttl", "latest", "000002", "--seconds", "900", "-vv"],
        &["download", "latest", "--dest", "taken", "-vv"],
        &["sample", "latest", "-p", "say number 3", "--max-tokens", "2", "-vv"],
    ] {
        check_said(&sandbox, &[args, &out].concat(), &mut said);
    }
    for args in [&["config", "show", "run.yaml"][..], &["train", "run.yaml", "--dry-run", "-vv"]] {
        check_said(&sandbox, args, &mut said);
    }
    assert_eq!(said.matches("exit 0\n").count(), 10, "{said}");
    let mut seen = 0;
    assert_eq!(holders(sandbox.path(), &SECRETS, &mut seen), [""; 0]);
    assert!(seen > 15, "only {seen} files were looked at");
    assert!(sandbox.read("run.yaml").contains("MY_KEY"), "its name is no secret");
}

#[test]
fn an_answer_that_quotes_the_key_is_not_told_as_it_is() {
    for (status, path) in
        [(401, "create_session"), (400, "create_model"), (500, "forward_backward")]
    {
        let server = crate::keyed(INNER);
        let port = gate::start(server.port, move |request: Request| {
            let key = request.key.clone().unwrap_or_default();
            if request.what.ends_with(path) {
                let detail = format!("the key {key} may not, nor Bearer {key}, sorry");
                return Reply::Say(status, Vec::new(), json!({ "detail": detail }).to_string());
            }
            Reply::Pass(request.with_key(INNER))
        });
        let sandbox = client(port);
        let mut said = String::new();
        check_said(&sandbox, &["train", "run.yaml", "-vv"], &mut said);
        assert!(!said.starts_with("exit 0\n"), "{status}: {said}");
        assert!(said.contains("may not") && said.contains("sorry"), "{status}: {said}");
        assert_eq!(holders(sandbox.path(), &SECRETS, &mut 0), [""; 0], "{status}");
    }
}
