//! `tinsmith train` on servers that are not ours: what they cannot do is said before anything is trained.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};
use tinsmith_test_support::{cli::Sandbox, tiny_run};

/// A server that says what it is, and to everything else that it does not know it.
struct Stranger {
    port: u16,
    /// What it was asked, in order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    fn start(title: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let path = read(&stream);
                let (status, body) = answer(title, &path);
                noted.lock().unwrap().push(path);
                write(stream, status, &body.to_string());
            }
        });
        Self { port, asked }
    }

    /// Whether this was asked.
    fn was_asked(&self, what: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|path| path.contains(what))
    }
}

/// The path of a request, which is read to its end.
fn read(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        match header.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    path
}

fn write(mut stream: TcpStream, status: u16, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    // A client that has gone is told nothing.
    let _ = stream.write_all((head + body).as_bytes());
}

/// As SkyRL answers, whose description of itself has the title "Tinker API Mock".
fn answer(title: &str, path: &str) -> (u16, Value) {
    match path {
        "/api/v1/client/config" => (200, json!({"pjwt_auth_enabled": false})),
        "/openapi.json" => (
            200,
            json!({"info": {"title": title}, "paths": {"/api/v1/forward_backward": {"post": {}}}}),
        ),
        "/api/v1/get_server_capabilities" => {
            (200, json!({"supported_models": [{"model_name": "base"}]}))
        }
        path if path.starts_with("/api/v1/checkpoints?") => (200, json!({"checkpoints": []})),
        _ => (422, json!({"detail": "not in this test"})),
    }
}

/// A run of preferences by `dpo` on this server.
fn preferences(server: &Stranger) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let trainer = format!("base_url: \"http://127.0.0.1:{}\"", server.port);
    let more = "training: {batch_size: 4, loss: dpo, normalization: none}\n";
    tiny_run::write_on(&sandbox, 0, &trainer, more);
    let row =
        |i: usize| json!({"prompt": format!("is {i} even?"), "chosen": "yes", "rejected": "no!"});
    sandbox.write("chats.jsonl", (0..8).map(|i| format!("{}\n", row(i))).collect::<String>());
    sandbox
}

/// Its gradient would be another one there, and nobody would see it.
#[test]
fn a_loss_of_this_side_is_refused_on_a_server_that_divides_by_the_mask() {
    let server = Stranger::start("Tinker API Mock");
    let sandbox = preferences(&server);
    for more in [&[][..], &["--dry-run"]] {
        let shown = sandbox.show(&[&["train", "run.yaml"], more].concat());
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains("run.yaml:"), "where: {shown}");
        assert!(shown.contains("trainer `tinker` cannot use the loss `dpo`"), "{shown}");
        assert!(shown.contains("divides gradients by the mask"), "{shown}");
        assert!(shown.contains("hint: it knows cross_entropy,"), "{shown}");
    }
    assert!(server.was_asked("get_server_capabilities"));
    assert!(!server.was_asked("create_session") && !server.was_asked("create_model"));
    assert_eq!(tiny_run::latest(&sandbox), None, "nothing is recorded");
}

/// What makes the difference is what the server says of itself.
#[test]
fn the_same_loss_goes_on_to_a_server_that_adds_up() {
    let server = Stranger::start("Another");
    let sandbox = preferences(&server);
    let shown = sandbox.show(&["train", "run.yaml", "--dry-run"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("evaluated between a forward and a backward pass"), "{shown}");
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.contains("not in this test"), "{shown}");
    assert!(server.was_asked("create_session"));
}
