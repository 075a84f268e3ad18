//! Who comes in, what is too large, and how a server ends.

use super::client::Server;
use serde_json::json;
use std::time::{Duration, Instant};
use tinsmith_test_support::{cli::Sandbox, http, tiny_model::tiny_llama};

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 7).unwrap();
    sandbox.env("SERVE_KEY", "tml-the-key");
    sandbox
}

#[test]
fn a_key_is_asked_for_once_one_is_set() {
    let config = "serve:\n  models: {org/tiny: ./base}\n  api_key: {env: SERVE_KEY}\n  port: 0\n  \
                  session_timeout_seconds: 1\n  max_body_bytes: 2000\n";
    let sandbox = sandbox();
    sandbox.write("serve.yaml", config);
    let server = Server::run(sandbox, &["serve", "serve.yaml", "--state", "state"]);
    let ask = |headers: &[(&str, &str)]| {
        server.send("GET", "/get_server_capabilities", headers, b"").status
    };
    assert_eq!(ask(&[]), 401);
    assert_eq!(ask(&[("x-api-key", "tml-another")]), 401);
    assert_eq!(ask(&[("x-api-key", "tml-the-key")]), 200);
    assert_eq!(server.send("GET", "/healthz", &[], b"").status, 200);
    let key = [("x-api-key", "tml-the-key"), ("content-type", "application/json")];
    let models = server.send("GET", "/get_server_capabilities", &key, b"").json();
    assert_eq!(models["supported_models"][0]["model_name"], "org/tiny");

    let large = json!({"tags": ["x".repeat(3000)]}).to_string();
    assert_eq!(server.send("POST", "/create_session", &key, large.as_bytes()).status, 413);
    let zipped = zstd::encode_all(&large.as_bytes().repeat(10)[..], 3).unwrap();
    let packed = [key[0], key[1], ("content-encoding", "zstd")];
    assert!(zipped.len() < 2000);
    assert_eq!(server.send("POST", "/create_session", &packed, &zipped).status, 413);

    // A client that fell silent after it was heard of is given up; one that never spoke is not.
    let begin = || {
        let answer = server.send("POST", "/create_session", &key, b"{}");
        answer.json()["session_id"].as_str().unwrap().to_owned()
    };
    let (spoke, silent) = (begin(), begin());
    let beat = |id: &str| {
        let body = json!({ "session_id": id }).to_string();
        server.send("POST", "/session_heartbeat", &key, body.as_bytes()).status
    };
    assert_eq!(beat(&spoke), 200);
    let active = || {
        let body = json!({"statuses": [{"type": "active"}]}).to_string();
        let found = server.send("POST", "/sessions/search", &key, body.as_bytes()).json();
        let ids = found["sessions"].as_array().unwrap().iter();
        ids.map(|s| s["session_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let begun = Instant::now();
    while active().contains(&spoke) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the session does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(active(), [silent]);
    assert_eq!((beat(&spoke), beat("nobody")), (410, 404));
}

#[test]
fn without_a_key_nobody_else_is_let_in() {
    let sandbox = sandbox();
    let shown = sandbox.show(&["serve", "--model", "base", "--host", "0.0.0.0"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("without a key"), "{shown}");
    assert!(shown.contains("--api-key-env NAME"), "{shown}");
    let shown = sandbox.show(&["serve", "--model", "base", "--api-key-env", "NO_SUCH_KEY"]);
    assert!(shown.starts_with("exit 2\n") && shown.contains("NO_SUCH_KEY"), "{shown}");
    sandbox.write("bad.yaml", "serve: {models: {a: ./base}, api_key: hunter2}\n");
    let shown = sandbox.show(&["serve", "bad.yaml"]);
    assert!(shown.starts_with("exit 2\n") && !shown.contains("hunter2"), "{shown}");

    let server = Server::start(&[]);
    // A page in a browser, from elsewhere or under a name that was made to point here.
    for headers in [("origin", "https://evil.example"), ("host", "evil.example:80")] {
        let answer =
            http::request(server.port, "GET", "/api/v1/sessions", &[headers], b"").unwrap();
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    for headers in [("origin", "http://localhost:3000"), ("host", "localhost:80")] {
        let answer =
            http::request(server.port, "GET", "/api/v1/sessions", &[headers], b"").unwrap();
        assert_eq!(answer.status, 200, "{headers:?}");
    }
    assert_eq!(server.send("GET", "/no/such/path", &[], b"").status, 404);
    // One server a folder.
    let shown =
        server.sandbox.show(&["serve", "--model", "base", "--port", "0", "--state", "state"]);
    assert!(shown.starts_with("exit 1\n") && shown.contains("being served by process"), "{shown}");
}

#[cfg(unix)]
#[test]
fn it_ends_when_it_is_asked_to() {
    let mut server = Server::start(&[]);
    let session = server.session();
    let pid = server.child.id().to_string();
    let asked = std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(asked.success());
    assert!(server.child.wait().unwrap().success());
    server.again();
    assert_eq!(server.get("/sessions")["sessions"], json!([session]));
}
