//! A panic anywhere in a plugin is one error with file and line, in both linkages.

use super::support::{Home, section, services};
use serde_json::{Value, json};
use std::{io::Read, io::Write, sync::Arc, time::Duration};
use tinsmith::plugins::Registry;
use tinsmith_plugin_api::{
    Adam, AdapterSpec, Batch, Error, ErrorKind, LossBatch, LossRef, OpenRun, Outcome, Run,
    SampleRequest, Save, TicketState, ticket,
};

/// Runs a test on both linkages.
fn in_both(test: impl Fn(&str, &Registry)) {
    let home = Home::new();
    for (linkage, registry) in home.both(&["misbehaving"]) {
        test(linkage, &registry);
    }
}

fn config(place: &str) -> serde_json::Map<String, Value> {
    section(json!({ "panic_in": place }))
}

/// The error of a panic, from a plugin call.
fn is_panic(linkage: &str, place: &str, e: &Error) {
    assert_eq!(e.kind(), ErrorKind::PANIC, "{linkage}, {place}: {e}");
    let text = e.to_string();
    assert!(text.contains("panicked at tests/plugins/misbehaving/src/"), "{linkage}: {text}");
    assert!(text.contains(".rs:"), "{linkage}: {text}");
    assert!(e.hint().is_some(), "{linkage}: {text}");
}

fn failed<T>(result: tinsmith_plugin_api::Result<T>) -> Error {
    result.map(drop).unwrap_err()
}

#[test]
fn constructors() {
    in_both(|linkage, registry| {
        let panics = config("new");
        let renderer = registry.renderer("misbehaving/bad", &panics, services()).map(drop);
        let loss = registry.loss("misbehaving/bad", &panics).map(drop);
        let storage = registry.storage("misbehaving/bad", &panics, services()).map(drop);
        let trainer = registry.trainer("misbehaving/bad", &panics, services()).map(drop);
        for e in [renderer, loss, storage, trainer].map(Result::unwrap_err) {
            assert_eq!(e.plugin_kind, Some(ErrorKind::PANIC), "{linkage}: {e}");
            assert!(e.to_string().contains("panicked at tests/plugins/misbehaving/src/"), "{e}");
            assert!(e.to_string().contains("plugin `misbehaving`"), "{e}");
        }
    });
}

#[test]
fn renderers() {
    in_both(|linkage, registry| {
        for place in ["render", "generation_prompt", "stop", "parse_response"] {
            let bad = registry.renderer("misbehaving/bad", &config(place), services()).unwrap();
            let e = match place {
                "render" => failed(bad.render_batch(&["{}"])),
                "generation_prompt" => failed(bad.generation_prompt(&json!([]))),
                "stop" => failed(bad.stop()),
                _ => failed(bad.parse_response(&[1])),
            };
            is_panic(linkage, place, &e);
        }
        // A destructor must not take the host with it either.
        drop(registry.renderer("misbehaving/bad", &config("drop"), services()).unwrap());
    });
}

#[test]
fn the_record_that_panics_is_named() {
    in_both(|linkage, registry| {
        let bad = registry.renderer("misbehaving/bad", &config(""), services()).unwrap();
        for act in ["panic", "index"] {
            let lines = [r#"{"act": "ok"}"#.to_owned(), format!(r#"{{"act": "{act}"}}"#)];
            let e = failed(bad.render_batch(&[&lines[0], &lines[1]]));
            is_panic(linkage, act, &e);
            assert!(e.to_string().contains("record 1 of the batch"), "{linkage}: {e}");
        }
    });
}

#[test]
fn what_a_renderer_must_not_do_is_an_error_of_the_record() {
    in_both(|linkage, registry| {
        let bad = registry.renderer("misbehaving/bad", &config(""), services()).unwrap();
        let lines = ["ok", "refuse", "forget to finish", "skip", "ok"]
            .map(|act| format!(r#"{{"act": "{act}"}}"#));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let out = bad.render_batch(&lines).unwrap();
        assert_eq!(out.record, [0, 4], "{linkage}: the others are rendered all the same");
        assert_eq!(out.tokens, [1, 1]);
        let refused: Vec<u32> = out.errors.iter().map(|refused| refused.record).collect();
        assert_eq!(refused, [1, 2]);
        assert_eq!(out.errors[0].error.to_string(), "`act`: is refused");
        assert_eq!(out.errors[0].error.kind(), ErrorKind::DATA);
    });
}

/// The arrays of `Examples` are public. The host indexes them, so what does not fit together must not
/// reach it.
#[test]
fn arrays_that_do_not_fit_together_are_refused() {
    in_both(|linkage, registry| {
        let bad = registry.renderer("misbehaving/bad", &config(""), services()).unwrap();
        for act in [
            "uneven",
            "lose a group",
            "lose a record",
            "answer for another record",
            "count backwards",
            "count groups too far",
        ] {
            let e = failed(bad.render_batch(&[&format!(r#"{{"act": "{act}"}}"#)]));
            assert_eq!(e.kind(), ErrorKind::OTHER, "{linkage}, {act}: {e}");
            assert!(e.to_string().contains("the renderer"), "{linkage}, {act}: {e}");
            assert!(e.hint().is_some(), "{linkage}, {act}: {e}");
        }
    });
}

#[test]
fn losses() {
    in_both(|linkage, registry| {
        let e = registry.loss("misbehaving/bad", &config("remote")).map(drop).unwrap_err();
        assert_eq!(e.plugin_kind, Some(ErrorKind::PANIC), "{linkage}: {e}");
        let bad = registry.loss("misbehaving/bad", &config("evaluate")).unwrap();
        let batch =
            LossBatch { logprobs: &[-1.0], inputs: &[&[1.0]], offsets: &[0, 1], groups: &[0] };
        is_panic(linkage, "evaluate", &failed(bad.evaluate(&batch, &mut [0.0])));
        let uneven = LossBatch { inputs: &[&[1.0, 2.0]], ..batch };
        let e = failed(bad.evaluate(&uneven, &mut [0.0]));
        assert_eq!(e.kind(), ErrorKind::REJECTED, "{linkage}: {e}");
    });
}

#[test]
fn storages() {
    in_both(|linkage, registry| {
        let open = |place| registry.storage("bad", &config(place), services()).unwrap();
        for place in ["open", "create", "create_if_absent", "list", "delete", "exists"] {
            let bad = open(place);
            let e = match place {
                "open" => failed(bad.open("a", 0)),
                "create" => failed(bad.create("a")),
                "create_if_absent" => failed(bad.create_if_absent("a", b"")),
                "list" => failed(bad.list("", &mut |_, _| true)),
                "delete" => failed(bad.delete("a")),
                _ => failed(bad.exists("a")),
            };
            is_panic(linkage, place, &e);
        }
        for place in ["read", "write", "flush", "commit", "drop"] {
            let bad = open(place);
            let io = |e: std::io::Error| Error::from(e);
            let mut upload = bad.create("a").unwrap();
            let e = match place {
                "read" => bad.open("a", 0).unwrap().read(&mut [0; 8]).map_err(io).unwrap_err(),
                "write" => upload.write_all(b"x").map_err(io).unwrap_err(),
                "flush" => upload.flush().map_err(io).unwrap_err(),
                "commit" => failed(upload.commit()),
                _ => continue,
            };
            is_panic(linkage, place, &e);
        }
    });
}

#[test]
fn a_panic_of_the_host_inside_of_a_plugins_call_comes_back_too() {
    in_both(|linkage, registry| {
        let bad = registry.storage("bad", &config(""), services()).unwrap();
        let e = failed(bad.list("", &mut |_, _| panic!("the host's own")));
        assert_eq!(e.kind(), ErrorKind::PANIC, "{linkage}");
        assert!(e.to_string().contains("the host's own"), "{linkage}: {e}");
    });
}

fn open_run(registry: &Registry, place: &str) -> Box<dyn Run> {
    let trainer = registry.trainer("misbehaving/bad", &config(place), services()).unwrap();
    trainer.open(OpenRun::Base { model: "m".to_owned(), adapter: AdapterSpec::Full }).unwrap()
}

fn batch() -> Arc<Batch> {
    Arc::new(Batch {
        tokens: vec![1, 2],
        targets: vec![2, 3],
        offsets: vec![0, 2],
        groups: vec![0],
        columns: Vec::new(),
    })
}

fn no_loss() -> LossRef {
    LossRef { name: "none".to_owned(), config: json!({}), call: None }
}

const ADAM: Adam = Adam {
    learning_rate: 0.1,
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weight_decay: 0.0,
    grad_clip_norm: 0.0,
};

#[test]
fn trainers_and_runs() {
    in_both(|linkage, registry| {
        for place in
            ["capabilities", "open", "id", "sampler", "checkpoints", "delete", "publish", "export"]
        {
            let bad = registry.trainer("misbehaving/bad", &config(place), services()).unwrap();
            let base = OpenRun::Base { model: "m".to_owned(), adapter: AdapterSpec::Full };
            let e = match place {
                "capabilities" => failed(bad.capabilities()),
                "open" | "id" => failed(bad.open(base)),
                "sampler" => failed(bad.sampler("m")),
                "checkpoints" => failed(bad.checkpoints(None)),
                "delete" => failed(bad.delete("bad:one")),
                "publish" => failed(bad.publish("bad:one", true)),
                _ => continue,
            };
            is_panic(linkage, place, &e);
        }
        for place in ["forward", "forward_backward", "optim_step", "save"] {
            let mut run = open_run(registry, place);
            let e = match place {
                "forward" => {
                    let (done, ticket) = ticket();
                    run.forward(batch(), done);
                    failed(ticket.wait())
                }
                "forward_backward" => {
                    let (done, ticket) = ticket();
                    run.forward_backward(batch(), no_loss(), done);
                    failed(ticket.wait())
                }
                "optim_step" => {
                    let (done, ticket) = ticket();
                    run.optim_step(ADAM, done);
                    failed(ticket.wait())
                }
                _ => {
                    let (done, ticket) = ticket();
                    run.save(Save::Ephemeral, done);
                    failed(ticket.wait())
                }
            };
            is_panic(linkage, place, &e);
        }
        is_panic(linkage, "close", &failed(open_run(registry, "close").close(Outcome::Success)));
        let bad = registry.trainer("misbehaving/bad", &config("sample"), services()).unwrap();
        let (done, answer) = ticket();
        bad.sampler("m").unwrap().sample(SampleRequest::default(), done);
        is_panic(linkage, "sample", &failed(answer.wait()));
    });
}

#[test]
fn a_panic_on_a_thread_of_the_plugin_is_lost_not_a_hang() {
    in_both(|linkage, registry| {
        let mut run = open_run(registry, "own thread");
        let (done, answer) = ticket();
        run.forward(batch(), done);
        assert_eq!(failed(answer.wait()).kind(), ErrorKind::LOST, "{linkage}");
    });
}

#[test]
fn a_promise_that_is_never_kept_can_be_waited_on_with_a_timeout() {
    in_both(|linkage, registry| {
        let mut run = open_run(registry, "never");
        let (done, answer) = ticket();
        run.optim_step(ADAM, done);
        assert!(matches!(answer.poll(Duration::from_millis(10)), TicketState::Waiting(_)));
        drop(run);
        assert_eq!(failed(answer.wait()).kind(), ErrorKind::LOST, "{linkage}");
    });
}
