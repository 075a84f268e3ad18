/*!
A server as strict as TuFT 0.2.2, whose answers were taken down from the server itself: it refuses every field
that the request types of SDK 0.25.0 do not have, answers 201, 202 and 204, writes null for what is absent,
says `try_again` when it has waited long enough, fails operations under status 422, and gives an archive as
a folder of its own machine. `tests/conformance/peers/run.sh tuft` drives the server itself.
*/

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod fake;

use fake::{ADAM, Asked, Fake, Reply, batch, ok, open};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tinsmith_plugin_api::{
    Error, ErrorKind, Export, FileSink, LossRef, OpenRun, Outcome, Result, Run, RunId, Save,
    Trainer, ticket,
};

/// Fields of the requests of SDK 0.25.0, each with `type`; other fields are refused.
const FIELDS: [(&str, &[&str]); 8] = [
    ("create_session", &["tags", "user_metadata", "sdk_version", "project_id"]),
    ("session_heartbeat", &["session_id"]),
    ("create_model", &["session_id", "model_seq_id", "base_model", "user_metadata", "lora_config"]),
    (
        "load_weights",
        &[
            "model_id",
            "seq_id",
            "session_id",
            "model_seq_id",
            "base_model",
            "user_metadata",
            "path",
            "optimizer",
            "weights_access_token",
        ],
    ),
    ("optim_step", &["adam_params", "model_id", "seq_id"]),
    ("save_weights", &["model_id", "path", "seq_id", "ttl_seconds", "overwrite"]),
    (
        "save_weights_for_sampler",
        &["model_id", "path", "sampling_session_seq_id", "seq_id", "ttl_seconds"],
    ),
    ("retrieve_future", &["request_id", "allow_metadata_only"]),
];

const RUN: &str = "0b5c1d6e";

fn refused(status: u16, detail: &str) -> Reply {
    Reply::Json(status, json!({"detail": detail}))
}

/// What is wrong with a request, as pydantic says it.
fn extra(asked: &Asked) -> Option<Reply> {
    let (_, known) = FIELDS.iter().find(|(path, _)| *path == asked.path)?;
    let body = asked.json();
    let unknown =
        body.as_object()?.keys().find(|k| *k != "type" && !known.contains(&k.as_str()))?;
    let detail = json!([{"type": "extra_forbidden", "loc": ["body", unknown],
        "msg": "Extra inputs are not permitted"}]);
    Some(Reply::Json(422, json!({"detail": detail})))
}

/// The server. `failing`: the next optimizer step fails.
fn strict(folder: PathBuf, failing: Arc<AtomicBool>) -> Arc<Fake> {
    let late = AtomicBool::new(true);
    let promise = |id: &str| Reply::Json(202, json!({"request_id": id, "model_id": RUN}));
    Fake::start(move |asked, _| {
        if let Some(refusal) = extra(asked) {
            return Some(refusal);
        }
        let body = asked.json();
        let by_load = body["session_id"].is_string();
        let archive =
            format!("training_runs/{RUN}/checkpoints/sampler_weights/tinsmith-download/archive");
        Some(match asked.path.as_str() {
            "client/config" => {
                ok(json!({"pjwt_auth_enabled": false, "parallel_fwdbwd_chunks": false,
                "fwdbwd_max_chunk_len": 2}))
            }
            "/openapi.json" => ok(json!({"info": {"title": "TuFT"}, "paths": {
                "/api/v1/forward_backward": {"post": {"requestBody": {"content": {
                    "application/x-protobuf": {}}}}}}})),
            "get_server_capabilities" => ok(json!({"supported_models": [
                {"model_name": "org/m", "max_context_length": 512, "capabilities": ["training"]}]})),
            "create_session" => Reply::Json(
                201,
                json!({"type": "create_session",
                "session_id": "s", "info_message": null, "warning_message": null,
                "error_message": null}),
            ),
            "load_weights" if by_load => refused(400, "Missing model_id"),
            "weights_info" => ok(json!({"base_model": "org/m", "is_lora": true, "lora_rank": 4})),
            "create_model" => promise("model"),
            "load_weights" => promise("loaded"),
            "forward_backward"
                if asked.header("content-type") != Some("application/x-protobuf") =>
            {
                refused(415, "Unsupported Content-Type")
            }
            "forward_backward" => promise("pass"),
            "optim_step" => promise("step"),
            "save_weights" => promise("weights"),
            "save_weights_for_sampler" => promise("sampler_weights"),
            "retrieve_future" => match body["request_id"].as_str().unwrap() {
                "model" => ok(json!({"model_id": RUN, "type": "create_model"})),
                "loaded" => ok(json!({"path": null, "type": null})),
                "pass" if late.swap(false, Ordering::SeqCst) => {
                    ok(json!({"type": "try_again", "request_id": "pass", "queue_state": "active",
                        "queue_state_reason": null}))
                }
                "pass" => ok(json!({
                    "loss_fn_outputs": [
                        {"logprobs": {"data": [-0.5, -1.0], "dtype": "float32", "shape": [2]}},
                        {"logprobs": {"data": [-0.5, -1.0], "dtype": "float32", "shape": null}}
                    ],
                    "metrics": {"loss:sum": 3.0}, "loss_fn_output_type": "cross_entropy"})),
                "step" if failing.load(Ordering::SeqCst) => {
                    refused(422, "Future failed: the adapter is gone")
                }
                "step" => ok(json!({"metrics": null})),
                "weights" => ok(json!({"path": format!("tinker://{RUN}/weights/a"), "type": null})),
                _ => {
                    ok(json!({"path": format!("tinker://{RUN}/sampler_weights/tinsmith-download"),
                    "sampling_session_id": null, "type": null}))
                }
            },
            path if path == format!("training_runs/{RUN}/checkpoints") => {
                let row = |kind: &str, path: &str| {
                    json!({"checkpoint_id": "a", "checkpoint_type": kind, "public": false,
                        "time": "2030-01-01T00:00:00Z", "size_bytes": null, "expires_at": null,
                        "user_metadata": null, "tinker_path": format!("tinker://{RUN}/{path}/a")})
                };
                ok(
                    json!({"checkpoints": [row("training", "weights"), row("sampler", "sampler_weights")],
                    "cursor": null}),
                )
            }
            path if path == archive => {
                let location = ("location", format!("file://{}", folder.display()));
                Reply::With(302, vec![location], Vec::new())
            }
            path if path.ends_with("/publish") || asked.method == "DELETE" => {
                Reply::With(204, Vec::new(), Vec::new())
            }
            path if path.ends_with("/ttl") => refused(405, "Method Not Allowed"),
            _ => refused(404, "Not Found"),
        })
    })
}

fn pass(run: &mut dyn Run) -> Result<tinsmith_plugin_api::Forward> {
    let (done, ticket) = ticket();
    let loss = LossRef { name: "cross_entropy".into(), config: Value::Null, call: None };
    run.forward_backward(batch(4), loss, done);
    ticket.wait()
}

fn step(run: &mut dyn Run) -> Result<tinsmith_plugin_api::Metrics> {
    let (done, ticket) = ticket();
    run.optim_step(ADAM, done);
    ticket.wait()
}

#[derive(Default)]
struct Files(BTreeMap<String, Vec<u8>>, String);

impl FileSink for Files {
    fn start(&mut self, name: &str) -> Result<()> {
        self.1 = name.to_owned();
        self.0.insert(self.1.clone(), Vec::new());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_run_goes_its_way_on_a_server_that_refuses_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let fake = strict(folder.path().to_owned(), Arc::default());
    let (trainer, _host) = fake.trainer(&json!({}));
    assert_eq!(trainer.capabilities().unwrap().models[0].max_context_length, Some(512));
    let mut run = open(&trainer);
    assert_eq!(run.id(), RunId(RUN.into()));
    // Four datums, two a request, one request after the other, and the first result is late.
    let forward = pass(run.as_mut()).unwrap();
    assert_eq!(forward.logprobs, [-0.5, -1.0].repeat(4));
    assert_eq!(forward.metrics["loss:sum"], 6.0);
    assert!(step(run.as_mut()).unwrap().is_empty(), "metrics of null are none");
    let (done, ticket) = ticket();
    run.save(Save::State { name: "a".into(), optimizer: true }, done);
    assert_eq!(ticket.wait().unwrap().uri, format!("tinker://{RUN}/weights/a"));
    run.close(Outcome::Success).unwrap();
    let sent = fake.of("forward_backward");
    // Behind the model's id, field 2 is the number: tag 0x10.
    let numbers: Vec<u8> = sent.iter().map(|a| a.body[2 + RUN.len() + 1]).collect();
    assert_eq!(numbers, [1, 2], "in order");
}

#[test]
fn a_checkpoint_is_loaded_listed_published_and_deleted_there() {
    let folder = tempfile::tempdir().unwrap();
    let fake = strict(folder.path().to_owned(), Arc::default());
    let (trainer, _host) = fake.trainer(&json!({}));
    let uri = format!("tinker://{RUN}/weights/a");
    let mut run = trainer.open(OpenRun::Saved { uri: uri.clone(), optimizer: true }).unwrap();
    step(run.as_mut()).unwrap();
    // The model is made like the checkpoint's, which is then loaded as its first operation.
    let loads: Vec<Value> = fake.of("load_weights").iter().map(Asked::json).collect();
    assert_eq!((&loads[1]["model_id"], &loads[1]["seq_id"]), (&json!(RUN), &json!(1)));
    assert_eq!(fake.of("optim_step")[0].json()["seq_id"], 2);
    assert_eq!(fake.of("create_model")[0].json()["lora_config"]["train_unembed"], true, "as usual");
    let listed = trainer.checkpoints(Some(&RunId(RUN.into()))).unwrap();
    let uris: Vec<&str> = listed.iter().map(|c| c.uri.as_str()).collect();
    assert_eq!(uris, [uri.as_str(), &format!("tinker://{RUN}/sampler_weights/a")]);
    trainer.publish(&uri, true).unwrap();
    trainer.delete(&uri).unwrap();
    assert_eq!(trainer.set_ttl(&uri, None).unwrap_err().kind(), ErrorKind::UNSUPPORTED);
}

/// It refuses to load an adapter into one of another form, and says nothing of the form but the rank.
#[test]
fn a_checkpoint_is_loaded_into_an_adapter_of_the_form_that_the_run_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let fake = strict(folder.path().to_owned(), Arc::default());
    let (trainer, host) = fake.trainer(&json!({}));
    open(&trainer).close(Outcome::Failed).unwrap();
    // Another process, with the storage of the run.
    let next = fake.trainer_with(&json!({}), host.services());
    let uri = format!("tinker://{RUN}/weights/a");
    next.open(OpenRun::Saved { uri, optimizer: true }).unwrap();
    let made: Vec<Value> =
        fake.of("create_model").iter().map(|a| a.json()["lora_config"].clone()).collect();
    let form = |of: &Value| {
        ["rank", "train_attn", "train_mlp", "train_unembed"].map(|key| of[key].clone())
    };
    assert_eq!(form(&made[0]), [json!(4), json!(true), json!(true), json!(false)]);
    assert_eq!(form(&made[1]), form(&made[0]));
}

#[test]
fn an_operation_that_failed_there_says_why() {
    let failing = Arc::new(AtomicBool::new(true));
    let folder = tempfile::tempdir().unwrap();
    let fake = strict(folder.path().to_owned(), failing);
    let (trainer, _host) = fake.trainer(&json!({}));
    let e = step(open(&trainer).as_mut()).unwrap_err();
    assert!(e.to_string().contains("Future failed: the adapter is gone"), "{e}");
    assert_eq!(fake.count("optim_step"), 1, "it is not sent again");
}

/// The folder holds more than an adapter.
#[test]
fn an_adapter_is_taken_from_the_folder_of_a_server_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter");
    std::fs::create_dir(&adapter).unwrap();
    let weights: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
    std::fs::write(adapter.join("adapter_model.safetensors"), &weights).unwrap();
    std::fs::write(adapter.join("README.md"), "no part of it").unwrap();
    let fake = strict(folder.path().to_owned(), Arc::default());
    let (trainer, _host) = fake.trainer(&json!({}));
    let export = |files: &mut Files| -> Result<(), Error> {
        trainer.export(&format!("tinker://{RUN}/weights/a"), Export::Adapter, files)
    };
    let mut files = Files::default();
    let e = export(&mut files).unwrap_err();
    assert!(e.to_string().contains("adapter_config.json") && files.0.is_empty(), "{e}");
    std::fs::write(adapter.join("adapter_config.json"), "{}").unwrap();
    export(&mut files).unwrap();
    let names: Vec<&str> = files.0.keys().map(String::as_str).collect();
    assert_eq!(names, ["adapter_config.json", "adapter_model.safetensors"]);
    assert_eq!(files.0["adapter_model.safetensors"], weights);
}
