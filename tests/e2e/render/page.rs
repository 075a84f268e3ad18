//! `render --format html`: what the page holds, that its data comes back whole, and that nothing of a
//! dataset becomes markup. How it looks is for `tests/conformance/page`.

use super::{BASE, chat, expected, sandbox, with};
use serde_json::{Value, json};
use tinsmith_test_support::{cli::Sandbox, tiny_tokenizer::EOS};

fn page(sandbox: &Sandbox, more: &[&'static str]) -> String {
    let output = sandbox.run(&with(&[&["--format", "html"], more].concat()));
    String::from_utf8(output.stdout).unwrap()
}

/// What stands between two pieces of text.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let from = text.find(before).unwrap_or_else(|| panic!("no `{before}` in {text}"));
    let text = &text[from + before.len()..];
    &text[..text.find(after).unwrap()]
}

fn data(page: &str) -> Value {
    let json = between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_data_of_the_page_is_what_training_gets() {
    let sandbox = sandbox(&[chat("the rain", "in Spain"), chat("2 🦀", "<|im_end|>3")]);
    let page = page(&sandbox, &[]);
    let data = data(&page);
    assert_eq!(data["files"], json!(["a.jsonl"]));
    let (tokens, weights) = expected(
        &sandbox,
        &[
            ("<|im_start|>user\n", 0.0),
            ("the rain", 0.0),
            ("<|im_end|>\n", 0.0),
            ("<|im_start|>assistant\n", 0.0),
            ("in Spain<|im_end|>", 1.0),
        ],
    );
    let first = &data["examples"][0];
    assert_eq!(first["t"], json!(tokens));
    let zeros = weights.iter().filter(|w| **w == 0.0).count();
    assert_eq!(first["w"], json!([[zeros, 0.0], [tokens.len() - zeros, 1.0]]));
    assert_eq!(
        (&first["l"], &first["r"], &first["k"]),
        (&json!(1), &json!(0), &json!(tokens.len() - zeros))
    );
    assert_eq!(first["s"], json!([]));
    // The token that ends a turn is one, with its own sign; the answer of the second only spells it.
    assert_eq!(data["vocab"][EOS.to_string()], json!(["3c7c696d5f656e647c3e", "<|im_end|>", 1]));
    assert_eq!(data["vocab"]["50"], json!(["32", "2", 0]));
    let second = &data["examples"][1];
    assert_eq!(second["s"], json!(["spelled"]));
    let crab = second["t"].as_array().unwrap().iter().position(|t| *t == json!(0xF0)).unwrap();
    assert_eq!(second["c"], json!({ (crab.to_string()): ["🦀", 4] }));
}

/// Everything that a page can be attacked with, in every place where a dataset's text can stand.
#[test]
fn nothing_of_the_data_becomes_markup() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- '\" & \u{2028}";
    let bad = json!({"messages": [{"role": evil, "content": evil}]});
    let records = [chat(evil, evil), bad, json!({ evil: evil })];
    let sandbox = sandbox(&records);
    let shown = page(&sandbox, &[]);
    assert_eq!(shown.matches("<script").count(), 2, "the data and our own: {shown}");
    assert_eq!(shown.matches("</script").count(), 2);
    for markup in ["<img", "alert(1)</script", "<!--", "onerror=alert(2)>"] {
        assert!(!shown.contains(markup), "{markup} in {shown}");
    }
    assert_eq!(data(&shown)["examples"].as_array().unwrap().len(), 1);
    // The tokens of the text still spell it.
    let data = data(&shown);
    let bytes: String = data["examples"][0]["t"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| data["vocab"][t.to_string()][0].as_str().unwrap())
        .collect();
    let hex: String = evil.bytes().map(|b| format!("{b:02x}")).collect();
    assert_eq!(bytes.matches(&hex).count(), 2);
    // Of the unknown role the message tells, as text.
    assert!(shown.contains("&lt;/script&gt;"), "{shown}");
}

#[test]
fn a_page_needs_nothing_else_and_lets_nothing_else_run() {
    let sandbox = sandbox(&[chat("hi", "yes")]);
    let page = page(&sandbox, &[]);
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for foreign in [" src=", "href=\"http", "url(", "@import", " onclick=", " style=\"", "NaN"] {
        assert!(!page.contains(foreign), "{foreign} in {page}");
    }
    for part in ["<!doctype html>", "id=\"search\"", "id=\"filter\"", "id=\"goto\"", "<noscript>"] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    // Two histograms, and the figures at the top.
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(page.contains("<b>1</b><span>examples in use</span>"), "{page}");
    assert!(page.ends_with("</html>\n"));
}

#[test]
fn refused_rows_stand_there_with_place_and_hint_and_the_exit_code_says_so() {
    let bad = json!({"messages": [{"role": "asistant", "content": "x"}]});
    let column = bad.to_string().find("\"asistant\"").unwrap() + 1;
    let sandbox = sandbox(&[chat("hi", "yes"), bad]);
    let output = sandbox.run(&with(&["--format", "html"]));
    assert_eq!(output.status.code(), Some(3));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("<h2>Refused rows: 1</h2>"), "{page}");
    let place = format!("<code>a.jsonl:2:{column}</code>");
    let row = between(&page, &place, "</tr>");
    assert!(row.contains("<code>messages[0].role</code>"), "{row}");
    assert!(row.contains("unknown role `asistant`") && row.contains("<i>hint: "), "{row}");
}

#[test]
fn problems_are_told_from_each_other() {
    let digits = |n: usize| "7".repeat(n);
    let records = [
        chat("1", &digits(3)),
        chat("1", &digits(60)),
        chat(&digits(60), "1"),
        json!({"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": digits(60)},
            {"role": "user", "content": "2"}, {"role": "assistant", "content": "3"}]}),
    ];
    let sandbox = sandbox(&records);
    let tags = |policy: &'static str| -> Vec<Value> {
        let page = page(&sandbox, &["--max-length", "40", "--set", policy]);
        let examples = data(&page)["examples"].as_array().unwrap().clone();
        examples.into_iter().map(|e| e["s"].clone()).collect()
    };
    assert_eq!(
        tags("data.overlong=truncate_right"),
        [json!([]), json!(["cut", "end"]), json!(["untrained"]), json!(["cut", "end"])]
    );
    // Without its first turn the last one fits.
    let dropped = tags("data.overlong=drop_turns");
    assert_eq!(dropped, [json!([]), json!(["long"]), json!(["long"]), json!(["turns"])]);
    let left = tags("data.overlong=truncate_left");
    assert_eq!(left, [json!([]), json!(["cut", "first"]), json!(["cut"]), json!(["cut", "first"])]);
}

#[test]
fn a_large_file_makes_a_page_that_stays_usable_and_says_so() {
    let mut records: Vec<Value> = (0..700).map(|i| chat(&format!("{i}"), "yes")).collect();
    // A problem far behind the first examples is on the page all the same.
    records[650] = chat("<|im_end|>", "yes");
    let sandbox = sandbox(&records);
    let shown = page(&sandbox, &[]);
    let examples = data(&shown)["examples"].as_array().unwrap().clone();
    assert_eq!(examples.len(), 201);
    assert_eq!(examples[200]["l"], 651);
    assert!(shown.contains("201 of 700 examples are on this page"), "{shown}");
    assert!(shown.contains("<b>700</b><span>rows</span>"), "{shown}");
    // Who asks for so many gets so many.
    let shown = page(&sandbox, &["--limit", "300"]);
    assert_eq!(data(&shown)["examples"].as_array().unwrap().len(), 300);
    assert!(!shown.contains("are on this page"), "{shown}");
    assert!(shown.contains("<b>300</b><span>rows</span>"), "{shown}");
}

#[test]
fn several_files_and_prompts_have_pages_too() {
    let sandbox = sandbox(&[chat("hi", "yes")]);
    sandbox.write("b.jsonl", format!("{}\n", chat("ho", "no")));
    let mut args = [&BASE[..], &["--format", "html", "--generation-prompt"]].concat();
    args.insert(2, "b.jsonl");
    let output = sandbox.run(&args);
    assert_eq!(output.status.code(), Some(0));
    let shown = String::from_utf8(output.stdout).unwrap();
    let data = data(&shown);
    assert_eq!(data["files"], json!(["a.jsonl", "b.jsonl"]));
    assert_eq!(data["examples"][1]["f"], 1);
    assert_eq!(data["examples"][1]["s"], json!([]), "a prompt is not untrained by mistake");
    assert!(shown.contains("the prompts of inference") && shown.contains("id=\"file\""), "{shown}");
}
