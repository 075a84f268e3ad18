//! Operations run in the order of their numbers, and each once.

use super::client::{Server, forward_backward, loss};
use serde_json::json;

const TEXT: &[i32] = &[1, 5, 9, 20, 31, 7, 7, 2];

/// Losses of a run whose operations come as they should.
fn expected(server: &Server, session: &str, n: u64) -> Vec<f64> {
    let model = server.model(session, n);
    let mut losses = Vec::new();
    for step in 0..3 {
        let asked = server.forward_backward(&model, 2 * step + 1, TEXT);
        server.step(&model, 2 * step + 2);
        losses.push(loss(&server.result(&asked)));
    }
    losses
}

#[test]
fn whatever_order_they_come_in_and_however_often() {
    let server = Server::start(&[]);
    let session = server.session();
    let expected = expected(&server, &session, 0);
    assert!(expected[2] < expected[1] && expected[1] < expected[0], "{expected:?}");

    let model = server.model(&session, 1);
    let mut asked = vec![String::new(); 3];
    for step in [2, 0, 1] {
        // Steps before passes, and everything twice.
        for _ in 0..2 {
            server.step(&model, 2 * step + 2);
            let request = server.forward_backward(&model, 2 * step + 1, TEXT);
            let before = std::mem::replace(&mut asked[step as usize], request.clone());
            assert!(before.is_empty() || before == request, "the same request");
        }
    }
    let losses: Vec<f64> = asked.iter().map(|request| loss(&server.result(request))).collect();
    assert_eq!(losses, expected);
    // Also long after it was done.
    assert_eq!(server.forward_backward(&model, 1, TEXT), asked[0]);
    assert_eq!(loss(&server.result(&asked[0])), expected[0]);
    // Making the model again makes no other.
    let again = json!({"session_id": session, "model_seq_id": 1, "base_model": "base"});
    assert_eq!(server.done("/create_model", &again)["model_id"], model);
}

#[test]
fn what_is_refused_is_passed_over() {
    let server = Server::start(&[]);
    let session = server.session();
    let expected = expected(&server, &session, 0);
    let model = server.model(&session, 1);
    // 2 waits for 1, which never makes sense.
    let second = server.forward_backward(&model, 2, TEXT);
    let mut wrong = forward_backward(&model, 1, TEXT);
    wrong["forward_backward_input"]["data"] = json!("no list");
    assert_eq!(server.try_post("/forward_backward", &wrong).status, 422);
    assert_eq!(loss(&server.result(&second)), expected[0]);

    // What makes sense and cannot be done fails in its turn, as the fault of the client.
    let mut third = forward_backward(&model, 3, TEXT);
    third["forward_backward_input"]["loss_fn"] = json!("no_such_loss");
    let promise = server.post("/forward_backward", &third);
    let result = server.result(promise["request_id"].as_str().unwrap());
    assert_eq!(result["category"], "user", "{result}");
    assert!(result["error"].as_str().unwrap().contains("no_such_loss"), "{result}");
    let picture = json!({"chunks": [{"type": "image", "data": "", "format": "png"}]});
    let mut fourth = forward_backward(&model, 4, TEXT);
    fourth["forward_backward_input"]["data"][0]["model_input"] = picture;
    let promise = server.post("/forward_backward", &fourth);
    let result = server.result(promise["request_id"].as_str().unwrap());
    assert_eq!(result["category"], "user", "{result}");
    let outside = server.forward_backward(&model, 5, &[1, 2, 1_000_000]);
    assert_eq!(server.result(&outside)["category"], "user");
    let dimuon = json!({"model_id": model, "seq_id": 6, "optimizer_params": {"type": "dimuon"}});
    let promise = server.post("/optim_step", &dimuon);
    let result = server.result(promise["request_id"].as_str().unwrap());
    assert_eq!(result["category"], "user", "{result}");

    // The gradient of 2 is there still, and nothing else is.
    server.step(&model, 7);
    let after = server.forward_backward(&model, 8, TEXT);
    assert_eq!(loss(&server.result(&after)), expected[1]);
    assert_eq!(server.get(&format!("/training_runs/{model}"))["corrupted"], false);
    // No client gives these numbers.
    for seq in [json!(0), json!(-4), json!(i64::MAX)] {
        let body = json!({"model_id": model, "seq_id": seq, "adam_params": {}});
        assert_eq!(server.try_post("/optim_step", &body).status, 422, "{seq}");
    }
}
