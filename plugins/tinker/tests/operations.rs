//! What becomes of an operation when the network or the server fails.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod fake;

use fake::{ADAM, Fake, KEY, Reply, batch, jwt, ok, open};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tinsmith_plugin_api::{
    Error, ErrorKind, Forward, LossRef, Metrics, Outcome, Result, Run, Save, Saved, Ticket,
    TicketState, Trainer, ticket,
};

fn wait<T>(ticket: &Ticket<T>) -> Result<T> {
    loop {
        match ticket.poll(Duration::from_secs(30)) {
            TicketState::Ready(answer) => return answer,
            TicketState::Waiting(Some(_)) => {}
            TicketState::Waiting(None) => panic!("no answer"),
        }
    }
}

fn step(run: &mut dyn Run) -> Ticket<Metrics> {
    let (done, ticket) = ticket();
    run.optim_step(ADAM, done);
    ticket
}

fn pass(run: &mut dyn Run, datums: usize) -> Ticket<Forward> {
    let (done, ticket) = ticket();
    let loss = LossRef { name: "cross_entropy".into(), config: Value::Null, call: None };
    run.forward_backward(batch(datums), loss, done);
    ticket
}

fn save(run: &mut dyn Run, name: &str) -> Ticket<Saved> {
    let (done, ticket) = ticket();
    run.save(Save::State { name: name.into(), optimizer: true }, done);
    ticket
}

/// A server whose n-th answer at a path (from 0) is another one.
fn at(path: &'static str, answers: Vec<Reply>) -> Arc<Fake> {
    let answers = Mutex::new(answers.into_iter().map(Some).collect::<Vec<_>>());
    let next = AtomicUsize::new(0);
    Fake::start(move |asked, _| {
        if asked.path != path || asked.json()["request_id"] == "create_model" {
            return None;
        }
        let n = next.fetch_add(1, Ordering::SeqCst);
        answers.lock().unwrap().get_mut(n).and_then(Option::take)
    })
}

#[test]
fn a_run_goes_its_way() {
    let fake = Fake::start(|_, _| None);
    let (trainer, _host) = fake.trainer(&json!({"checkpoint_ttl_seconds": 7200}));
    let mut run = open(&trainer);
    assert_eq!(run.id().0, "s1:train:0");
    let (forward, stepped, saved) =
        (pass(run.as_mut(), 1), step(run.as_mut()), save(run.as_mut(), "000001"));
    assert_eq!(wait(&forward).unwrap().logprobs, [-0.5, -1.0]);
    assert_eq!(wait(&stepped).unwrap()["grad_norm"], 0.5);
    assert_eq!(wait(&saved).unwrap().uri, "tinker://s1:train:0/weights/000001");
    run.close(Outcome::Interrupted).unwrap();
    let bodies = |path| fake.of(path).iter().map(fake::Asked::json).collect::<Vec<_>>();
    assert_eq!(bodies("optim_step")[0]["seq_id"], 2);
    let saved = &bodies("save_weights")[0];
    assert_eq!((&saved["seq_id"], &saved["ttl_seconds"]), (&json!(3), &json!(7200)));
    assert_eq!(bodies("create_model")[0]["lora_config"]["seed"], 3);
    assert_eq!(bodies("sessions/s1/finish")[0]["reason"]["type"], "interrupted");
    assert!(fake.asked.lock().unwrap().iter().all(|a| a.header("x-api-key") == Some(KEY)));
}

/// Its promise was lost: the server may have applied it.
#[test]
fn an_operation_is_sent_again_only_to_servers_that_know_its_number() {
    let fake = at("optim_step", vec![Reply::Drop, Reply::Json(502, json!({}))]);
    let (trainer, _host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    wait(&step(run.as_mut())).unwrap();
    let numbers: Vec<Value> =
        fake.of("optim_step").iter().map(|a| a.json()["seq_id"].clone()).collect();
    assert_eq!(numbers, [1, 1, 1]);
    for answer in [Reply::Drop, Reply::Json(502, json!({}))] {
        let fake = at("optim_step", vec![answer]);
        let (trainer, _host) = fake.trainer(&json!({"resend": false}));
        let mut run = open(&trainer);
        let e = wait(&step(run.as_mut())).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::LOST, "{e}");
        assert_eq!(fake.count("optim_step"), 1);
    }
}

/// The contract of a run: nothing changed, and it goes on. The number is used up, as the protocol has it.
#[test]
fn a_run_goes_on_behind_an_operation_that_was_refused() {
    let wrong = || Reply::Json(422, json!({"detail": "no such loss"}));
    let fake = at("forward_backward", vec![wrong()]);
    let (trainer, _host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    let (refused, next) = (pass(run.as_mut(), 1), pass(run.as_mut(), 1));
    let e = wait(&refused).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::REJECTED, "{e}");
    wait(&next).unwrap();
    wait(&step(run.as_mut())).unwrap();
    assert_eq!(fake.of("optim_step")[0].json()["seq_id"], 3);
    // Of an operation of several requests the others are missing, or the server has a part of it.
    let fake = Fake::start(move |asked, _| match asked.path.as_str() {
        "client/config" => {
            Some(ok(json!({"fwdbwd_max_chunk_len": 1, "tinsmith": {"dedupes": true}})))
        }
        "forward_backward" => Some(wrong()),
        _ => None,
    });
    let (trainer, _host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    assert_eq!(wait(&pass(run.as_mut(), 3)).unwrap_err().kind(), ErrorKind::OTHER);
    assert_eq!(wait(&step(run.as_mut())).unwrap_err().kind(), ErrorKind::LOST);
    assert_eq!(fake.count("optim_step"), 0);
}

#[test]
fn a_result_is_asked_for_until_it_is_there() {
    let paused = json!({"type": "try_again", "request_id": "r", "queue_state": "paused_capacity",
        "queue_state_reason": "no node is free"});
    let answers = vec![
        Reply::Json(408, json!({})),
        Reply::Drop,
        ok(paused),
        Reply::Json(500, json!({"detail": "x"})),
        Reply::Json(429, json!({})),
        Reply::Json(400, json!({"detail": "x"})),
        Reply::With(400, Vec::new(), Vec::new()),
        ok(json!({"status": "complete_metadata", "response_payload_size": 9})),
    ];
    let count = answers.len();
    let fake = at("retrieve_future", answers);
    let (trainer, _host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    wait(&step(run.as_mut())).unwrap();
    assert_eq!(fake.count("optim_step"), 1, "what is promised is not sent again");
    // One for the model, one for the answer.
    assert_eq!(fake.count("retrieve_future"), count + 2);
}

#[test]
fn an_answer_that_hangs_is_not_waited_for_for_ever() {
    let hang = || Reply::Hang(200, Vec::new(), br#"{"request_id": "r"}"#.to_vec(), 5);
    for path in ["optim_step", "retrieve_future"] {
        let fake = at(path, vec![hang()]);
        let (trainer, _host) = fake.trainer(&json!({}));
        let mut run = open(&trainer);
        wait(&step(run.as_mut())).unwrap();
        let numbers: Vec<Value> =
            fake.of("optim_step").iter().map(|a| a.json()["seq_id"].clone()).collect();
        assert_eq!(numbers, if path == "optim_step" { vec![1, 1] } else { vec![1] });
    }
}

/// It is there and loads its models: that is waited for. One that is not there at all is not.
#[test]
fn a_server_that_starts_slowly_is_waited_for() {
    let asked = AtomicUsize::new(0);
    let fake = Fake::start(move |request, _| {
        let first = request.path == "client/config" && asked.fetch_add(1, Ordering::SeqCst) < 9;
        first.then(|| Reply::Json(503, json!({"detail": "loading"})))
    });
    let (trainer, _host) = fake.trainer(&json!({}));
    wait(&step(open(&trainer).as_mut())).unwrap();
    assert_eq!(fake.count("client/config"), 10);
}

#[test]
fn a_failure_says_whose_it_is() {
    let failure = |category: &str| ok(json!({"error": "bad\nrank", "category": category}));
    let bad = || Reply::Json(400, json!({"detail": "bad rank"}));
    for (answers, kind) in [
        (vec![failure("server")], ErrorKind::NETWORK),
        (vec![bad(), bad()], ErrorKind::OTHER),
        (vec![Reply::Json(404, json!({"detail": "bad rank"}))], ErrorKind::LOST),
        (vec![Reply::Json(410, json!({"detail": "bad rank"}))], ErrorKind::LOST),
        (vec![Reply::Json(401, json!({"detail": "bad rank"}))], ErrorKind::CONFIG),
    ] {
        let fake = at("retrieve_future", answers);
        let (trainer, _host) = fake.trainer(&json!({}));
        let mut run = open(&trainer);
        let e = wait(&step(run.as_mut())).unwrap_err();
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.to_string().contains("bad rank"), "{e}");
        assert_eq!(wait(&step(run.as_mut())).unwrap_err().kind(), ErrorKind::LOST);
        assert_eq!(fake.count("optim_step"), 1, "nothing is sent behind a failure");
    }
}

/// It changed nothing: whoever asked may go on.
#[test]
fn what_is_refused_as_a_whole_is_no_failure_of_the_run() {
    let refused = || ok(json!({"error": "bad rank", "category": "user"}));
    let fake = at("retrieve_future", vec![refused()]);
    let (trainer, _host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    let e = wait(&step(run.as_mut())).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::REJECTED, "{e}");
    wait(&step(run.as_mut())).unwrap();
    let fake = at("optim_step", vec![Reply::Json(422, json!({"detail": "bad rate"}))]);
    let (trainer, _host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    assert_eq!(wait(&step(run.as_mut())).unwrap_err().kind(), ErrorKind::REJECTED);
    wait(&step(run.as_mut())).unwrap();
    let numbers: Vec<Value> =
        fake.of("optim_step").iter().map(|a| a.json()["seq_id"].clone()).collect();
    assert_eq!(numbers, [1, 2], "its number counts as come");
    // Of two requests the other one may have been done.
    for path in ["retrieve_future", "forward_backward"] {
        let fake = Fake::start(move |asked, fake| match asked.path.as_str() {
            "client/config" => {
                Some(ok(json!({"tinsmith": {"dedupes": true}, "fwdbwd_max_chunk_len": 1})))
            }
            "retrieve_future" if asked.json()["request_id"] == "create_model" => None,
            asked if asked == path && fake.count(path) == 2 => {
                Some(Reply::Json(422, json!({"detail": "bad datum"})))
            }
            "retrieve_future" => Some(ok(json!({"error": "bad datum", "category": "user"}))),
            _ => None,
        });
        let (trainer, _host) = fake.trainer(&json!({}));
        let mut run = open(&trainer);
        let e = wait(&pass(run.as_mut(), 2)).unwrap_err();
        assert_ne!(e.kind(), ErrorKind::REJECTED, "{path}: {e}");
        assert_eq!(wait(&step(run.as_mut())).unwrap_err().kind(), ErrorKind::LOST);
        assert_eq!(fake.count("optim_step"), 0);
    }
}

#[test]
fn weights_without_a_name_go_with_their_session() {
    let fake = Fake::start(|_, _| None);
    let (trainer, _host) = fake.trainer(&json!({}));
    trainer.delete("tinker-sampler:s1:sample:0").unwrap();
    assert!(fake.asked.lock().unwrap().iter().all(|asked| asked.method != "DELETE"));
}

/// Seconds that a lack of funds is waited out, of which a hundredth passes, with 5 s between two tries.
fn poor(seconds: u64, path: &'static str, times: usize) -> Arc<Fake> {
    let asked_before = AtomicUsize::new(0);
    Fake::start(move |asked, _| {
        let id = asked.json()["request_id"].clone();
        match asked.path.as_str() {
            "client/config" => Some(ok(json!({
                "tinsmith": {"dedupes": true},
                "billing_exception_max_pause_duration_sec": seconds
            }))),
            at if at == path && id != "create_model" => {
                let before = asked_before.fetch_add(1, Ordering::SeqCst);
                (before < times).then(|| Reply::Json(402, json!({"detail": "no funds"})))
            }
            _ => None,
        }
    })
}

#[test]
fn a_lack_of_funds_is_waited_out_for_as_long_as_the_server_says() {
    for path in ["optim_step", "retrieve_future"] {
        let made = usize::from(path == "retrieve_future");
        let fake = poor(u64::MAX, path, 3);
        let (trainer, _host) = fake.trainer(&json!({"patience_seconds": 1}));
        wait(&step(open(&trainer).as_mut())).unwrap();
        assert_eq!(fake.count(path), 4 + made);
        // Not at all; and for 20 s, which are four waits at most.
        for (seconds, most) in [(0, 1), (20, 5)] {
            let fake = poor(seconds, path, usize::MAX);
            let (trainer, _host) = fake.trainer(&json!({}));
            let e = wait(&step(open(&trainer).as_mut())).unwrap_err();
            assert!(e.to_string().contains("402") && e.to_string().contains("no funds"), "{e}");
            assert!(e.hint().unwrap().contains("funds"), "{e}");
            let tries = fake.count(path) - made;
            assert!((1..=most).contains(&tries), "{path}, {seconds} s: {tries} tries");
        }
    }
}

#[test]
fn a_server_that_stays_silent_is_given_up() {
    let fake = Fake::start(|asked, _| {
        let result = asked.path == "retrieve_future" && asked.json()["request_id"] == "optim_step";
        result.then_some(Reply::Drop)
    });
    let (trainer, _host) = fake.trainer(&json!({"patience_seconds": 20}));
    let mut run = open(&trainer);
    let e = wait(&step(run.as_mut())).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::LOST, "{e}");
    assert!(fake.count("retrieve_future") < 30, "no hot loop");
}

/// The order of SDK 0.38.0, and its results in the order of the datums.
#[test]
fn requests_of_one_operation_are_sent_at_once_but_the_first() {
    let fake = Fake::start(|asked, _| match asked.path.as_str() {
        "client/config" => {
            Some(ok(json!({"tinsmith": {"dedupes": true}, "fwdbwd_max_chunk_len": 1})))
        }
        "forward_backward" => {
            // Field 2 of the message: tag 0x10 behind the model's id.
            let number = asked.body[2 + "s1:train:0".len() + 1];
            Some(ok(json!({"request_id": format!("chunk {number}")})))
        }
        "retrieve_future" => {
            let body = asked.json();
            let number: f64 = body["request_id"].as_str()?.strip_prefix("chunk ")?.parse().unwrap();
            Some(ok(json!({
                "loss_fn_outputs": [{"logprobs": {"data": [-number, -number], "dtype": "float32"}}],
                "metrics": {"loss:sum": number, "x:mean": number}
            })))
        }
        _ => None,
    });
    let (trainer, _host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    let forward = wait(&pass(run.as_mut(), 3)).unwrap();
    assert_eq!(forward.logprobs, [-1.0, -1.0, -2.0, -2.0, -3.0, -3.0]);
    assert_eq!((forward.metrics["loss:sum"], forward.metrics["x:mean"]), (6.0, 2.0));
    let sent = fake.of("forward_backward");
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[2].body[13], 1, "the first is sent last");
    assert_eq!(sent[0].header("content-type"), Some("application/x-protobuf"));
    // The next operation's number is behind all of them.
    wait(&step(run.as_mut())).unwrap();
    assert_eq!(fake.of("optim_step")[0].json()["seq_id"], 4);
}

#[test]
fn a_key_is_exchanged_and_a_token_that_is_refused_is_renewed() {
    let tokens = Mutex::new(Vec::new());
    let fake = Fake::start(move |asked, fake| match asked.path.as_str() {
        "client/config" => {
            Some(ok(json!({"pjwt_auth_enabled": true, "tinsmith": {"dedupes": true}})))
        }
        "auth/token" => {
            assert_eq!(asked.header("x-api-key"), Some(KEY));
            let token = jwt(1000.0);
            tokens.lock().unwrap().push(token.clone());
            Some(ok(json!({"jwt": token})))
        }
        "optim_step" => {
            let current = tokens.lock().unwrap().last().cloned();
            assert_eq!(asked.header("x-api-key"), current.as_deref());
            let marker = ("www-authenticate", "Bearer error=\"invalid_token\"".to_owned());
            (fake.count("optim_step") == 1)
                .then(|| Reply::With(401, vec![marker], b"{\"detail\":\"expired\"}".to_vec()))
        }
        _ => None,
    });
    let (trainer, host) = fake.trainer(&json!({}));
    let mut run = open(&trainer);
    wait(&step(run.as_mut())).unwrap();
    assert_eq!(fake.count("auth/token"), 2);
    run.close(Outcome::Success).unwrap();
    let told = format!("{:?} {trainer:?}", host.log_lines());
    assert!(!told.contains("5ecre7"), "{told}");
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_what_to_do() {
    let opened = |fake: &Fake| -> Error {
        let (trainer, _host) = fake.trainer(&json!({"patience_seconds": 1}));
        trainer.capabilities().unwrap_err()
    };
    let html = Reply::With(
        200,
        vec![("content-type", "text/html".into())],
        b"<html>hello</html>".to_vec(),
    );
    for (answer, kind, says, hint) in [
        (
            Reply::Json(401, json!({"detail": "unknown key"})),
            ErrorKind::CONFIG,
            "unknown key",
            "api_key",
        ),
        (
            Reply::Json(403, json!({"detail": "not yours"})),
            ErrorKind::CONFIG,
            "not yours",
            "rights",
        ),
        (html, ErrorKind::NETWORK, "is not what it should be", "may be no Tinker server"),
    ] {
        let e = opened(&at("client/config", vec![answer]));
        let text = format!("{e} {:?}", e.hint());
        assert_eq!(e.kind(), kind, "{text}");
        assert!(text.contains(says) && e.hint().unwrap().contains(hint), "{text}");
        assert!(!text.contains('\n') && !text.contains(KEY), "{text}");
    }
    // Neither what today's servers have, nor what older ones had.
    let e = opened(&Fake::start(|_, _| Some(Reply::Json(404, json!({"detail": "Not Found"})))));
    assert!(e.hint().unwrap().contains("may be no Tinker server"), "{e}");
}

#[test]
fn the_session_of_a_process_that_died_is_ended() {
    let fake = Fake::start(|asked, fake| {
        let sessions = fake.count("create_session");
        (asked.path == "create_session").then(|| ok(json!({"session_id": format!("s{sessions}")})))
    });
    let (trainer, host) = fake.trainer(&json!({}));
    std::mem::forget(open(&trainer));
    assert_eq!(fake.count("sessions/s1/finish"), 0);
    let next = fake.trainer_with(&json!({}), host.services());
    let run = open(&next);
    assert_eq!(fake.count("sessions/s1/finish"), 1);
    run.close(Outcome::Success).unwrap();
    assert_eq!(fake.count("sessions/s2/finish"), 1);
}

#[test]
fn a_heartbeat_says_that_the_session_lives() {
    // Ten seconds by a clock that is a hundred times faster.
    let fake = Fake::start(|_, _| None);
    let (trainer, _host) = fake.trainer(&json!({}));
    let run = open(&trainer);
    std::thread::sleep(Duration::from_millis(500));
    let beats = fake.of("session_heartbeat");
    assert!((2..=6).contains(&beats.len()), "{}", beats.len());
    assert_eq!(beats[0].json(), json!({"session_id": "s1"}));
    run.close(Outcome::Success).unwrap();
    drop(trainer);
    let after = fake.count("session_heartbeat");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(fake.count("session_heartbeat"), after);
}
