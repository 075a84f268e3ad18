//! A trainer behind the server that answers late and does not compute the same bytes again. It is linked into
//! this test binary, and answers when it was asked enough, or when the test says so: an operation that is not
//! handed over leaves the test without an answer.

use super::{
    client::{Server, forward_backward, loss},
    linked,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tinsmith_plugin_api::{
    Adam, Batch, Capabilities, Checkpoint, Done, Error, ErrorKind, Export, FileSink, Forward,
    LossRef, Metrics, OpenRun, Outcome, Result, Run, RunId, Sampler, Save, Saved, Services,
    Trainer,
};
use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama};

/// Datums that begin so are refused, answered with an error of the network, and with one that says that the
/// run is not there any more.
const REFUSED: i32 = 14;
const BROKEN: i32 = 13;
const GONE: i32 = 12;

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Passes and steps that must wait for an answer before any of them gets it.
    hold: usize,
    /// `calls` is written there; where `release` is, nothing is held.
    folder: PathBuf,
}

type Answer = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Held {
    calls: usize,
    answers: Vec<Answer>,
}

pub struct Late(Config);

impl Trainer for Late {
    const NAME: &'static str = "late";
    type Config = Config;

    fn new(config: Config, _: Services) -> Result<Self> {
        Ok(Self(config))
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        Ok(Capabilities {
            native_losses: keys(&["cross_entropy"]),
            lora_keys: keys(&["rank", "alpha", "seed", "train_attn", "train_mlp", "train_unembed"]),
            max_in_flight: 2,
            ..Capabilities::default()
        })
    }

    fn open(&self, _: OpenRun) -> Result<Box<dyn Run>> {
        let held = Arc::new(Mutex::new(Held::default()));
        let (config, shared) = (self.0.clone(), Arc::clone(&held));
        std::thread::spawn(move || {
            loop {
                let mut held = shared.lock().unwrap();
                if held.answers.len() >= config.hold || config.folder.join("release").exists() {
                    std::mem::take(&mut held.answers).into_iter().for_each(|answer| answer());
                }
                drop(held);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Ok(Box::new(LateRun { config: self.0.clone(), held }))
    }

    fn sampler(&self, _: &str) -> Result<Box<dyn Sampler>> {
        Err(Error::unsupported("nothing is sampled here"))
    }

    fn checkpoints(&self, _: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        Ok(Vec::new())
    }

    fn delete(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn export(&self, _: &str, _: Export, _: &mut dyn FileSink) -> Result<()> {
        Err(Error::unsupported("there are no files"))
    }
}

struct LateRun {
    config: Config,
    held: Arc<Mutex<Held>>,
}

impl LateRun {
    fn hold<T: Send + 'static>(&self, done: Done<T>, result: Result<T>) {
        let mut held = self.held.lock().unwrap();
        held.calls += 1;
        fs::write(self.config.folder.join("calls"), held.calls.to_string()).unwrap();
        held.answers.push(Box::new(move || done.finish(result)));
    }
}

impl Run for LateRun {
    fn id(&self) -> RunId {
        RunId("late".into())
    }

    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>) {
        self.hold(done, answer(&batch));
    }

    fn forward_backward(&mut self, batch: Arc<Batch>, _: LossRef, done: Done<Forward>) {
        self.hold(done, answer(&batch));
    }

    fn optim_step(&mut self, _: Adam, done: Done<Metrics>) {
        self.hold(done, Ok(Metrics::new()));
    }

    fn save(&mut self, what: Save, done: Done<Saved>) {
        let Save::State { name, .. } = what else {
            return done.finish(Err(Error::unsupported("nothing is sampled here")));
        };
        done.finish(Ok(Saved { uri: name, sha256: None, bytes: None }));
    }

    fn close(self: Box<Self>, _: Outcome) -> Result<()> {
        Ok(())
    }
}

fn answer(batch: &Batch) -> Result<Forward> {
    match batch.tokens[0] {
        BROKEN => Err(Error::new(ErrorKind::NETWORK, "the cable is cut")),
        GONE => Err(Error::not_found("the session is gone")),
        REFUSED => Err(Error::rejected("this datum is not wanted")),
        _ => Ok(Forward { logprobs: vec![-1.0; batch.tokens.len()], metrics: Metrics::new() }),
    }
}

/// A server over the trainer that holds so many answers back.
fn server(hold: usize) -> Server {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 7).unwrap();
    let folder = sandbox.path().display();
    sandbox.write(
        "serve.yaml",
        format!(
            "serve: {{models: {{base: ./base}}, port: 0, state: state}}\n\
             trainer: {{name: late, hold: {hold}, folder: \"{folder}\"}}\n"
        ),
    );
    Server::of(sandbox, &["serve", "-q", "serve.yaml"], linked::command)
}

fn calls(folder: &Path) -> usize {
    fs::read_to_string(folder.join("calls")).ok().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Two passes and two steps, the first pass over a datum that begins with this.
fn two_steps(server: &Server, model: &str, first_seq: u64, begins: i32) -> Vec<Value> {
    let asked = [
        server.forward_backward(model, first_seq, &[begins, 2, 3]),
        server.step(model, first_seq + 1),
        server.forward_backward(model, first_seq + 2, &[1, 2, 3]),
        server.step(model, first_seq + 3),
    ];
    asked.iter().map(|request| server.result(request)).collect()
}

#[test]
fn two_steps_are_on_their_way_before_the_first_is_answered() {
    // All four, or none is answered.
    let server = server(4);
    let model = server.model(&server.session(), 0);
    let results = two_steps(&server, &model, 1, 1);
    assert_eq!((loss(&results[0]), loss(&results[2])), (2.0, 2.0));
    assert!(results.iter().all(|result| result.get("error").is_none()), "{results:?}");
}

#[test]
fn no_more_steps_are_on_their_way_than_the_trainer_takes() {
    let server = server(usize::MAX);
    let folder = server.sandbox.path().to_owned();
    let model = server.model(&server.session(), 0);
    let asked: Vec<String> = (0..4)
        .flat_map(|i| {
            let pass = server.forward_backward(&model, 2 * i + 1, &[1, 2, 3]);
            [pass, server.step(&model, 2 * i + 2)]
        })
        .collect();
    let begun = Instant::now();
    while calls(&folder) < 4 {
        assert!(begun.elapsed() < Duration::from_secs(60), "only {} came", calls(&folder));
        std::thread::sleep(Duration::from_millis(5));
    }
    // Time enough for one too many, where the thread hands over what it has.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(calls(&folder), 4);
    fs::write(folder.join("release"), "").unwrap();
    for request in asked {
        assert!(server.result(&request).get("error").is_none());
    }
    assert_eq!(calls(&folder), 8);
}

#[test]
fn what_is_behind_a_failure_fails_and_says_where_to_go_on() {
    let server = server(4);
    let session = server.session();
    let model = server.model(&session, 0);
    let save = |seq: u64, name: &str| {
        let body = json!({"model_id": model, "seq_id": seq, "path": name});
        let promise = server.post("/save_weights", &body);
        server.result(promise["request_id"].as_str().unwrap())
    };
    let path = save(1, "good")["path"].clone();
    let corrupted = || server.get(&format!("/training_runs/{model}"))["corrupted"].clone();

    // What is refused has changed nothing: the others count.
    let results = two_steps(&server, &model, 2, REFUSED);
    assert_eq!(results[0]["category"], "user", "{results:?}");
    assert!(results[1..].iter().all(|result| result.get("error").is_none()), "{results:?}");
    assert_eq!(corrupted(), false);

    // The others were done on what nobody knows.
    let results = two_steps(&server, &model, 6, BROKEN);
    for (i, result) in results.iter().enumerate() {
        let text = result["error"].as_str().unwrap_or_else(|| panic!("{i}: {result}"));
        assert_eq!(result["category"], "server", "{i}: {text}");
        assert!(text.contains("the cable is cut"), "{i}: {text}");
        assert!(text.contains(path.as_str().unwrap()), "{i}: {text}");
    }
    assert_eq!(corrupted(), true);
    let late = save(10, "bad");
    assert!(late["error"].as_str().unwrap().contains("given up"), "{late}");
    let all = server.get(&format!("/training_runs/{model}/checkpoints"));
    assert_eq!(all["checkpoints"].as_array().unwrap().len(), 1, "{all}");

    let load = json!({"model_id": model, "seq_id": 11, "path": path, "optimizer": true});
    server.done("/load_weights", &load);
    assert_eq!(corrupted(), false);
    let results = two_steps(&server, &model, 12, 1);
    assert!(results.iter().all(|result| result.get("error").is_none()), "{results:?}");
    // A client that asked for nothing wrong is not to blame.
    for result in two_steps(&server, &model, 16, GONE) {
        assert_eq!(result["category"], "server", "{result}");
    }
}

#[test]
fn what_was_on_its_way_in_a_server_that_is_killed_says_where_to_go_on() {
    let mut server = server(usize::MAX);
    let session = server.session();
    let model = server.model(&session, 0);
    let save = json!({"model_id": model, "seq_id": 1, "path": "good"});
    let path = server.done("/save_weights", &save)["path"].clone();
    let asked = [server.forward_backward(&model, 2, &[1, 2, 3]), server.step(&model, 3)];
    let begun = Instant::now();
    while calls(server.sandbox.path()) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.kill();
    server.again();
    for request in asked {
        let result = server.result(&request);
        assert_eq!(result["category"], "server", "{result}");
        assert!(result["error"].as_str().unwrap().contains(path.as_str().unwrap()), "{result}");
    }
    // The model is gone; what was saved of it is not.
    let promise = server.post("/forward_backward", &forward_backward(&model, 4, &[1, 2, 3]));
    let result = server.result(promise["request_id"].as_str().unwrap());
    assert_eq!(result["category"], "server", "{result}");
    assert_eq!(server.get("/sessions")["sessions"], json!([session]));
    assert_eq!(server.get("/checkpoints")["checkpoints"][0]["tinker_path"], path);
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    server.done("/load_weights", &load);
    // A pass of two tokens was on its way: that counts.
    let metrics = tinsmith_test_support::http::request(server.port, "GET", "/metrics", &[], b"");
    let page = String::from_utf8(metrics.unwrap().body).unwrap();
    assert!(page.contains("tinsmith_tokens_total{kind=\"train\"} 2\n"), "{page}");
}
