//! A server on the tiny model, and a client that speaks to it.

use prost::Message;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tinsmith_test_support::{
    cli::Sandbox,
    http::{self, Answer},
    tiny_model::tiny_llama,
};
use tinsmith_tinker_wire::{
    datum::to_proto,
    output::Output,
    proto::{ForwardBackwardOutput, ForwardBackwardRequest},
};

/// How long a result is waited for: much longer than it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes the command of a program.
pub type Program = fn(&Sandbox, &[&str]) -> Command;

/// A server; it is killed at the end of the test.
pub struct Server {
    pub sandbox: Sandbox,
    pub port: u16,
    pub child: Child,
    args: Vec<String>,
    program: Program,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub fn start(more: &[&str]) -> Self {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
        tiny_llama(&sandbox.path().join("base"), 7).unwrap();
        let mut args = vec!["serve", "-q", "--model", "base", "--port", "0", "--state", "state"];
        args.extend(more);
        Self::run(sandbox, &args)
    }

    pub fn run(sandbox: Sandbox, args: &[&str]) -> Self {
        Self::of(sandbox, args, Sandbox::command)
    }

    /// As [`Server::run`], by another program.
    pub fn of(sandbox: Sandbox, args: &[&str], program: Program) -> Self {
        let (child, port) = start(program(&sandbox, args));
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Self { sandbox, port, child, args, program }
    }

    /// The same again, over what this one left.
    pub fn again(&mut self) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        (self.child, self.port) = start((self.program)(&self.sandbox, &args));
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        http::request(self.port, method, &format!("/api/v1{path}"), headers, body).unwrap()
    }

    /// Checkpoints whose bytes are there, those to sample from included.
    pub fn stored(&self) -> usize {
        let entries = |folder: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        let kinds =
            entries(&self.state().join("store")).into_iter().flat_map(|base| entries(&base));
        kinds.map(|kind| entries(&kind).len()).sum()
    }

    /// Checkpoints that are in doubt.
    pub fn pending(&self) -> usize {
        std::fs::read_dir(self.state().join("pending")).unwrap().count()
    }

    pub fn state(&self) -> PathBuf {
        self.sandbox.path().join("state")
    }

    pub fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
        answer.json()
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.try_post(path, body);
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.json());
        answer.json()
    }

    pub fn try_post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Asks until there is a result.
    pub fn result(&self, request: &str) -> Value {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "no result of {request}");
            let answer = self.try_post("/retrieve_future", &json!({ "request_id": request }));
            match answer.status {
                200 => return answer.json(),
                408 => {}
                other => panic!("{other}: {}", answer.json()),
            }
        }
    }

    /// A request that is promised a result, and the result.
    pub fn done(&self, path: &str, body: &Value) -> Value {
        let promise = self.post(path, body);
        let result = self.result(promise["request_id"].as_str().unwrap());
        assert!(result.get("error").is_none(), "{path}: {result}");
        result
    }

    pub fn session(&self) -> String {
        let body = json!({"tags": [], "user_metadata": {}, "sdk_version": "test"});
        self.post("/create_session", &body)["session_id"].as_str().unwrap().to_owned()
    }

    /// A model of rank 2, which is number `n` of its session.
    pub fn model(&self, session: &str, n: u64) -> String {
        let lora = json!({"rank": 2, "seed": 3, "train_unembed": false});
        let body = json!({"session_id": session, "model_seq_id": n, "base_model": "base", "lora_config": lora});
        let made = self.done("/create_model", &body);
        assert_eq!(made["model_id"], format!("{session}:train:{n}"));
        made["model_id"].as_str().unwrap().to_owned()
    }

    /// Sends a pass over one datum, whose tokens are all trained. Answers the id of the request.
    pub fn forward_backward(&self, model: &str, seq: u64, tokens: &[i32]) -> String {
        let body = forward_backward(model, seq, tokens);
        self.post("/forward_backward", &body)["request_id"].as_str().unwrap().to_owned()
    }

    pub fn step(&self, model: &str, seq: u64) -> String {
        let adam = json!({"learning_rate": 0.01, "eps": 1e-8});
        let body = json!({"model_id": model, "seq_id": seq, "adam_params": adam});
        self.post("/optim_step", &body)["request_id"].as_str().unwrap().to_owned()
    }

    /// As [`Server::forward_backward`], in the binary dialect, as zstd if asked for, and its result.
    pub fn binary(&self, model: &str, seq: i32, tokens: &[i32], only: bool, zstd: bool) -> Output {
        let batch = tinsmith_plugin_api::Batch {
            tokens: tokens[..tokens.len() - 1].to_vec(),
            targets: tokens[1..].to_vec(),
            offsets: vec![0, tokens.len() as u64 - 1],
            groups: vec![0],
            columns: vec![tinsmith_plugin_api::Column {
                name: "weights".into(),
                data: tinsmith_plugin_api::ColumnData::F32(vec![1.0; tokens.len() - 1]),
            }],
        };
        let asked = ForwardBackwardRequest {
            model_id: model.into(),
            seq_id: seq,
            data: vec![to_proto(&batch, 0, None)],
            loss_fn: "cross_entropy".into(),
            forward_only: only,
            ..ForwardBackwardRequest::default()
        };
        let mut headers = vec![("content-type", "application/x-protobuf")];
        let mut body = asked.encode_to_vec();
        if zstd {
            headers.push(("content-encoding", "zstd"));
            body = zstd::encode_all(&body[..], 3).unwrap();
        }
        let promise = self.send("POST", "/forward_backward", &headers, &body);
        assert_eq!(promise.status, 200, "{}", promise.json());
        let poll = json!({ "request_id": promise.json()["request_id"] }).to_string();
        let headers = [("accept", "application/x-protobuf"), ("content-type", "application/json")];
        let answer = self.send("POST", "/retrieve_future", &headers, poll.as_bytes());
        assert_eq!(answer.header("content-type"), "application/x-protobuf");
        Output::from_proto(ForwardBackwardOutput::decode(&answer.body[..]).unwrap()).unwrap()
    }
}

fn start(mut command: Command) -> (Child, u16) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    // A program of the tests says more than its address.
    let mut out = BufReader::new(child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while !line.contains("http://") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "no address");
    }
    let port = line.trim().rsplit(':').next().unwrap().parse();
    (child, port.unwrap_or_else(|_| panic!("no address: {line:?}")))
}

pub fn forward_backward(model: &str, seq: u64, tokens: &[i32]) -> Value {
    let n = tokens.len() - 1;
    let datum = json!({
        "model_input": {"chunks": [{"tokens": &tokens[..n], "type": "encoded_text"}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": &tokens[1..], "dtype": "int64", "shape": [n]},
            "weights": {"data": vec![1.0; n], "dtype": "float32", "shape": [n]},
        },
    });
    let input = json!({"data": [datum], "loss_fn": "cross_entropy"});
    json!({"model_id": model, "seq_id": seq, "forward_backward_input": input})
}

pub fn loss(result: &Value) -> f64 {
    result["metrics"]["loss:sum"].as_f64().unwrap_or_else(|| panic!("{result}"))
}
