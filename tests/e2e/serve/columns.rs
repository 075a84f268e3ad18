//! Several targets at each place.

use super::client::{Server, forward_backward, loss};
use serde_json::{Value, json};

const TOKENS: [i32; 3] = [1, 5, 9];
const TARGETS: [[i32; 2]; 3] = [[5, 6], [9, 30], [20, 31]];
const WEIGHTS: [[f32; 2]; 3] = [[0.75, 0.25], [0.5, 0.5], [1.0, -0.125]];

fn pass(model: &str, seq: u64, inputs: &[Value]) -> Value {
    let datum = |inputs: &Value| json!({"model_input": {"chunks": [{"tokens": TOKENS}]}, "loss_fn_inputs": inputs});
    let mut body = forward_backward(model, seq, &[0, 0]);
    body["forward_backward_input"]["data"] = inputs.iter().map(datum).collect();
    body
}

fn tensor(data: &Value, dtype: &str, shape: &[usize]) -> Value {
    json!({"data": data, "dtype": dtype, "shape": shape})
}

/// A datum of two targets at each place counts as two datums of one.
#[test]
fn they_count_as_datums_of_one_target() {
    let server = Server::start(&[]);
    let session = server.session();
    let flat = |k: usize| {
        json!({
            "target_tokens": tensor(&json!(TARGETS.map(|row| row[k])), "int64", &[3]),
            "weights": tensor(&json!(WEIGHTS.map(|row| row[k])), "float32", &[3]),
        })
    };
    let wide = json!({
        "target_tokens": tensor(&json!(TARGETS.concat()), "int64", &[3, 2]),
        "weights": tensor(&json!(WEIGHTS.concat()), "float32", &[3, 2]),
    });
    let run = |n: u64, first: Vec<Value>| {
        let model = server.model(&session, n);
        let told = server.done("/forward_backward", &pass(&model, 1, &first));
        let step = server.result(&server.step(&model, 2));
        let after = server.result(&server.forward_backward(&model, 3, &[1, 5, 9, 20]));
        (told, step["metrics"]["grad_norm"].clone(), loss(&after))
    };
    let apart = run(0, vec![flat(0), flat(1), flat(0)]);
    let together = run(1, vec![wide, flat(0)]);
    assert_eq!(loss(&together.0), loss(&apart.0));
    assert_eq!((&together.1, together.2), (&apart.1, apart.2), "the same step");
    let logprobs = |told: &Value, datum: usize| told["loss_fn_outputs"][datum]["logprobs"].clone();
    let found = logprobs(&together.0, 0);
    assert_eq!(found["shape"], json!([3, 2]));
    for k in 0..2 {
        let expected = logprobs(&apart.0, k);
        for place in 0..3 {
            assert_eq!(found["data"][2 * place + k], expected["data"][place], "{place}, {k}");
        }
    }
    assert_eq!(logprobs(&together.0, 1), logprobs(&apart.0, 0));
    let sum: f64 = (0..6)
        .map(|cell| f64::from(WEIGHTS.concat()[cell]) * found["data"][cell].as_f64().unwrap())
        .sum();
    let flat_sum: f64 = (0..3)
        .map(|i| f64::from(WEIGHTS[i][0]) * logprobs(&apart.0, 0)["data"][i].as_f64().unwrap())
        .sum();
    assert!((loss(&together.0) + sum + flat_sum).abs() < 1e-4);
}

#[test]
fn what_is_no_plain_sum_is_refused() {
    let server = Server::start(&[]);
    let model = server.model(&server.session(), 0);
    let targets = tensor(&json!(TARGETS.concat()), "int64", &[3, 2]);
    let six = tensor(&json!([-1.0, -1.0, -1.0, -1.0, -1.0, -1.0]), "float32", &[3, 2]);
    let three = tensor(&json!([1.0, 1.0, 1.0]), "float32", &[3]);
    let refused = |seq: u64, inputs: Value, loss: &str| {
        let mut body = pass(&model, seq, &[inputs]);
        body["forward_backward_input"]["loss_fn"] = json!(loss);
        let promise = server.post("/forward_backward", &body);
        let told = server.result(promise["request_id"].as_str().unwrap());
        assert_eq!(told["category"], "user", "{told}");
        told["error"].as_str().unwrap().to_owned()
    };
    let policy = json!({"target_tokens": targets, "logprobs": six, "advantages": six});
    let why = refused(1, policy, "importance_sampling");
    assert!(why.contains("its shape is [3, 2]"), "{why}");
    let uneven = json!({"target_tokens": targets, "weights": three});
    let why = refused(2, uneven, "cross_entropy");
    assert!(why.contains("data[0].weights") && why.contains("[tokens, targets]"), "{why}");
}
