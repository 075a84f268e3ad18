//! What outlives a server that is killed.

use super::client::{Server, loss};
use serde_json::json;

const TEXT: &[i32] = &[1, 5, 9, 20, 31, 7, 7, 2];

#[test]
fn checkpoints_outlive_the_server() {
    let mut server = Server::start(&[]);
    let session = server.session();
    let model = server.model(&session, 0);
    server.forward_backward(&model, 1, TEXT);
    server.step(&model, 2);
    let save = json!({"model_id": model, "seq_id": 3, "path": "one"});
    let path = server.done("/save_weights", &save)["path"].clone();
    let next = server.forward_backward(&model, 4, TEXT);
    let expected = loss(&server.result(&next));
    server.kill();
    server.again();
    let checkpoints = server.get(&format!("/training_runs/{model}/checkpoints"));
    assert_eq!(checkpoints["checkpoints"][0]["tinker_path"], path);
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    let other = server.done("/load_weights", &load)["model_id"].as_str().unwrap().to_owned();
    assert_eq!(loss(&server.result(&server.forward_backward(&other, 1, TEXT))), expected);
}
