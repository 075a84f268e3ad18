//! Tokenizers and renderers, built once.

use crate::scenario::Scenario;
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    fs,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tinsmith::{services::ServicesBuilder, tokenizer::Tokenizer};
use tinsmith_plugin_api::{RendererHandle, Services, abi};

/// A renderer and the tokenizer that it is tried with.
#[derive(Debug)]
pub struct Family {
    /// Its name in a config.
    pub name: &'static str,
    bos: Option<&'static str>,
    eos: &'static str,
    template: Option<&'static str>,
}

const fn family(name: &'static str, bos: Option<&'static str>, eos: &'static str) -> Family {
    Family { name, bos, eos, template: None }
}

const fn template(text: &'static str) -> Family {
    let bos = Some("<|begin_of_text|>");
    Family { name: "template", bos, eos: "<|im_end|>", template: Some(text) }
}

macro_rules! jinja {
    ($name:literal) => {
        template(include_str!(concat!("../../fixtures/chat/templates/", $name, ".jinja")))
    };
}

const DEEPSEEK: (Option<&str>, &str) = (Some("<｜begin▁of▁sentence｜>"), "<｜end▁of▁sentence｜>");
const GPT_OSS: (Option<&str>, &str) = (Some("<|startoftext|>"), "<|return|>");

/// Every built-in renderer, `template` with the templates of the fixtures.
pub const FAMILIES: [Family; 23] = [
    family("chatml", None, "<|im_end|>"),
    family("role_colon", Some("<|begin_of_text|>"), "<|end_of_text|>"),
    family("llama3", Some("<|begin_of_text|>"), "<|eot_id|>"),
    family("qwen3", None, "<|im_end|>"),
    family("qwen3_disable_thinking", None, "<|im_end|>"),
    family("qwen3_instruct", None, "<|im_end|>"),
    family("deepseekv3", DEEPSEEK.0, DEEPSEEK.1),
    family("deepseekv3_thinking", DEEPSEEK.0, DEEPSEEK.1),
    family("qwen3_5", None, "<|im_end|>"),
    family("qwen3_5_disable_thinking", None, "<|im_end|>"),
    family("qwen3_5_preserve_thinking", None, "<|im_end|>"),
    family("gpt_oss_no_sysprompt", GPT_OSS.0, GPT_OSS.1),
    family("gpt_oss_low_reasoning", GPT_OSS.0, GPT_OSS.1),
    family("gpt_oss_medium_reasoning", GPT_OSS.0, GPT_OSS.1),
    family("gpt_oss_high_reasoning", GPT_OSS.0, GPT_OSS.1),
    family("kimi_k2", Some("[BOS]"), "[EOS]"),
    family("gemma3", Some("<bos>"), "<eos>"),
    family("smollm2", None, "<|im_end|>"),
    jinja!("qwen3"),
    jinja!("deepseek_v3"),
    jinja!("merging"),
    jinja!("marked"),
    jinja!("bare"),
];

const TOKENIZER: &str = include_str!("../../fixtures/chat/golden/tokenizer.json");

/// What a scenario needs.
#[derive(Clone)]
pub struct Tools {
    /// The tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// The same, as plugins see it.
    pub services: Services,
    /// The renderer.
    pub renderer: Arc<dyn RendererHandle>,
}

impl Tools {
    /// None for settings that the renderer refuses.
    pub fn of(scenario: &Scenario) -> Option<Self> {
        type Built = HashMap<(usize, &'static str, &'static str), Option<Tools>>;
        static BUILT: OnceLock<Mutex<Built>> = OnceLock::new();
        let mut built =
            BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let key = (scenario.family, scenario.train_on, scenario.split);
        built.entry(key).or_insert_with(|| build(key.0, key.1, key.2)).clone()
    }
}

fn build(index: usize, train_on: &str, split: &str) -> Option<Tools> {
    let family = &FAMILIES[index];
    let tokenizer = tokenizer(family);
    let services = ServicesBuilder::new().tokenizer(Arc::clone(&tokenizer)).threads(1).build();
    let plugins = abi::linked()
        .map(|handshake| abi::admit(handshake).unwrap_or_else(|e| panic!("a built-in plugin: {e}")))
        .collect::<Vec<_>>();
    let chat = plugins
        .iter()
        .find(|plugin| plugin.id() == "chat")
        .unwrap_or_else(|| panic!("the chat plugin is linked"));
    let about = chat
        .describe(abi::Kind::Renderer, family.name)
        .unwrap_or_else(|e| panic!("`{}`: {e}", family.name));
    let mut config = Map::new();
    for (key, value) in [("train_on", train_on), ("split", split), ("current_date", "2026-01-31")] {
        if about.config_schema["properties"].get(key).is_some() {
            config.insert(key.into(), value.into());
        }
    }
    match chat.renderer(family.name, &config, &services) {
        Ok(renderer) => Some(Tools { tokenizer, services, renderer }),
        Err(e) => {
            let kind = e.kind();
            assert_eq!(kind, tinsmith_plugin_api::ErrorKind::CONFIG, "`{}`: {e}", family.name);
            None
        }
    }
}

/// The tokenizer of the fixtures under the names that a family expects.
fn tokenizer(family: &Family) -> Arc<Tokenizer> {
    let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("a folder: {e}"));
    let config: Value = json!({
        "bos_token": family.bos, "eos_token": family.eos, "chat_template": family.template,
    });
    for (name, text) in
        [("tokenizer.json", TOKENIZER), ("tokenizer_config.json", &config.to_string())]
    {
        fs::write(dir.path().join(name), text).unwrap_or_else(|e| panic!("write `{name}`: {e}"));
    }
    Tokenizer::load(dir.path()).unwrap_or_else(|e| panic!("the tokenizer of the fixtures: {e}"))
}
