//! What is asked of a server about its checkpoints.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod fake;

use fake::{Fake, Reply, ok};
use serde_json::json;
use tinsmith_plugin_api::{ErrorKind, RunId, Trainer};

const URI: &str = "tinker://s1:train:0/weights/final";
const AT: &str = "training_runs/s1:train:0/checkpoints/weights/final/publish";

/// As the protocol has it: POST publishes, DELETE takes it back, both without a body.
#[test]
fn a_checkpoint_is_published_and_taken_back() {
    let fake = Fake::start(|asked, _| {
        (asked.path == AT).then(|| Reply::With(204, Vec::new(), Vec::new()))
    });
    let (trainer, _host) = fake.trainer(&json!({}));
    trainer.publish(URI, true).unwrap();
    trainer.publish(URI, false).unwrap();
    let asked = fake.of(AT);
    let methods: Vec<&str> = asked.iter().map(|a| a.method.as_str()).collect();
    assert_eq!(methods, ["POST", "DELETE"]);
    assert!(asked.iter().all(|a| a.body.is_empty()));
}

#[test]
fn what_cannot_be_published_says_why() {
    for (status, detail, kind, says) in [
        (405, "Method Not Allowed", ErrorKind::UNSUPPORTED, "publishes nothing"),
        (404, "no such checkpoint", ErrorKind::NOT_FOUND, "no such checkpoint"),
        (403, "not yours", ErrorKind::CONFIG, "not yours"),
    ] {
        let fake = Fake::start(move |asked, _| {
            (asked.path == AT).then(|| Reply::Json(status, json!({"detail": detail})))
        });
        let (trainer, _host) = fake.trainer(&json!({}));
        for public in [true, false] {
            let e = trainer.publish(URI, public).unwrap_err();
            assert_eq!(e.kind(), kind, "{e}");
            assert!(e.to_string().contains(says), "{e}");
        }
        assert_eq!(fake.count(AT), 2, "none of them is asked again");
    }
    let fake = Fake::start(|_, _| None);
    let (trainer, _host) = fake.trainer(&json!({}));
    trainer.publish("tinker://s1:train:0/../x", true).unwrap_err();
    assert!(fake.asked.lock().unwrap().iter().all(|a| !a.path.contains("publish")));
}

#[test]
fn a_listing_tells_who_may_read() {
    let fake = Fake::start(|asked, _| {
        let row = |name: &str, public| {
            json!({"checkpoint_id": format!("weights/{name}"), "checkpoint_type": "training",
                "time": "2030-01-01T00:00:00Z", "public": public,
                "tinker_path": format!("tinker://s1:train:0/weights/{name}")})
        };
        (asked.path == "training_runs/s1:train:0/checkpoints")
            .then(|| ok(json!({"checkpoints": [row("a", true), row("b", false)]})))
    });
    let (trainer, _host) = fake.trainer(&json!({}));
    let listed = trainer.checkpoints(Some(&RunId("s1:train:0".into()))).unwrap();
    let public: Vec<_> = listed.iter().map(|c| (c.name.as_str(), c.public)).collect();
    assert_eq!(public, [("a", Some(true)), ("b", Some(false))]);
}
