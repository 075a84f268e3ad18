//! How many samples a server is asked for, and how often.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod fake;

use fake::{Fake, Reply, ok};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tinsmith_plugin_api::{ErrorKind, SampleRequest, Sampler, Samples, Ticket, Trainer, ticket};

/// A server with these settings. The result of each sample takes a while.
fn server(config: Value, failing: bool) -> Arc<Fake> {
    Fake::start(move |asked, fake| match asked.path.as_str() {
        "client/config" => Some(ok(config.clone())),
        "create_sampling_session" => Some(ok(json!({"sampling_session_id": "s1:sample:0"}))),
        "asample" if failing && fake.count("asample") == 1 => Some(Reply::Drop),
        "asample" => Some(ok(json!({"request_id": "sample"}))),
        "retrieve_future" => {
            std::thread::sleep(Duration::from_millis(50));
            Some(ok(json!({"sequences": [{"tokens": [7], "stop_reason": "stop"}]})))
        }
        _ => None,
    })
}

fn draw(sampler: &dyn Sampler) -> Ticket<Samples> {
    let (done, ticket) = ticket();
    sampler.sample(
        SampleRequest { prompt: vec![1], num_samples: 1, ..SampleRequest::default() },
        done,
    );
    ticket
}

#[test]
fn no_more_samples_are_under_way_than_the_server_wants() {
    let fake = server(json!({"sample_max_concurrent_requests": 1}), false);
    let (trainer, _host) = fake.trainer(&json!({}));
    let sampler = trainer.sampler("org/m").unwrap();
    let tickets: Vec<_> = (0..3).map(|_| draw(sampler.as_ref())).collect();
    for ticket in tickets {
        assert_eq!(ticket.wait().unwrap().sequences[0].tokens, [7]);
    }
    let asked = fake.asked.lock().unwrap();
    let order: Vec<&str> = asked.iter().map(|a| a.path.as_str()).collect();
    let samples: Vec<&&str> =
        order.iter().filter(|path| ["asample", "retrieve_future"].contains(*path)).collect();
    assert_eq!(samples, [&"asample", &"retrieve_future"].repeat(3), "one after the other");
}

#[test]
fn a_sample_whose_answer_was_lost_is_drawn_again_unless_the_server_wants_otherwise() {
    for (never, asked) in [(false, 2), (true, 1)] {
        let fake = server(json!({"sample_no_retries": never}), true);
        let (trainer, _host) = fake.trainer(&json!({}));
        let sampler = trainer.sampler("org/m").unwrap();
        match draw(sampler.as_ref()).wait() {
            Ok(_) => assert!(!never),
            Err(e) => assert!(never && e.kind() == ErrorKind::LOST, "{e}"),
        }
        assert_eq!(fake.count("asample"), asked);
    }
}
