//! Every renderer against tinker-cookbook: tokens and weights of all modes, split examples, generation
//! prompts, stop sequences, parsed answers and refusals.
//!
//! `tests/conformance/chat/make_sample.py` makes the rows and says what they look like.
//! `TINSMITH_CHAT_FAMILIES` names another folder of such rows, such as those of the real tokenizers.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "golden_families/exceptions.rs"]
mod exceptions;

use exceptions::{EXCEPTIONS, Exception, FOREIGN, TWO_STOPS, What, like};
use serde_json::{Map, Value, json};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
};
use tinsmith_plugin_api::{RendererHandle, Services, abi};

/// What one side makes of a row: examples, prompts or messages, or why it refuses.
type Made = Result<Value, String>;

/// The rows of one renderer.
struct Golden {
    name: String,
    /// The name of its file: a renderer may have one for each of several tokenizers.
    file: String,
    head: Value,
    rows: Vec<Value>,
    services: Services,
    /// What was built so far, by mode and split.
    built: RefCell<BTreeMap<[String; 2], Built>>,
}

type Built = Result<Arc<dyn RendererHandle>, String>;

/// Names the folder of other rows.
const ELSEWHERE: &str = "TINSMITH_CHAT_FAMILIES";

/// What was compared.
#[derive(Default)]
struct Tally {
    /// By file and sort: equal, refused by both, explained (what differs, what is refused here, what is
    /// refused there), and not explained. `tests/conformance/chat/summary.py` reads them.
    counts: BTreeMap<(String, &'static str), [usize; 6]>,
    /// Exceptions of which there are rows, and those that explained one.
    met: BTreeSet<usize>,
    excepted: BTreeSet<usize>,
    differences: Vec<String>,
}

impl Tally {
    fn add(&mut self, golden: &Golden, row: &str, what: &str, theirs: &Made, ours: &Made) {
        let renderer = golden.name.as_str();
        let sort = match what {
            "answer" => "answers",
            _ if what.starts_with("prompt") => "prompts",
            _ if what.ends_with("split") => "splits",
            _ => "examples",
        };
        let whole = format!("{row}, {what}");
        let of = |exception: &Exception| {
            like(exception.renderers, renderer)
                && (like(exception.rows, row) || like(exception.rows, &whole))
        };
        self.met.extend((0..EXCEPTIONS.len()).filter(|i| of(&EXCEPTIONS[*i])));
        let counts = self.counts.entry((golden.file.clone(), sort)).or_default();
        let kind = match (theirs, ours) {
            (Ok(theirs), Ok(ours)) if theirs == ours => {
                counts[0] += 1;
                return;
            }
            (Err(_), Err(_)) => {
                counts[1] += 1;
                return;
            }
            (Ok(_), Ok(_)) => What::Differs,
            (Err(_), Ok(_)) => What::Accepted,
            (Ok(_), Err(_)) => What::Refused,
        };
        let two = what != "answer" || matches!(theirs, Err(why) if why.contains(TWO_STOPS));
        let fits = |e: &Exception| e.what == kind && (e.what != What::Accepted || two);
        let found = EXCEPTIONS.iter().position(|exception| fits(exception) && of(exception));
        if let Some(exception) = found {
            counts[match kind {
                What::Differs => 2,
                What::Refused => 3,
                What::Accepted => 4,
            }] += 1;
            self.excepted.insert(exception);
            return;
        }
        counts[5] += 1;
        let show = |made: &Made| match made {
            Ok(value) => value.to_string().chars().take(600).collect(),
            Err(why) => format!("refused: {why}"),
        };
        self.differences.push(format!(
            "{renderer}: {row}: {what}: {kind:?}\n  cookbook {}\n  here     {}",
            show(theirs),
            show(ours)
        ));
    }
}

fn folder() -> PathBuf {
    match std::env::var_os(ELSEWHERE) {
        Some(folder) => folder.into(),
        None => common::fixtures().join("golden"),
    }
}

fn lines(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The conversations by their ids.
fn talks() -> BTreeMap<String, Value> {
    let id = |talk: &Value| talk["id"].as_str().unwrap().to_owned();
    lines("talks.jsonl").into_iter().map(|talk| (id(&talk), talk)).collect()
}

fn goldens() -> Vec<Golden> {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".jsonl") && name != "talks.jsonl");
    names.sort();
    names
        .into_iter()
        .map(|file| {
            let mut rows = lines(&file);
            let head = rows.remove(0);
            let tokenizer = folder().join(head["tokenizer"].as_str().unwrap());
            let (bos, eos) = (head["bos"].as_str(), head["eos"].as_str());
            let services = common::services(&tokenizer, bos, eos, None);
            let (name, built) = (head["renderer"].as_str().unwrap().into(), RefCell::default());
            let file = file.trim_end_matches(".jsonl").to_owned();
            Golden { name, file, head, rows, services, built }
        })
        .collect()
}

/// The plugin as a host finds it. Naming a type of the crate links it.
fn plugin() -> abi::Plugin {
    let _: Option<tinsmith_chat::TrainOn> = None;
    let chat = abi::linked().map(|handshake| abi::admit(handshake).unwrap());
    chat.into_iter().find(|plugin| plugin.id() == "chat").unwrap()
}

fn registered() -> BTreeSet<String> {
    plugin().provides().into_iter().map(|item| item.name).collect()
}

impl Golden {
    fn build(&self, mode: &str, split: &str) -> Built {
        let key = [mode.to_owned(), split.to_owned()];
        let mut built = self.built.borrow_mut();
        built.entry(key).or_insert_with(|| self.make(mode, split)).clone()
    }

    /// The renderer with these settings, of those that it has.
    fn make(&self, mode: &str, split: &str) -> Built {
        let plugin = plugin();
        let about = plugin.describe(abi::Kind::Renderer, &self.name).unwrap();
        let mut config = Map::new();
        let date = self.head["current_date"].as_str().unwrap();
        for (key, value) in [("train_on", mode), ("split", split), ("current_date", date)] {
            if about.config_schema["properties"].get(key).is_some() {
                config.insert(key.into(), value.into());
            }
        }
        plugin.renderer(&self.name, &config, &self.services).map_err(|e| e.to_string())
    }

    /// The examples that it makes of a record: tokens and weights.
    fn render(&self, mode: &str, split: &str, record: &Value) -> Made {
        let out = self.build(mode, split)?.render_batch(&[&record.to_string()]).unwrap();
        if let Some(refused) = out.errors.first() {
            return Err(refused.error.to_string());
        }
        let example = |i| json!([out.tokens[out.range(i)], out.weights[out.range(i)]]);
        Ok((0..out.len()).map(example).collect())
    }

    fn examples(&self, row: &Value, talk: &Value, tally: &mut Tally) {
        let id = row["id"].as_str().unwrap();
        for (i, mode) in self.head["modes"].as_array().unwrap().iter().enumerate() {
            let mode = mode.as_str().unwrap();
            let record = record(talk, mode == "customized", usize::MAX);
            let theirs = match row["weights"][i].as_str() {
                Some(runs) => Ok(json!([example(&row["tokens"], runs)])),
                None => Err(reason(&row["refused"], mode)),
            };
            let ours = self.render(mode, "never", &record);
            tally.add(self, id, mode, &untrained(&theirs, &ours), &ours);
            if i >= 3 {
                continue;
            }
            let theirs = match &row["split"][i] {
                Value::Null => Err(reason(&row["refused"], mode)),
                Value::String(_) => theirs,
                split => Ok(split
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|made| example(&joined(row, &made[0]), made[1].as_str().unwrap()))
                    .collect()),
            };
            let ours = self.render(mode, "auto", &record);
            let what = format!("{mode}, split");
            tally.add(self, id, &what, &untrained(&theirs, &ours), &ours);
        }
    }

    fn prompt(&self, row: &Value, before: &Value, talk: &Value, tally: &mut Tally) {
        let count = row["prompt_of"].as_u64().unwrap() as usize;
        let shown = record(talk, false, count);
        let shown = if shown.get("tools").is_some() { shown } else { shown["messages"].clone() };
        let theirs = match row.get("tokens") {
            Some(tokens) => Ok(joined(before, tokens)),
            None => Err(reason(&row["refused"], "")),
        };
        let ours = self.build("all_assistant_messages", "never").and_then(|renderer| {
            renderer.generation_prompt(&shown).map(|made| json!(made)).map_err(|e| e.to_string())
        });
        let what = format!("prompt of {count}");
        tally.add(self, row["id"].as_str().unwrap(), &what, &theirs, &ours);
    }

    fn answer(&self, row: &Value, tally: &mut Tally) {
        let tokens: Vec<i32> = serde_json::from_value(row["response"].clone()).unwrap();
        let theirs = match row.get("message") {
            Some(message) => Ok(json!([message, row["termination"]])),
            None => Err(reason(&row["refused"], "")),
        };
        let renderer = self.build("all_assistant_messages", "never").unwrap();
        let ours = renderer.parse_response(&tokens).map_err(|e| e.to_string()).map(|parsed| {
            let mut message = parsed.message;
            // What is wrong with a call is told in other words.
            if let Some(calls) = message.get_mut("unparsed_tool_calls") {
                *calls = calls.as_array().unwrap().iter().map(|c| c["raw_text"].clone()).collect();
            }
            let termination = match json!(parsed.termination).as_str().unwrap() {
                "stop" => json!("stop_sequence"),
                other => json!(other),
            };
            json!([message, termination])
        });
        let text = self.services.decode(&tokens).unwrap();
        tally.add(self, &text, "answer", &theirs, &ours);
    }
}

/// A record of the first `count` messages of a conversation.
fn record(talk: &Value, customized: bool, count: usize) -> Value {
    let mut messages = talk["messages"].as_array().unwrap().clone();
    messages.truncate(count);
    if customized {
        for (i, message) in messages.iter_mut().enumerate() {
            message["trainable"] = json!(message["role"] == "assistant" || i % 3 == 0);
        }
    }
    let mut record = json!({ "messages": messages });
    if let Some(tools) = talk.get("tools") {
        record["tools"] = tools.clone();
    }
    record
}

/// Tokens that are told as what they share with the example of `row`, and the rest.
fn joined(row: &Value, tokens: &Value) -> Value {
    let shared = tokens[0].as_u64().unwrap() as usize;
    let base = row["tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
    base[..shared].iter().chain(tokens[1].as_array().unwrap()).cloned().collect()
}

/// Tokens and their weights.
fn example(tokens: &Value, runs: &str) -> Value {
    let mut weights = vec![0.0_f32; tokens.as_array().unwrap().len()];
    for run in runs.split(',').filter(|run| !run.is_empty()) {
        let (from, to) = run.split_once('-').unwrap();
        weights[from.parse().unwrap()..to.parse().unwrap()].fill(1.0);
    }
    json!([tokens, weights])
}

/// Why the cookbook refuses in a mode.
fn reason(refused: &Value, mode: &str) -> String {
    refused.as_str().or(refused[mode].as_str()).unwrap_or("no reason").to_owned()
}

/// The cookbook returns examples that train nothing, and lists of none. Here a record of which nothing is
/// trained is refused, and what is split holds only examples that train something.
fn untrained(theirs: &Made, ours: &Made) -> Made {
    let Ok(examples) = theirs else { return theirs.clone() };
    let trains = |example: &&Value| example[1].as_array().unwrap().iter().any(|w| *w != json!(0.0));
    let all = examples.as_array().unwrap();
    let trained: Vec<&Value> = all.iter().filter(trains).collect();
    match ours {
        Err(_) if trained.is_empty() => Err("trains nothing".into()),
        Ok(_) if all.len() > 1 && !trained.is_empty() => Ok(json!(trained)),
        _ => theirs.clone(),
    }
}

#[test]
fn every_renderer_equals_the_cookbook() {
    let (talks, registered) = (talks(), registered());
    let mut tally = Tally::default();
    for golden in goldens() {
        assert!(registered.contains(&golden.name), "no renderer `{}`", golden.name);
        let mut before = &Value::Null;
        for row in &golden.rows {
            let talk = row["id"].as_str().map(|id| &talks[id]);
            match talk {
                Some(talk) if row.get("prompt_of").is_some() => {
                    golden.prompt(row, before, talk, &mut tally);
                }
                Some(talk) => {
                    before = row;
                    golden.examples(row, talk, &mut tally);
                }
                None => golden.answer(row, &mut tally),
            }
        }
    }
    for ((file, sort), counts) in &tally.counts {
        let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
        println!("tally {file} {sort} {}", counts.join(" "));
    }
    let shown = tally.differences.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(tally.differences.is_empty(), "{} differences:\n{shown}", tally.differences.len());
    let published = std::env::var_os(ELSEWHERE).is_some();
    for i in &tally.met {
        let Exception { rows, why, .. } = EXCEPTIONS[*i];
        let nothing_to_explain = published && rows == FOREIGN;
        assert!(nothing_to_explain || tally.excepted.contains(i), "explains nothing: {why}");
    }
}

#[test]
fn stop_sequences_equal_the_cookbook() {
    for golden in goldens() {
        let stop = golden.build("all_assistant_messages", "never").unwrap().stop().unwrap();
        let made = if stop.tokens.is_empty() { json!(stop.strings) } else { json!(stop.tokens) };
        assert_eq!(made, golden.head["stop"], "{}", golden.name);
    }
}
