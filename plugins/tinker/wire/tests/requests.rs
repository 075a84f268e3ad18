//! The JSON bodies that the official SDKs 0.12.0 to 0.38.0 sent (recorded on the wire): a server reads
//! them whole, and a client says the same, but for what is the default.

#![allow(clippy::unwrap_used)]

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tinsmith_tinker_wire::{datum, messages as m};

const REQUESTS: &str = include_str!("../../../../tests/fixtures/tinker/requests.jsonl");

#[test]
fn every_recorded_request_is_understood() {
    let mut count = 0;
    for line in REQUESTS.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        let check = match request["endpoint"].as_str().unwrap() {
            "client/config" => again::<m::SdkVersion>,
            "create_session" => again::<m::CreateSession>,
            "create_model" => again::<m::CreateModel>,
            "load_weights" => again::<m::LoadWeights>,
            "get_info" => again::<m::ModelRef>,
            "weights_info" => again::<m::TinkerPathRef>,
            "forward" | "forward_backward" => again::<m::ForwardBackward>,
            "optim_step" => again::<m::OptimStep>,
            "retrieve_future" => again::<m::RetrieveFuture>,
            "save_weights" => again::<m::SaveWeights>,
            "save_weights_for_sampler" => again::<m::SaveForSampler>,
            "save_weights_external" => again::<m::SaveExternal>,
            "create_sampling_session" => again::<m::CreateSamplingSession>,
            "asample" => again::<m::Asample>,
            "session_heartbeat" => again::<m::Heartbeat>,
            "sessions/finish" => again::<m::Finish>,
            "ttl" => again::<m::Ttl>,
            other => panic!("{other}"),
        };
        let capture = request["capture"].as_str().unwrap();
        assert_same(&check(&request["body"]), &request["body"], capture, "");
        count += 1;
    }
    assert_eq!(count, 106);
}

fn again<M: DeserializeOwned + Serialize>(body: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<M>(body.clone()).unwrap()).unwrap()
}

/// `ours` says nothing else than `theirs`, and leaves out nothing but defaults and what it does not
/// know.
fn assert_same(ours: &Value, theirs: &Value, capture: &str, path: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                let at = format!("{path}.{key}");
                match theirs.get(key) {
                    Some(their) => assert_same(value, their, capture, &at),
                    // An older client leaves out what later became a default.
                    None => {
                        assert!(value.is_null() || at.contains("adam_params"), "{capture}: {at}");
                    }
                }
            }
            for (key, value) in theirs.iter().filter(|(key, _)| !ours.contains_key(*key)) {
                let unknown = [
                    "type",
                    "weights_access_token",
                    "record_stability_info",
                    "overwrite",
                    "data",
                    "format",
                    "expected_tokens",
                    "location",
                    "version",
                ];
                let default = [json!(null), json!(false), json!(0), json!({})].contains(value);
                assert!(
                    default || unknown.contains(&key.as_str()),
                    "{capture}: {path}.{key} is lost"
                );
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{capture}: {path}");
            for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
                assert_same(a, b, capture, &format!("{path}[{i}]"));
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            // Floats of 32 bits widen.
            assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-7, "{capture}: {path}");
        }
        _ => assert_eq!(ours, theirs, "{capture}: {path}"),
    }
}

/// What SDK 0.18.2 sent for these tokens and weights is what a batch of them becomes.
#[test]
fn a_batch_in_json_is_what_the_sdk_sends() {
    let line = REQUESTS
        .lines()
        .find(|l| l.contains("0.18.2") && l.contains(r#""endpoint":"forward_backward""#))
        .unwrap();
    let body = &serde_json::from_str::<Value>(line).unwrap()["body"];
    let theirs = &body["forward_backward_input"]["data"];
    let read = |datum: &Value| {
        datum::Datum::from_json(&serde_json::from_value(datum.clone()).unwrap()).unwrap()
    };
    let batch = datum::to_batch(theirs.as_array().unwrap().iter().map(read).collect()).unwrap();
    for (i, theirs) in theirs.as_array().unwrap().iter().enumerate() {
        let ours = datum::to_json(&batch, i, Some(&["weights"])).unwrap();
        assert_same(&serde_json::to_value(ours).unwrap(), theirs, "0.18.2", "");
    }
}
