//! Samples from a server: what is asked, what is read, and what nobody waits for.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod fake;

use fake::{Asked, Fake, Reply, ok};
use prost::Message;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tinsmith_plugin_api::{
    ErrorKind, PromptTargets, Result, SampleRequest, Samples, Trainer, ticket,
};
use tinsmith_tinker_wire::{le, proto};

/// A server that answers a sample so.
fn server(result: impl Fn() -> Reply + Send + Sync + 'static) -> Arc<Fake> {
    Fake::start(move |asked: &Asked, _: &Fake| match asked.path.as_str() {
        "create_sampling_session" => Some(ok(json!({"sampling_session_id": "s1:sample:0"}))),
        "asample" => Some(ok(json!({"request_id": "s1:sample:0:0"}))),
        "retrieve_future" => Some(result()),
        _ => None,
    })
}

fn request() -> SampleRequest {
    SampleRequest {
        prompt: vec![5, 6, 7],
        topk_prompt_logprobs: 2,
        topk_sample_logprobs: 1,
        prompt_logprobs: true,
        prompt_logprobs_last_n: Some(1),
        target_prompt_logprobs: Some(PromptTargets { ids: vec![3, -1], width: 1 }),
        ..SampleRequest::default()
    }
}

fn ask(server: &Fake) -> Result<Samples> {
    let (trainer, _host) = server.trainer(&json!({}));
    let sampler = trainer.sampler("org/m").unwrap();
    let (done, answer) = ticket();
    sampler.sample(request(), done);
    answer.wait()
}

fn top(pairs: &[(i32, f32)], k: u32) -> proto::TopkLogprobs {
    proto::TopkLogprobs {
        token_ids: le::pack(pairs.iter().map(|(id, _)| *id)),
        logprobs: le::pack(pairs.iter().map(|(_, logprob)| *logprob)),
        k,
        length: pairs.len() as u32 / k,
    }
}

/// In both dialects, as the schema of the protocol has them.
#[test]
fn log_probabilities_of_other_tokens_are_asked_for_and_read() {
    let binary = || {
        let sequence = proto::SampledSequence {
            tokens: le::pack([9].into_iter()),
            logprobs: Some(le::pack([-0.5_f32].into_iter())),
            topk_sampled_logprobs: Some(top(&[(9, -0.5)], 1)),
            ..proto::SampledSequence::default()
        };
        let nothing = (0, -99_999.0);
        let targets = proto::Tensor {
            encoding: Some(proto::tensor::Encoding::Dense(le::pack([-1.5_f32, 0.0].into_iter()))),
            dtype: proto::DType::Float32 as i32,
            shape: vec![2, 1],
        };
        let told = proto::SampleResponse {
            sequences: vec![sequence],
            prompt_logprobs: Some(le::pack([f32::NAN, f32::NAN, -2.0].into_iter())),
            topk_prompt_logprobs: Some(top(
                &[nothing, nothing, nothing, nothing, (4, -0.25), (7, -2.0)],
                2,
            )),
            target_prompt_logprobs: Some(targets),
            ..proto::SampleResponse::default()
        };
        let kind = vec![("content-type", "application/x-protobuf".to_owned())];
        Reply::With(200, kind, told.encode_to_vec())
    };
    let text = || {
        ok(json!({
            "sequences": [{"stop_reason": "stop", "tokens": [9], "logprobs": [-0.5],
                           "topk_logprobs": [[[9, -0.5]]]}],
            "prompt_logprobs": [null, null, -2.0],
            "topk_prompt_logprobs": [null, null, [[4, -0.25], [7, -2.0]]],
            "target_prompt_logprobs": {"data": [-1.5, 0.0], "dtype": "float32", "shape": [2, 1]},
        }))
    };
    for server in [server(binary), server(text)] {
        let samples = ask(&server).unwrap();
        assert_eq!(samples.sequences[0].topk_logprobs, Some(vec![vec![(9, -0.5)]]));
        assert_eq!(samples.prompt_logprobs, Some(vec![None, None, Some(-2.0)]));
        let likeliest = vec![vec![], vec![], vec![(4, -0.25), (7, -2.0)]];
        assert_eq!(samples.topk_prompt_logprobs, Some(likeliest));
        assert_eq!(samples.target_prompt_logprobs, Some(vec![-1.5, 0.0]));
        let asked = server.of("asample")[0].json();
        for (name, value) in [
            ("topk_prompt_logprobs", json!(2)),
            ("topk_sample_logprobs", json!(1)),
            ("prompt_logprobs_last_n", json!(1)),
            ("target_prompt_logprobs", json!({"data": [3, -1], "dtype": "int64", "shape": [2, 1]})),
        ] {
            assert_eq!(asked[name], value, "{name}");
        }
    }
}

#[test]
fn a_server_that_passes_over_a_question_is_found_out() {
    let old = server(|| {
        ok(json!({
            "sequences": [{"stop_reason": "stop", "tokens": [9], "logprobs": [-0.5]}],
            "prompt_logprobs": [null, null, -2.0],
        }))
    });
    let e = ask(&old).unwrap_err();
    assert_eq!((e.kind(), e.field()), (ErrorKind::UNSUPPORTED, Some("topk_prompt_logprobs")));
}

#[test]
fn what_nobody_wants_any_more_is_called_off() {
    let server = server(|| Reply::Json(408, Value::Null));
    let (trainer, _host) = server.trainer(&json!({}));
    let sampler = trainer.sampler("org/m").unwrap();
    let (done, answer) = ticket();
    sampler.sample(request(), done);
    let begun = Instant::now();
    while server.count("retrieve_future") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not asked for");
        std::thread::sleep(Duration::from_millis(5));
    }
    answer.cancel();
    assert_eq!(answer.wait().unwrap_err().kind(), ErrorKind::CANCELLED);
    let told: Vec<Value> = server.of("cancel_future").iter().map(Asked::json).collect();
    assert_eq!(told, [json!({"request_id": "s1:sample:0:0"})]);
}
