//! Bad input of the data: each case through the real binary. The expected places are counted by
//! hand in the lines written here; exit code 3 means that the data was rejected.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama, tiny_run};

const GOOD: &str =
    r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}"#;

fn sandbox(data: impl AsRef<[u8]>) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 1).unwrap();
    sandbox.write("a.jsonl", data);
    sandbox
}

/// What `render --format json` does with a file of these lines.
fn render(data: impl AsRef<[u8]>, more: &[&str]) -> String {
    let mut args = vec!["render", "a.jsonl", "--tokenizer", "base", "--renderer", "chatml"];
    args.extend(["--format", "json"]);
    args.extend(more);
    sandbox(data).show(&args)
}

fn records(shown: &str) -> Vec<&str> {
    shown
        .lines()
        .filter_map(|l| l.strip_prefix("{\"record\":")?.split_once(','))
        .map(|l| l.0)
        .collect()
}

/// Line 2 is bad in the way of `bad`, lines 1 and 3 are good: they are rendered all the same, the
/// error has its place, the exit code is 3, and `train` refuses the data at the same place.
#[track_caller]
fn bad_line(bad: impl AsRef<[u8]>, place: &str, message: &str) {
    let data = [GOOD.as_bytes(), bad.as_ref(), GOOD.as_bytes()].join(&b"\n"[..]);
    let shown = render(&data, &[]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert_eq!(records(&shown), ["0", "2"], "{shown}");
    let expected = format!("error: a.jsonl:{place}: {message}");
    assert!(shown.contains(&expected), "`{expected}` is missing in:\n{shown}");
    assert!(shown.contains("error: 1 of 3 records refused"), "{shown}");
    assert!(shown.contains("\nhint: "), "{shown}");

    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 0, "renderer: chatml\n");
    sandbox.write("chats.jsonl", &data);
    let trained = sandbox.show(&["train", "run.yaml"]);
    assert!(trained.starts_with("exit 3\n"), "{trained}");
    assert!(trained.contains(&format!("chats.jsonl:{place}: {message}")), "{trained}");
    assert!(trained.contains("hint: "), "{trained}");
    assert!(!sandbox.path().join("out").exists(), "nothing is begun");
}

#[test]
fn not_json() {
    bad_line("{\"messages\": [", "2:14", "not JSON: EOF while parsing a list");
    bad_line("hello", "2:1", "not JSON: expected value");
    bad_line("{'messages': []}", "2:2", "not JSON: key must be a string");
}

#[test]
fn a_record_that_is_no_object() {
    bad_line("[1, 2]", "2:1", "a record must be a JSON object, found an array");
    bad_line("\"text\"", "2:1", "a record must be a JSON object, found a string");
    bad_line("null", "2:1", "a record must be a JSON object, found null");
}

#[test]
fn wrong_types() {
    bad_line(r#"{"messages": "hi"}"#, "2:14", "`messages`: ");
    bad_line(r#"{"messages": [3]}"#, "2:15", "`messages[0]`: ");
    bad_line(
        r#"{"messages": [{"role": "user", "content": 3}]}"#,
        "2:43",
        "`messages[0].content`: ",
    );
    bad_line(r#"{"prompt": "é", "completion": 3}"#, "2:31", "`completion`: ");
}

#[test]
fn keys_that_stand_twice() {
    let messages = r#"{"messages": [{"role": "user", "role": "system", "content": "hi"}]}"#;
    bad_line(messages, "2:37", "duplicate field `role`");
    let pair = r#"{"prompt": "é", "prompt": "b", "completion": "c"}"#;
    bad_line(pair, "2:17", "`prompt`: stands twice");
}

#[test]
fn texts_that_are_no_characters_and_trees_without_end() {
    let half = r#"{"messages": [{"role": "user", "content": "\ud800"}]}"#;
    bad_line(half, "2:50", "unexpected end of hex escape");
    let deep = format!(r#"{{"messages": {}{}}}"#, "[".repeat(9000), "]".repeat(9000));
    // serde_json goes 128 levels deep; the object is the first.
    bad_line(deep, "2:140", "recursion limit exceeded");
}

/// As Windows' editors save it: the first line already is no UTF-8.
#[test]
fn utf_16() {
    let text: Vec<u8> =
        format!("\u{FEFF}{GOOD}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let shown = render(text, &[]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("error: a.jsonl:1:1: not valid UTF-8: byte 0xFF"), "{shown}");
    assert!(shown.contains("hint: convert the file to UTF-8"), "{shown}");
}

/// A byte order mark, CRLF and blank lines shift neither the line nor the column.
#[test]
fn places_behind_bom_crlf_and_blank_lines() {
    let bad = r#"{"messages": [{"role": "é", "content": "hi"}]}"#;
    let shown = render(format!("\u{FEFF}{bad}\r\n\r\n \t\r\n{GOOD}\r\n{bad}\r\n"), &[]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert_eq!(records(&shown), ["1"], "{shown}");
    for line in [1, 5] {
        let place = format!("error: a.jsonl:{line}:24: `messages[0].role`: unknown role `é`");
        assert!(shown.contains(&place), "{shown}");
    }
}

/// Of a line with both, the format says which counts; without it the line is refused.
#[test]
fn messages_and_a_pair_in_one_line() {
    let both =
        r#"{"messages": [{"role": "user", "content": "m"}], "prompt": "p", "completion": "c"}"#;
    bad_line(both, "2:1", "has the keys of several formats: `messages` (messages)");
    let shown = render(format!("{both}\n"), &["--set", "datasets[0].format=prompt_completion"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(records(&shown), ["0"]);
}

#[test]
fn missing_and_unknown_roles() {
    bad_line(r#"{"messages": [{"content": "hi"}]}"#, "2:15", "`messages[0].role`: is missing");
    let unknown = r#"{"messages": [{"role": "narrator", "content": "hi"}]}"#;
    bad_line(unknown, "2:24", "`messages[0].role`: ");
}

#[test]
fn empty_content_and_no_messages() {
    let empty = r#"{"messages": [{"role": "user", "content": ""}]}"#;
    bad_line(empty, "2:43", "`messages[0].content`: is empty");
    bad_line(r#"{"messages": []}"#, "2:14", "`messages`: is empty");
    bad_line(r#"{"id": "hi"}"#, "2:1", "has no key that tells a format, only `id`");
}

#[test]
fn invalid_utf8() {
    bad_line(b"{\"messages\": \"\xC3\xA9\xFF\"}", "2:16", "not valid UTF-8: byte 0xFF");
}

#[test]
fn an_empty_file_and_one_of_blank_lines() {
    for (data, what) in [("", "the file is empty"), ("\n \n\r\n", "the file has no record")] {
        let shown = render(data, &[]);
        assert!(shown.starts_with("exit 3\n"), "{shown}");
        assert!(shown.contains(&format!("error: a.jsonl: {what}")), "{shown}");
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
        tiny_run::write(&sandbox, 0, "");
        sandbox.write("chats.jsonl", data);
        let trained = sandbox.show(&["train", "run.yaml"]);
        assert!(trained.starts_with("exit 3\n") && trained.contains(what), "{trained}");
    }
}

#[test]
fn bom_crlf_and_blank_lines_change_nothing() {
    let plain = render(format!("{GOOD}\n{GOOD}\n"), &[]);
    assert!(plain.starts_with("exit 0\n"), "{plain}");
    let dressed = render(format!("\u{FEFF}{GOOD}\r\n\r\n  \n{GOOD}"), &[]);
    assert_eq!(plain, dressed);
}

#[test]
fn a_line_of_50_mb() {
    // Refused by its size, before anything is made of it; the rows around it come.
    let long = GOOD.replace("yes", &"lorem ipsum ".repeat(50_000_000 / 12));
    let shown = render(format!("{GOOD}\n{long}\n{GOOD}\n"), &[]);
    assert!(shown.starts_with("exit 3\n"), "{}", &shown[..200.min(shown.len())]);
    assert_eq!(records(&shown), ["0", "2"]);
    assert!(shown.contains("error: a.jsonl:2:1: the line is longer than 16 MiB"), "{shown}");
    assert!(shown.contains("hint: one line is one conversation: is the file one JSON value?"));
    let trained = run(&format!("{GOOD}\n{long}\n"), "");
    assert!(trained.starts_with("exit 3\n"), "{}", &trained[..200.min(trained.len())]);
    assert!(trained.contains("chats.jsonl:2:1: the line is longer than 16 MiB"), "{trained}");
}

#[test]
fn a_line_of_1_mb() {
    // Within bounds: rendered, counted and refused by its tokens.
    let long = GOOD.replace("yes", &"lorem ipsum ".repeat(1_000_000 / 12));
    let shown = render(format!("{long}\n{GOOD}\n"), &["--max-length", "64"]);
    assert!(shown.starts_with("exit 3\n"), "{}", &shown[..200.min(shown.len())]);
    assert_eq!(records(&shown), ["1"]);
    assert!(shown.contains("error: a.jsonl:1: ") && shown.contains(" more than `max_length` 64"));
}

fn run(data: &str, more: &str) -> String {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 0, &format!("renderer: chatml\ntraining: {{batch_size: 1}}\n{more}"));
    sandbox.write("chats.jsonl", data);
    sandbox.show(&["train", "run.yaml"])
}

#[test]
fn more_tokens_than_max_length_by_policy() {
    let long = GOOD.replace("yes", &"yes and no and ".repeat(20));
    let data = format!("{GOOD}\n{long}\n{GOOD}\n");
    let policy =
        |overlong: &str| run(&data, &format!("data: {{max_length: 60, overlong: {overlong}}}\n"));
    let error = policy("error");
    assert!(error.starts_with("exit 3\n"), "{error}");
    assert!(
        error.contains("chats.jsonl:2: ") && error.contains(" more than `max_length` 60"),
        "{error}"
    );
    assert!(
        error.contains("hint: raise `data.max_length`, or choose `data.overlong: drop`"),
        "{error}"
    );
    let drop = policy("drop");
    assert!(drop.starts_with("exit 0\n"), "{drop}");
    assert!(drop.contains("2 examples") && drop.contains("1 too long"), "{drop}");
    let cut = policy("truncate_right");
    assert!(cut.starts_with("exit 0\n"), "{cut}");
    assert!(cut.contains("3 examples") && cut.contains("1 cut to `data.max_length`"), "{cut}");
    assert!(cut.contains("1 of them within an answer"), "{cut}");
    assert!(cut.contains("1 without the end of an answer"), "{cut}");
    let left = policy("truncate_left");
    assert!(left.starts_with("exit 0\n"), "{left}");
    assert!(left.contains("3 examples") && left.contains("1 cut to `data.max_length`"), "{left}");
    assert!(!left.contains("the end of an answer"), "{left}");
    // One turn: nothing of it can be dropped.
    let turns = policy("drop_turns");
    assert!(turns.contains("2 examples") && turns.contains("1 too long"), "{turns}");
    let line = |role: &str, text: &str| format!(r#"{{"role": "{role}", "content": "{text}"}}"#);
    let old = [line("user", "an old question"), line("assistant", &"and so on ".repeat(20))];
    let with_old = GOOD.replacen('[', &format!("[{}, ", old.join(", ")), 1);
    let data = format!("{GOOD}\n{with_old}\n");
    let turns = run(&data, "data: {max_length: 60, overlong: drop_turns}\n");
    assert!(turns.starts_with("exit 0\n"), "{turns}");
    assert!(
        turns.contains("2 examples") && turns.contains("1 without the oldest turns"),
        "{turns}"
    );
}

#[test]
fn rows_without_a_trained_token() {
    // Cut at 40 tokens, nothing of the answer is left.
    let long = GOOD.replace("hi", &"a long question and ".repeat(10));
    let cut = "data: {max_length: 40, overlong: truncate_right}\n";
    let some = run(&format!("{GOOD}\n{long}\n"), cut);
    assert!(some.starts_with("exit 0\n"), "{some}");
    assert!(some.contains("1 without a trained token"), "{some}");
    let none = run(&format!("{long}\n{long}\n"), cut);
    assert!(none.starts_with("exit 3\n"), "{none}");
    let why = "error: nothing to train on: of 2 rows, 2 without a trained token";
    assert!(none.contains(why), "{none}");
    assert!(
        none.contains("hint: does `data.train_on` choose messages that the data has?"),
        "{none}"
    );
}

#[test]
fn the_assistant_is_missing() {
    let user = r#"{"messages": [{"role": "user", "content": "no answer to this"}]}"#;
    bad_line(user, "2:14", "`messages`: there is no assistant message");
}

#[test]
fn bad_rows_are_left_out_where_the_config_says_so() {
    let data = format!("{GOOD}\n{{\n{GOOD}\n");
    let shown = run(&data, "data: {on_bad_record: skip}\n");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("2 examples") && shown.contains("1 bad and left out"), "{shown}");
}

#[test]
fn several_bad_rows_are_counted() {
    let shown = run(&format!("{GOOD}\n[]\n[]\n[]\n"), "");
    assert!(
        shown.contains(
            "chats.jsonl:2:1: a record must be a JSON object, found an array; 2 more rows are bad"
        ),
        "{shown}"
    );
    assert!(shown.contains("`tinsmith data check "), "{shown}");
}

#[test]
fn a_missing_dataset_and_a_folder() {
    let sandbox = sandbox("");
    let args = ["--tokenizer", "base", "--renderer", "chatml"];
    let show = |file: &str| sandbox.show(&[&["render", file][..], &args[..]].concat());
    let shown = show("no.jsonl");
    assert!(
        shown.starts_with("exit 3\n") && shown.contains("there is no dataset `no.jsonl`"),
        "{shown}"
    );
    let shown = show("base");
    assert!(shown.starts_with("exit 3\n") && shown.contains("`base` is a folder"), "{shown}");
}

#[test]
fn a_tokenizer_that_does_not_fit_the_model() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_run::write(&sandbox, 4, "");
    let config =
        sandbox.read("base/config.json").replace("\"vocab_size\": 320", "\"vocab_size\": 319");
    sandbox.write("base/config.json", config);
    for args in [
        &["train", "run.yaml"][..],
        &["render", "chats.jsonl", "--config", "run.yaml"],
        &["render", "chats.jsonl", "--tokenizer", "base", "--renderer", "chatml"],
    ] {
        let shown = sandbox.show(args);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        let what = "the tokenizer does not fit the model: its ids go up to 319 (`<|pad|>`), \
                    the model knows ids up to 318";
        assert!(shown.contains(what), "{shown}");
        assert!(shown.contains("hint: use the tokenizer that came with the model"), "{shown}");
    }
}

#[test]
fn a_missing_and_a_broken_tokenizer() {
    let sandbox = sandbox(GOOD);
    let show = |dir: &str| {
        sandbox.show(&["render", "a.jsonl", "--tokenizer", dir, "--renderer", "chatml"])
    };
    let shown = show("nowhere");
    assert!(shown.starts_with("exit 2\n") && shown.contains("no tokenizer at `"), "{shown}");
    assert!(shown.contains("hint: "), "{shown}");
    let whole = sandbox.read("base/tokenizer.json");
    sandbox.write("base/tokenizer.json", &whole[..whole.len() / 2]);
    let shown = show("base");
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("tokenizer.json:") && shown.contains("not a tokenizer: EOF"), "{shown}");
    sandbox.write("base/tokenizer.json", whole.replace("\"BPE\"", "\"XYZ\""));
    let shown = show("base");
    assert!(shown.starts_with("exit 2\n") && shown.contains("not a tokenizer"), "{shown}");
}
