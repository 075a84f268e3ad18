/*!
Preference pairs trained to the end by a loss over groups.

No built-in loss is one. This test binary has one linked, and as a child process it is the program
that somebody built with it inside: the same command line, the same config.
*/

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod linked;

use linked::linked;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tinsmith_plugin_api::{Error, Loss, LossBatch, LossScope, LossValue, Result, plugin};
use tinsmith_test_support::{cli::Sandbox, tiny_run};

const BETA: f64 = 0.1;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NoKeys {}

/// −Σ ln σ(β (Σ w·logprob of the chosen − Σ w·logprob of the rejected)) over pairs.
struct Pairs;

impl Loss for Pairs {
    const NAME: &'static str = "pairs";
    const INPUTS: &'static [&'static str] = &["weights"];
    const SCOPE: LossScope = LossScope::Group;
    type Config = NoKeys;

    fn new(_: NoKeys) -> Result<Self> {
        Ok(Self)
    }

    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue> {
        let mut value = LossValue::default();
        let mut margins = 0.0;
        for (first, groups) in (0..).step_by(2).zip(batch.groups.chunks(2)) {
            if groups.len() != 2 || groups[0] != groups[1] {
                return Err(Error::data(format!("no pair: groups {:?}", batch.groups)));
            }
            let range = |i: usize| batch.offsets[i] as usize..batch.offsets[i + 1] as usize;
            let sum = |i: usize| -> f64 {
                range(i).map(|t| f64::from(batch.inputs[0][t] * batch.logprobs[t])).sum()
            };
            let margin = sum(first) - sum(first + 1);
            margins += margin;
            let wrong = 1.0 / (1.0 + (BETA * margin).exp());
            value.sum -= (1.0 - wrong).ln();
            for (i, sign) in [(first, -1.0), (first + 1, 1.0)] {
                for t in range(i) {
                    grad[t] = (sign * BETA * wrong) as f32 * batch.inputs[0][t];
                }
            }
        }
        let pairs = batch.groups.len() as f64 / 2.0;
        value.metrics.insert("margin:mean".into(), margins / pairs);
        Ok(value)
    }
}

plugin! { id: "pair-loss", losses: [Pairs] }

/// The mean margin of each step.
fn margins(sandbox: &Sandbox) -> Vec<f64> {
    let id = tiny_run::latest(sandbox).unwrap();
    let metrics = sandbox.read(&format!("out/runs/{id}/metrics.jsonl"));
    let lines = metrics.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines.filter_map(|line| line["margin:mean"].as_f64()).collect()
}

#[test]
fn chosen_answers_become_likelier_than_rejected_ones() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    // A batch of five has room for two pairs: half of one is none. The weight brings each twice.
    let more = "training: {batch_size: 5, epochs: 4, loss: pairs, normalization: none}\n";
    tiny_run::write(&sandbox, 0, more);
    let config = sandbox.read("run.yaml").replace("chats.jsonl}", "chats.jsonl, weight: 2}");
    sandbox.write("run.yaml", config);
    let row =
        |i: usize| json!({"prompt": format!("is {i} even?"), "chosen": "yes", "rejected": "no!"});
    sandbox.write("chats.jsonl", (0..7).map(|i| format!("{}\n", row(i))).collect::<String>());
    let output = linked(&sandbox, &["train", "run.yaml"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("14 examples"), "{stderr}");
    let margins = margins(&sandbox);
    // 7 pairs twice an epoch, two of them a batch: 7 steps, four times.
    assert_eq!(margins.len(), 28, "{margins:?}");
    let (first, last) = (margins[0], margins[27]);
    assert!(last > first + 1.0, "{margins:?}");
}

/// A preference is learnt against the base model, whose log-probabilities nobody gave: the first margin
/// is 0, because the adapter does nothing yet.
#[test]
fn dpo_learns_against_the_base() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let more =
        "training: {batch_size: 4, epochs: 4, loss: {name: dpo, beta: 0.5}, normalization: none}\n";
    tiny_run::write(&sandbox, 0, more);
    let row =
        |i: usize| json!({"prompt": format!("is {i} even?"), "chosen": "yes", "rejected": "no!"});
    sandbox.write("chats.jsonl", (0..8).map(|i| format!("{}\n", row(i))).collect::<String>());
    let output = linked(&sandbox, &["train", "run.yaml"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("`reference_logprobs` are those of the base model"), "{stderr}");
    let margins = margins(&sandbox);
    assert_eq!(margins.len(), 16, "{margins:?}");
    assert_eq!(margins[0], 0.0, "{margins:?}");
    assert!(margins[15] > 0.5, "{margins:?}");
    let id = tiny_run::latest(&sandbox).unwrap();
    let record: Value =
        serde_json::from_str(&sandbox.read(&format!("out/runs/{id}.json"))).unwrap();
    let figures = sandbox.read(&format!("out/runs/{id}/metrics.jsonl"));
    assert!(figures.contains("accuracy:mean") && record["status"] == "completed");
    // A normalisation would change what is minimised.
    let config = sandbox.read("run.yaml").replace(", normalization: none", "");
    sandbox.write("run.yaml", config);
    let output = linked(&sandbox, &["train", "run.yaml"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("`training.normalization: none`"), "{stderr}");
}
