use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn under<'l>(line: &'l str, mapping: &Mapping) -> Mapped<'l> {
    map_record(line, mapping).unwrap_or_else(|(at, e)| panic!("{at}: {e} in {line}"))
}

fn auto(line: &str) -> Mapped<'_> {
    under(line, &Mapping::plain(Format::Auto))
}

fn one<'r, 'l>(record: &'r Mapped<'l>) -> &'r Conversation<'l> {
    &record.conversations()[0]
}

fn json_of(conversation: &Conversation<'_>) -> Value {
    serde_json::from_str(&conversation.json).unwrap()
}

fn mapped(line: &str) -> Value {
    json_of(one(&auto(line)))
}

fn refused(line: &str) -> (usize, String) {
    refused_as(line, &Mapping::plain(Format::Auto))
}

fn refused_as(line: &str, mapping: &Mapping) -> (usize, String) {
    let (at, error) = map_record(line, mapping).unwrap_err();
    assert!(error.hint.is_some(), "no hint: {error}");
    (at, error.to_string())
}

#[test]
fn messages_pass_as_they_are() {
    let line = r#"{"messages": [{"role":"user","content":"é"}], "tools": [1]}"#;
    let record = auto(line);
    let record = one(&record);
    assert!(matches!(record.json, Cow::Borrowed(text) if text == line));
}

#[test]
fn tools_within_a_text_become_a_list() {
    let line =
        r#"{"messages": [{"role":"user","content":"q", "x": 1}], "tools": "[{\"a\": 1.0}]"}"#;
    assert_eq!(
        mapped(line),
        json!({"messages": [{"role": "user", "content": "q", "x": 1}], "tools": [{"a": 1.0}]})
    );
    // What is no list stays for the renderer to refuse.
    assert_eq!(mapped(&line.replace("[{\\", "{\\"))["tools"], "{\"a\": 1.0}]");
    assert_eq!(mapped(&line.replace(r#""[{\"a\": 1.0}]""#, r#""""#))["tools"], Value::Null);
}

#[test]
fn a_pair_becomes_messages_and_keeps_the_rest() {
    let line = r#"{"id": 7, "prompt": "a\n\"b", "completion":"c", "tools":[{"x":1}]}"#;
    assert_eq!(
        mapped(line),
        json!({"messages": [{"role": "user", "content": "a\n\"b"},
                            {"role": "assistant", "content": "c"}],
               "id": 7, "tools": [{"x": 1}]})
    );
    let record = auto(line);
    let record = one(&record);
    assert_eq!(record.field_in_line("messages[0].content"), "prompt");
    assert_eq!(record.field_in_line("messages[1].content"), "completion");
    assert_eq!(record.field_in_line("tools"), "tools");
}

/// The format is what the error about both of them tells the user to set.
#[test]
fn messages_beside_a_pair_give_way_to_it() {
    let line = r#"{"messages": [{"role":"user","content":"m"}], "prompt": "p",
        "completion": "c", "id": 1}"#;
    let record = under(line, &Mapping::plain(Format::PromptCompletion));
    let record = one(&record);
    assert_eq!(record.json.matches("\"messages\"").count(), 1, "{}", record.json);
    let found: Value = serde_json::from_str(&record.json).unwrap();
    assert_eq!(found["messages"][0]["content"], "p");
    assert_eq!(found["id"], 1);
}

#[test]
fn a_prompt_that_stands_twice_is_refused() {
    let line = r#"{"prompt": "a", "completion": "c", "pr\u006fmpt": "b"}"#;
    assert_eq!(refused(line), (35, "`prompt`: stands twice".into()));
}

#[test]
fn lists_of_messages_are_joined() {
    let line = r#"{"prompt": [{"role":"system","content":"s"}, {"role":"user","content":"u"}],
        "completion": [ {"role":"assistant","content":"a"} ]}"#;
    assert_eq!(mapped(line)["messages"].as_array().unwrap().len(), 3);
    let record = auto(line);
    let record = one(&record);
    assert_eq!(record.field_in_line("messages[1].role"), "prompt[1].role");
    assert_eq!(record.field_in_line("messages[2].content"), "completion[0].content");
    let empty = r#"{"prompt": [], "completion": "c"}"#;
    assert_eq!(mapped(empty), json!({"messages": [{"role": "assistant", "content": "c"}]}));
}

#[test]
fn what_is_no_record_is_told_by_its_place() {
    assert_eq!(refused(r#"{"a": }"#), (6, "not JSON: expected value".into()));
    assert_eq!(refused("{\"messages\": [").1, "not JSON: EOF while parsing a list");
    assert_eq!(refused("{} {}"), (3, "not JSON: trailing characters".into()));
    assert_eq!(refused("[1]").1, "a record must be a JSON object, found an array");
    assert_eq!(refused("3").1, "a record must be a JSON object, found a number");
    assert_eq!(
        refused(r#"{"prompt": 3, "completion": "c"}"#),
        (11, "`prompt`: must be a string or a list of messages".into())
    );
    assert_eq!(refused(r#"{"prompt": "p"}"#).1, "`completion`: is missing");
    assert_eq!(refused(r#"{"prompt": "p", "completion": []}"#).1, "`completion`: has no message");
    assert_eq!(
        refused(r#"{"id": 7, "score": 1}"#).1,
        "has no key that tells a format, only `id`, `score`"
    );
    assert_eq!(refused("{}").1, "has no keys");
    assert_eq!(
        refused(r#"{"messages": [], "prompt": "", "text": "t"}"#).1,
        "has the keys of several formats: `messages` (messages), `prompt` (prompt_completion), \
         `text` (text)"
    );
}

#[test]
fn records_pass_whatever_they_hold() {
    let record = Mapping::plain(Format::Record);
    assert_eq!(one(&under(r#"{"question": 1}"#, &record)).json, r#"{"question": 1}"#);
    assert!(map_record("nope", &record).is_err());
}

fn named(format: Format, fields: Value, roles: Value) -> Mapping {
    Mapping {
        format,
        fields: serde_json::from_value(fields).unwrap(),
        roles: serde_json::from_value(roles).unwrap(),
        columns: None,
    }
}

#[test]
fn sharegpt_becomes_messages() {
    let line = r#"{"system": "s", "tools": "[{\"name\": \"f\"}]", "id": 3, "conversations": [
        {"from": "human", "value": "é", "weight": 1}, {"from": "gpt", "value": "b"},
        {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},
        {"from": "observation", "value": "2"}, {"role": "assistant", "content": "c"}]}"#;
    assert_eq!(
        mapped(line),
        json!({"messages": [
            {"role": "system", "content": "s"}, {"role": "user", "content": "é", "weight": 1},
            {"role": "assistant", "content": "b"},
            {"role": "assistant", "content": "", "tool_calls": [{"type": "function",
                "function": {"name": "f", "arguments": {"x": 1}}}]},
            {"role": "tool", "content": "2"}, {"role": "assistant", "content": "c"}],
            "tools": [{"name": "f"}], "id": 3})
    );
    let record = auto(line);
    let field = |field| one(&record).field_in_line(field).into_owned();
    assert_eq!(field("messages[0].content"), "system");
    assert_eq!(field("messages[2].role"), "conversations[1].from");
    assert_eq!(field("messages[1].content"), "conversations[0].value");
    assert_eq!(field("messages[1].content[0].type"), "conversations[0].value[0].type");
}

#[test]
fn what_is_wrong_with_sharegpt_is_told_by_its_own_fields() {
    let told = |line: &str| refused(line).1;
    assert_eq!(
        refused(r#"{"conversations": [{"from": "humn", "value": "a"}]}"#),
        (28, "`conversations[0].from`: unknown role `humn`".into())
    );
    assert_eq!(told(r#"{"conversations": []}"#), "`conversations`: is empty");
    assert_eq!(told(r#"{"conversations": "a"}"#), "`conversations`: must be a list of messages");
    assert_eq!(
        told(r#"{"conversations": [{"from": "function_call", "value": "f(1)"}]}"#),
        "`conversations[0].value`: is no function call"
    );
    assert_eq!(
        told(r#"{"conversations": [{"from": "gpt", "value": "a"}], "system": 3}"#),
        "`system`: must be a string"
    );
}

#[test]
fn alpaca_becomes_messages() {
    let line = r#"{"instruction": "Add \"these\"", "input": "1 2", "output": "3", "id": 1,
        "system": "s", "history": [["a", "b"]]}"#;
    assert_eq!(
        mapped(line),
        json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "Add \"these\"\n1 2"},
            {"role": "assistant", "content": "3"}], "id": 1})
    );
    let record = auto(line);
    let field = |field| one(&record).field_in_line(field).into_owned();
    assert_eq!(field("messages[2].content"), "history[0][1]");
    assert_eq!(field("messages[3].content"), "instruction");
    assert_eq!(field("messages[4].content"), "output");
    let bare = mapped(r#"{"instruction": "i", "input": "", "output": "o", "history": null}"#);
    assert_eq!(bare["messages"][0]["content"], "i");
    assert_eq!(refused(r#"{"instruction": "i"}"#).1, "`output`: is missing");
    assert_eq!(refused(r#"{"instruction": "i", "output": ""}"#), (31, "`output`: is empty".into()));
    assert_eq!(
        refused(r#"{"instruction": "i", "output": "o", "history": [["a"]]}"#).1,
        "`history[0]`: must be a list of two strings"
    );
}

#[test]
fn preference_pairs_are_two_conversations() {
    let pair = |line: &str| {
        let record = auto(line);
        let Mapped::Pair(pair) = &record else { panic!("{record:?}") };
        pair.each_ref().map(|c| json_of(c)["messages"].clone())
    };
    let [chosen, rejected] = pair(r#"{"prompt": "p", "chosen": "c", "rejected": "r", "id": 1}"#);
    let said = |answer: &str| json!([{"role": "user", "content": "p"}, {"role": "assistant", "content": answer}]);
    assert_eq!((chosen, rejected), (said("c"), said("r")));
    // Published sets repeat the prompt, or have none.
    let whole = format!(r#""chosen": {}, "rejected": {}"#, said("c"), said("r"));
    for prompt in [r#""prompt": "p", "#, r#""prompt": [{"role":"user","content":"p"}], "#, ""] {
        assert_eq!(pair(&format!("{{{prompt}{whole}}}")), [said("c"), said("r")]);
    }
    let other = format!(r#"{{"prompt": "q", {whole}}}"#);
    assert_eq!(refused(&other).1, "`chosen`: begins with a prompt of its own");
    assert_eq!(refused(r#"{"prompt": "p", "chosen": "c"}"#).1, "`rejected`: is missing");
    assert_eq!(refused(r#"{"chosen": "c", "rejected": "r"}"#).1, "`prompt`: is missing");
    let record =
        auto(r#"{"prompt": "p", "chosen": [{"role":"assistant","content":"c"}], "rejected": "r"}"#);
    let field = |i: usize| record.conversations()[i].field_in_line("messages[1].content");
    assert_eq!((field(0).as_ref(), field(1).as_ref()), ("chosen[0].content", "rejected"));
}

#[test]
fn texts_and_tokens_are_no_conversations() {
    let Mapped::Text(text) = auto(r#"{"text": "a\nb"}"#) else { panic!("a text") };
    assert_eq!(text.text, "a\nb");
    assert_eq!(refused(r#"{"text": ""}"#), (9, "`text`: is empty".into()));
    assert_eq!(refused(r#"{"text": 3}"#).1, "`text`: must be a string");
    let row = |line: &str| match auto(line) {
        Mapped::Tokens(row) => row,
        other => panic!("{other:?}"),
    };
    let made = row(r#"{"tokens": [5, 6, 7], "weights": [0, 0.5, 1], "logprobs": [0, -1, -2.5],
        "advantages": [0, 1, 1], "source": "x", "ids": ["a"]}"#);
    assert_eq!((made.tokens, made.weights), (vec![5, 6, 7], vec![0.0, 0.5, 1.0]));
    let columns = vec![
        ("advantages".to_owned(), vec![0.0, 1.0, 1.0]),
        ("logprobs".to_owned(), vec![0.0, -1.0, -2.5]),
    ];
    assert_eq!(made.columns, columns);
    let labelled =
        row(r#"{"input_ids": [5, 6, 7], "labels": [-100, 6, 7], "attention_mask": [1,1,1]}"#);
    assert_eq!((labelled.weights, labelled.columns.len()), (vec![0.0, 1.0, 1.0], 0));
    assert_eq!(row(r#"{"tokens": [5, 6]}"#).weights, [1.0, 1.0]);
}

#[test]
fn what_is_wrong_with_tokens_is_told_by_its_place() {
    for (line, at, message) in [
        (r#"{"tokens": [1, 2.5]}"#, 15, "`tokens[1]`: must be a whole number"),
        (r#"{"tokens": [1, -2]}"#, 15, "`tokens[1]`: -2 is no token id"),
        (r#"{"tokens": "1"}"#, 11, "`tokens`: must be a list of whole numbers"),
        (r#"{"tokens": []}"#, 11, "`tokens`: is empty"),
        (r#"{"tokens": [1, 2], "weights": [1]}"#, 30, "`weights`: has 1 values, `tokens` has 2"),
        (
            r#"{"tokens": [1, 2], "advantages": [1]}"#,
            33,
            "`advantages`: has 1 values, `tokens` has 2",
        ),
        (r#"{"tokens": [1], "weights": ["a"]}"#, 28, "`weights[0]`: must be a number"),
        (r#"{"tokens": [1], "weights": [1e99]}"#, 28, "`weights[0]`: 1e99 is too large a number"),
        (r#"{"tokens": [1, 2], "labels": [2, -100]}"#, 30, "`labels[0]`: is 2, `tokens[0]` is 1"),
        (r#"{"tokens": [1], "input_ids": [1]}"#, 29, "has `tokens` and also `input_ids`"),
        (
            r#"{"tokens": [1], "labels": [1], "weights": [1]}"#,
            26,
            "has `weights` and also `labels`",
        ),
        (
            r#"{"tokens": [1, 2], "attention_mask": [1, 0]}"#,
            41,
            "`attention_mask[1]`: is 0: the row is padded",
        ),
    ] {
        assert_eq!(refused(line), (at, message.to_owned()), "{line}");
    }
}

#[test]
fn columns_that_are_named_are_the_only_ones() {
    let columns = Some(vec!["advantages".to_owned()]);
    let mapping = Mapping { columns, ..Mapping::plain(Format::Tokens) };
    let Mapped::Tokens(row) = under(
        r#"{"tokens": [1, 2], "advantages": [0, 1], "scores": [1], "logprobs": [0, 0]}"#,
        &mapping,
    ) else {
        panic!("tokens")
    };
    assert_eq!(row.columns, [("advantages".to_owned(), vec![0.0, 1.0])]);
    let told = refused_as(r#"{"tokens": [1, 2], "scores": [1]}"#, &mapping);
    assert_eq!(told, (0, "`advantages`: is missing".into()));
}

#[test]
fn fields_and_roles_have_the_names_of_the_dataset() {
    let mapping = named(
        Format::Auto,
        json!({"messages": "conv", "role": "who", "content": "said", "tools": "functions"}),
        json!({"client": "user", "agent": "assistant"}),
    );
    let line = r#"{"functions": [1], "tools": 7, "conv": [{"who": "client", "said": "a", "role": "x"},
        {"said": [{"type": "text", "text": "b"}], "who": "agent"}]}"#;
    let record = under(line, &mapping);
    assert_eq!(
        json_of(one(&record)),
        json!({"messages": [{"role": "user", "content": "a"},
            {"content": [{"type": "text", "text": "b"}], "role": "assistant"}], "tools": [1]})
    );
    let field = |field| one(&record).field_in_line(field).into_owned();
    assert_eq!(field("messages[1].content[0].text"), "conv[1].said[0].text");
    assert_eq!(field("messages[0].role"), "conv[0].who");
    assert_eq!((field("tools"), field("messages")), ("functions".into(), "conv".into()));
    let asked =
        named(Format::Auto, json!({"prompt": "question", "completion": "answer"}), json!({}));
    let pair = under(r#"{"question": "q", "answer": "a", "prompt": "left alone"}"#, &asked);
    assert_eq!(json_of(one(&pair))["messages"][1]["content"], "a");
    assert_eq!(one(&pair).field_in_line("messages[0].content"), "question");
    // The roles of a pair's lists are mapped as well.
    let roles = named(Format::Auto, json!({}), json!({"human": "user"}));
    let line = r#"{"prompt": [{"role": "human", "content": "q"}], "completion": "a"}"#;
    assert_eq!(json_of(one(&under(line, &roles)))["messages"][0]["role"], "user");
}

/// The hint says what to write, of what was written.
#[test]
fn narrow_misses_get_hints() {
    let hint = |line: &str, format: Format| {
        map_record(line, &Mapping::plain(format)).unwrap_err().1.hint.unwrap()
    };
    for (line, format, expected) in [
        (r#"{"mesages": []}"#, Format::Auto, "`mesages`: did you mean `messages`?"),
        (r#"{"conversation": []}"#, Format::Auto, "`conversation`: did you mean `conversations`?"),
        (r#"{"Messages": []}"#, Format::Messages, "`Messages`: did you mean `messages`?"),
        (
            r#"{"prompt": "p", "complation": "c"}"#,
            Format::Auto,
            "`complation`: did you mean `completion`?",
        ),
        (
            r#"{"question": "q", "answer": "a"}"#,
            Format::Auto,
            "`fields: {prompt: question}` of the dataset reads that key as `prompt`",
        ),
    ] {
        assert_eq!(hint(line, format), expected, "{line}");
    }
    assert!(near::role("human").starts_with("`roles: {human: user}` of the dataset maps it"));
    assert_eq!(
        near::role("assitant"),
        "did you mean `assistant`? known are system, user, assistant, tool"
    );
    assert!(near::role("narrator").starts_with("use one of system"));
}

/// Messages of any text, in any order of keys.
fn messages() -> impl Strategy<Value = Vec<(bool, String)>> {
    prop::collection::vec((any::<bool>(), any::<String>()), 1..6)
}

proptest! {
    #[test]
    fn any_text_is_mapped_or_refused_within_itself(line in "\\PC{0,60}") {
        if let Err((at, _)) = map_record(&line, &Mapping::plain(Format::Auto)) {
            prop_assert!(line.is_char_boundary(at));
        }
    }

    /// Any record under any format: an answer, and what is answered is JSON of messages.
    #[test]
    fn any_record_is_mapped_to_json_or_refused(
        members in prop::collection::vec((
            prop::sample::select(vec!["messages", "conversations", "prompt", "completion", "chosen",
                "rejected", "instruction", "input", "output", "history", "system", "text", "tokens",
                "input_ids", "weights", "labels", "tools", "x"]),
            prop::sample::select(vec!["\"a\"", "\"\"", "null", "3", "[]", "{}", "[1, 2]", "[0.5, 1]",
                "[-100, 2]", "[{\"role\": \"user\", \"content\": \"q\"}]",
                "[{\"from\": \"human\", \"value\": \"q\"}, {\"value\": 3}]", "[[\"a\", \"b\"]]",
                "[{\"from\": \"function_call\"}]", "[\"a\", 3]"]),
        ), 0..6),
        format in prop::sample::select(vec![Format::Auto, Format::Messages, Format::PromptCompletion,
            Format::Sharegpt, Format::Alpaca, Format::Preference, Format::Text, Format::Tokens]),
        renamed: bool,
    ) {
        let members: Vec<String> = members.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
        let line = format!("{{{}}}", members.join(", "));
        let mapping = match renamed {
            true => named(format, json!({"messages": "x", "role": "from"}), json!({"human": "user"})),
            false => Mapping::plain(format),
        };
        match map_record(&line, &mapping) {
            Ok(record) => for conversation in record.conversations() {
                prop_assert!(serde_json::from_str::<Value>(&conversation.json).is_ok(),
                    "{} of {}", conversation.json, line);
            },
            Err((at, e)) => {
                prop_assert!(line.is_char_boundary(at));
                prop_assert!(e.hint.is_some(), "{}: {}", line, e);
            }
        }
    }

    #[test]
    fn any_pair_gives_its_texts(p in any::<String>(), c in any::<String>()) {
        let line = json!({"prompt": p, "completion": c}).to_string();
        let found = mapped(&line);
        prop_assert_eq!(&found["messages"][0]["content"], &json!(p));
        prop_assert_eq!(&found["messages"][1]["content"], &json!(c));
    }

    /// There and back: what messages become in another format is mapped to the messages again.
    #[test]
    fn any_conversation_comes_back_from_each_format(said in messages(), keys_turned: bool) {
        let spoken = |role: &str, content: &str, user: &str, assistant: &str| -> Vec<Value> {
            said.iter().map(|(asks, text)| {
                let who = if *asks { user } else { assistant };
                if keys_turned { json!({content: text, role: who}) } else { json!({role: who, content: text}) }
            }).collect()
        };
        let expected: Vec<(String, String)> = said.iter()
            .map(|(asks, text)| ((if *asks { "user" } else { "assistant" }).to_owned(), text.clone()))
            .collect();
        let back = |value: &Value| -> Vec<(String, String)> {
            value["messages"].as_array().unwrap().iter()
                .map(|m| (m["role"].as_str().unwrap().to_owned(), m["content"].as_str().unwrap().to_owned()))
                .collect()
        };
        let sharegpt = json!({"conversations": spoken("from", "value", "human", "gpt")}).to_string();
        prop_assert_eq!(&back(&mapped(&sharegpt)), &expected);
        let other = json!({"c": spoken("r", "t", "U", "A"), "messages": 3}).to_string();
        let mapping = named(Format::Messages, json!({"messages": "c", "role": "r", "content": "t"}),
            json!({"U": "user", "A": "assistant"}));
        prop_assert_eq!(&back(&json_of(one(&under(&other, &mapping)))), &expected);
        let plain = json!({"messages": spoken("role", "content", "user", "assistant")}).to_string();
        prop_assert_eq!(&back(&mapped(&plain)), &expected);
    }

    #[test]
    fn any_alpaca_gives_its_texts(texts in prop::array::uniform3("\\PC{1,20}")) {
        let [i, n, o] = &texts;
        let line = json!({"instruction": i, "input": n, "output": o}).to_string();
        let found = mapped(&line);
        prop_assert_eq!(&found["messages"][0]["content"], &json!(format!("{i}\n{n}")));
        prop_assert_eq!(&found["messages"][1]["content"], &json!(o));
    }

    #[test]
    fn any_tokens_come_as_they_are(row in prop::collection::vec((0_i32..1000, -4_f32..4.0), 1..20)) {
        let (tokens, values): (Vec<i32>, Vec<f32>) = row.into_iter().unzip();
        let line = json!({"input_ids": tokens, "weights": values, "advantages": values}).to_string();
        let Mapped::Tokens(found) = auto(&line) else { panic!("tokens") };
        prop_assert_eq!(&found.tokens, &tokens);
        prop_assert_eq!(&found.weights, &values);
        prop_assert_eq!(&found.columns[0].1, &values);
    }
}
