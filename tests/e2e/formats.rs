//! Every format of a dataset through the real binary: what it is mapped to, what is wrong with it,
//! and training on what no renderer sees. Expected tokens come from the same conversation written as
//! `messages`, or from the tiny tokenizer's table, in which a byte is its own id.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use serde_json::{Value, json};
use tinsmith_test_support::{
    cli::Sandbox,
    tiny_model::tiny_llama,
    tiny_run,
    tiny_tokenizer::{BOS, EOS},
};

fn sandbox(lines: &[Value]) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 1).unwrap();
    sandbox.write("a.jsonl", lines.iter().map(|l| format!("{l}\n")).collect::<String>());
    sandbox
}

fn render(sandbox: &Sandbox, more: &[&str]) -> String {
    let args = ["render", "a.jsonl", "--tokenizer", "base", "--renderer", "chatml"];
    sandbox.show(&[&args[..], &["--format", "json"], more].concat())
}

/// The examples of some lines: tokens and weights.
#[track_caller]
fn examples(lines: &[Value], more: &[&str]) -> Vec<(Value, Value)> {
    let shown = render(&sandbox(lines), more);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let told = shown.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    told.map(|e| (e["tokens"].clone(), e["weights"].clone())).collect()
}

/// Line 1 is refused with exit code 3, at this place, with this hint.
#[track_caller]
fn refused(line: &Value, more: &[&str], told: &str, hint: &str) {
    let shown = render(&sandbox(std::slice::from_ref(line)), more);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains(&format!("error: a.jsonl:1:{told}")), "{told}:\n{shown}");
    assert!(shown.contains(&format!("hint: {hint}")), "{hint}:\n{shown}");
}

fn said(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

#[test]
fn formats_of_conversations_render_as_messages_do() {
    let messages = |list: &[Value]| json!({ "messages": list });
    let expected = examples(
        &[
            messages(&[said("user", "q"), said("assistant", "a")]),
            messages(&[said("system", "s"), said("user", "q"), said("assistant", "a")]),
            messages(&[said("user", "do\nthis"), said("assistant", "a")]),
            messages(&[said("user", "q"), said("assistant", "good")]),
            messages(&[said("user", "q"), said("assistant", "bad")]),
        ],
        &[],
    );
    let found = examples(
        &[
            json!({"prompt": "q", "completion": "a"}),
            json!({"system": "s", "conversations": [
                {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}),
            json!({"instruction": "do", "input": "this", "output": "a"}),
            json!({"prompt": "q", "chosen": "good", "rejected": [said("assistant", "bad")]}),
        ],
        &[],
    );
    assert_eq!(found, expected, "the chosen answer comes first");
}

#[test]
fn texts_are_trained_whole_and_tokens_as_they_are() {
    let found = examples(
        &[
            json!({"text": "hi"}),
            // Control tokens in a text stay text.
            json!({"text": "<|pad|>"}),
            json!({"tokens": [1, 2, 3], "weights": [0, 0.5, 1]}),
            json!({"input_ids": [4, 5], "labels": [-100, 5], "attention_mask": [1, 1]}),
        ],
        &["--train-on", "last_assistant_message"],
    );
    assert_eq!(found[0], (json!([BOS, 104, 105, EOS]), json!([0.0, 1.0, 1.0, 1.0])));
    assert_eq!(found[1].0.as_array().unwrap().len(), 2 + "<|pad|>".len());
    assert_eq!(found[2], (json!([1, 2, 3]), json!([0.0, 0.5, 1.0])));
    assert_eq!(found[3], (json!([4, 5]), json!([0.0, 1.0])));
    // No conversation: inference has no prompt for it.
    refused(&json!({"text": "hi"}), &["--generation-prompt"], "1: there is no prompt", "only conv");
}

#[test]
fn tokens_that_are_none_are_told_by_their_place() {
    let other = "its ids go up to 319: were the rows made with another tokenizer?";
    let line = json!({"tokens": [1, 320]});
    refused(&line, &[], "14: `tokens[1]`: the tokenizer has no token 320", other);
    let line = json!({"tokens": [1, 2], "labels": [2, -100]});
    refused(&line, &[], "27: `labels[0]`: is 2, `tokens[0]` is 1", "labels repeat the tokens");
    let line = json!({"tokens": [1, 2], "advantages": [1]});
    refused(&line, &[], "30: `advantages`: has 1 values, `tokens` has 2", "a list of numbers is");
}

#[test]
fn ambiguous_and_unknown_records_are_told_by_their_keys() {
    let line = json!({"instruction": "i", "output": "o", "text": "t"});
    let told = "1: has the keys of several formats: `instruction` (alpaca), `text` (text)";
    refused(&line, &[], told, "set `format: alpaca` or `format: text` for this dataset");
    assert_eq!(examples(&[line], &["--set", "datasets[0].format=text"]).len(), 1);
    let told = "1: has no key that tells a format, only `mesages`";
    refused(&json!({"mesages": []}), &[], told, "`mesages`: did you mean `messages`?");
    let told = "1: has no key that tells a format, only `conversation`";
    refused(&json!({"conversation": []}), &[], told, "`conversation`: did you mean");
    let format = ["--set", "datasets[0].format=sharegpt"];
    let line = json!({"messages": []});
    refused(&line, &format, "1: `conversations`: is missing", "each record is");
}

#[test]
fn roles_that_miss_narrowly_get_hints() {
    let line = |role: &str| json!({"messages": [{"role": role, "content": "a"}]});
    let told = |role: &str| format!("22: `messages[0].role`: unknown role `{role}`");
    refused(&line("assitant"), &[], &told("assitant"), "did you mean `assistant`?");
    refused(&line("human"), &[], &told("human"), "`roles: {human: user}` of the dataset maps it");
    let line = json!({"messages": [{"from": "human", "value": "a"}]});
    let told = "14: `messages[0].role`: is missing";
    refused(&line, &[], told, "`format: sharegpt` with `fields: {messages: messages}` reads");
    let set = ["datasets[0].format=sharegpt", "datasets[0].fields={messages: messages}"];
    let line = json!({"messages": [{"from": "gpt", "value": "a"}]});
    assert_eq!(examples(&[line], &["--set", set[0], "--set", set[1]]).len(), 1);
    let line = json!({"messages": [{"rol": "user", "content": "a"}]});
    refused(&line, &[], "14: `messages[0].role`: is missing", "`rol`: did you mean `role`?");
    let line = json!({"conversations": [{"from": "humn", "value": "a"}]});
    let told = "27: `conversations[0].from`: unknown role `humn`";
    refused(&line, &[], told, "did you mean `human`?");
}

#[test]
fn fields_and_roles_are_mapped_by_the_config() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 2, "renderer: chatml\n");
    let config = sandbox.read("run.yaml").replace(
        "{path: chats.jsonl}",
        "{path: other.jsonl, fields: {messages: conv, role: from, content: value}, \
         roles: {human: user, bot: assistant}}",
    );
    sandbox.write("run.yaml", config);
    let line = |role: &str| {
        json!({"conv": [{"from": "human", "value": "q"}, {"from": role, "value": "a"}]}).to_string()
    };
    sandbox.write("other.jsonl", format!("{}\n", line("bot")));
    let shown = sandbox.show(&["train", "run.yaml", "--dry-run"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("1 example"), "{shown}");
    // What the renderer refuses is told in the words of the line.
    sandbox.write("other.jsonl", format!("{}\n", line("robot")));
    let shown = sandbox.show(&["train", "run.yaml", "--dry-run"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("other.jsonl:1:"), "{shown}");
    assert!(shown.contains("`conv[1].from`: unknown role `robot`"), "{shown}");
    // A name that is none, and a role that is nearly one.
    for (set, place, told) in [
        ("fields={mesages: conv}", "datasets[0].fields", "did you mean `messages`?"),
        ("fields={prompt: x, text: x}", "datasets[0].fields.text", "`x` is already `prompt`"),
        ("roles={human: usr}", "datasets[0].roles.human", "did you mean `user`?"),
        ("format=alpaca", "datasets[0].fields.messages", "`format: alpaca` reads no `messages`"),
        ("weight=0", "datasets[0].weight", "must be from 0.001 to 1000"),
    ] {
        let set = format!("datasets[0].{set}");
        let shown = sandbox.show(&["train", "run.yaml", "--dry-run", "--set", &set]);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains(place) && shown.contains(told), "{shown}");
    }
}

/// A run over rows of tokens: `what` is said by a policy that had each token at 1/320.
fn policy(loss: &str, advantage: f32, more: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let training = format!("{{batch_size: 2, epochs: 4, loss: {loss}, {more}}}");
    tiny_run::write(&sandbox, 0, &format!("training: {training}\ndata: {{eval: {{count: 2}}}}\n"));
    let old = -(320_f32.ln());
    let row = |i: u32| {
        let tokens = [72, 101 + i % 3, 108, 108, 111, 33];
        json!({"tokens": tokens, "weights": [0, 0, 1, 1, 1, 1],
            "logprobs": [0.0, 0.0, old, old, old, old],
            "advantages": [0.0, 0.0, advantage, advantage, advantage, advantage]})
    };
    sandbox.write("chats.jsonl", (0..8).map(|i| format!("{}\n", row(i))).collect::<String>());
    sandbox
}

/// NLL of the held-out rows before and after the run.
#[track_caller]
fn trained(sandbox: &Sandbox) -> (f64, f64) {
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let id = tiny_run::latest(sandbox).unwrap();
    let record: Value =
        serde_json::from_str(&sandbox.read(&format!("out/runs/{id}.json"))).unwrap();
    assert_eq!(record["status"], "completed");
    assert_eq!(record["progress"]["step"], 12);
    let nll = |when: &str| record["evaluations"][when]["nll"].as_f64().unwrap();
    (nll("before"), nll("after"))
}

/// What had an advantage becomes likelier, what had a disadvantage less likely.
#[test]
fn policy_losses_train_on_rows_with_columns() {
    for (loss, more) in
        [("importance_sampling", ""), ("ppo", ""), ("cispo", ""), ("dro", "normalization: none")]
    {
        let (before, after) = trained(&policy(loss, 1.0, more));
        assert!(after < before - 0.01, "{loss}: {before} to {after}");
    }
    let (before, after) = trained(&policy("importance_sampling", -1.0, ""));
    assert!(after > before + 0.01, "{before} to {after}");
}

#[test]
fn columns_that_the_loss_needs_must_be_there() {
    let sandbox = policy("ppo", 1.0, "");
    let rows = sandbox.read("chats.jsonl");
    // In no row.
    sandbox.write("chats.jsonl", rows.replace("logprobs", "old"));
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("loss `ppo` reads `logprobs`, which the data does not have"), "{shown}");
    assert!(shown.contains("run.yaml:6:"), "{shown}");
    // Not in the fourth.
    let lines: Vec<String> = rows
        .lines()
        .enumerate()
        .map(|(i, line)| if i == 3 { line.replace("advantages", "adv") } else { line.to_owned() })
        .collect();
    // Behind a blank line: what is told is the line.
    sandbox.write("chats.jsonl", format!("\n{}", lines.join("\n")));
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("chats.jsonl:5: `advantages`: is missing; line 2 has it"), "{shown}");
    // In one dataset of two.
    sandbox.write("chats.jsonl", &rows);
    let texts = ["a", "b", "c", "d"].map(|t| json!({"text": t}).to_string());
    sandbox.write("more.jsonl", texts.join("\n"));
    let two = ["--set", "datasets[1].path=more.jsonl"];
    let shown = sandbox.show(&[&["train", "run.yaml"], &two[..]].concat());
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("`datasets[1]`: loss `ppo` reads `logprobs`"), "{shown}");
    assert!(!sandbox.path().join("out").exists(), "nothing is begun");
}

/// A loss over tokens would train the rejected answers.
#[test]
fn pairs_need_a_loss_that_can_tell_them_apart() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 0, "training: {batch_size: 4}\n");
    let pair = json!({"prompt": "q", "chosen": "yes", "rejected": "no"});
    sandbox.write("chats.jsonl", format!("{pair}\n{pair}\n"));
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    let told = "`training.loss`: loss `cross_entropy` looks at tokens one by one: of 2 preference \
                pairs, it would train the rejected answers like the chosen ones";
    assert!(shown.contains(told), "{shown}");
    // As the hint says.
    let set = ["datasets[0].format=prompt_completion", "datasets[0].fields={completion: chosen}"];
    let args = ["train", "run.yaml", "--dry-run", "--set", set[0], "--set", set[1]];
    let shown = sandbox.show(&args);
    assert!(shown.starts_with("exit 0\n") && shown.contains("2 examples"), "{shown}");
}

#[test]
fn exact_copies_are_left_out_on_request_and_counted() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 4, "training: {batch_size: 1}\n");
    let rows = sandbox.read("chats.jsonl");
    // The same again in other clothes: as a pair, and with other white space.
    let pair = json!({"completion": "number 0 it is", "prompt": "say number 0"});
    let spaced = rows.lines().nth(1).unwrap().replace(':', " : ");
    sandbox.write("chats.jsonl", format!("{rows}{pair}\n{spaced}\n"));
    let plan =
        |more: &[&str]| sandbox.show(&[&["train", "run.yaml", "--dry-run"][..], more].concat());
    assert!(plan(&[]).contains("6 examples"), "{}", plan(&[]));
    let exact = ["--set", "data.dedupe=exact"];
    let shown = plan(&exact);
    assert!(shown.contains("4 examples, 2 exact copies left out"), "{shown}");
    let files = ["chats.jsonl", "--tokenizer", "base"];
    let shown = sandbox.show(&[&["data", "check"], &files[..], &exact].concat());
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("2 rows left out: exact copies of earlier ones"), "{shown}");
    let upload = [&["upload"], &files[..], &exact, &["--output", "out", "--format", "json"]];
    let staged: Value = serde_json::from_slice(&sandbox.run(&upload.concat()).stdout).unwrap();
    assert_eq!((&staged["rows"], &staged["report"]["duplicates"]), (&json!(4), &json!(2)));
}

#[test]
fn weights_say_how_often_examples_are_seen() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 4, "training: {batch_size: 2, epochs: 2}\n");
    sandbox.write("more.jsonl", sandbox.read("chats.jsonl"));
    let config = sandbox.read("run.yaml").replace(
        "[{path: chats.jsonl}]",
        "[{path: chats.jsonl, weight: 2}, {path: more.jsonl, weight: 0.5}]",
    );
    sandbox.write("run.yaml", config);
    let args = ["train", "run.yaml", "--dry-run"];
    let output = sandbox.run(&[&args[..], &["--format", "json"]].concat());
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    // 4 · 2 and 4 · 0.5 an epoch: 10 examples, 5 batches.
    assert_eq!(plan["plan"]["examples"], 8);
    assert_eq!((&plan["plan"]["seen"], &plan["plan"]["steps"]), (&json!(20), &json!(10)));
    let shown = sandbox.show(&args);
    let note = "`more.jsonl` has weight 0.5: of its 4 examples, 2 are seen an epoch";
    assert!(shown.starts_with("exit 0\n") && shown.contains(note), "{shown}");
    let shown = sandbox.show(&["train", "run.yaml"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
}
