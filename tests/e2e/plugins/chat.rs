//! The built-in renderers, linked and loaded: the same tokens, prompts, stops, answers and refusals.

use super::support::{Home, section};
use serde_json::json;
use tinsmith_plugin_api::testing::{ByteTokenizer, MemoryServices};

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n\
    {{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n\
    {% endif %}";

#[test]
fn the_built_in_renderers_render_alike() {
    let control = ["<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>"];
    let header = ["<|start_header_id|>", "<|end_header_id|>"];
    let tokens = control.iter().chain(&header);
    let tokenizer = tokens.fold(ByteTokenizer::default(), |t, token| t.with_token(token));
    let tokenizer = tokenizer.with_chat_template(TEMPLATE);
    let services = MemoryServices::new().with_tokenizer(tokenizer).services();

    let talk = json!([{"role": "system", "content": "brief <|im_end|>"},
        {"role": "user", "content": "ünï 😀?"}, {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "sure?"}, {"role": "assistant", "content": "\nno"}]);
    let records = [
        json!({ "messages": talk }).to_string(),
        r#"{"prompt": "q", "completion": "a"}"#.to_owned(),
        r#"{"messages": [{"role": "user", "content": 3}]}"#.to_owned(),
        "not json".to_owned(),
    ];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let home = Home::new();
    let [(_, linked), (_, loaded)] = home.both(&["tinsmith_chat"]);
    for name in ["role_colon", "llama3", "chatml", "template"] {
        for mode in ["all_assistant_messages", "last_assistant_message", "all_tokens"] {
            let config = section(json!({ "train_on": mode }));
            let [a, b] = [&linked, &loaded]
                .map(|registry| registry.renderer(name, &config, services.clone()).unwrap());
            let rendered = a.render_batch(&records).unwrap();
            assert_eq!((rendered.len(), rendered.errors.len()), (2, 2), "{name}");
            assert_eq!(rendered, b.render_batch(&records).unwrap(), "{name}");
            assert_eq!(a.stop().unwrap(), b.stop().unwrap(), "{name}");
            assert_eq!(a.generation_prompt(&talk), b.generation_prompt(&talk), "{name}");
            let answer = &rendered.tokens[..rendered.offsets[1] as usize];
            assert_eq!(a.parse_response(answer), b.parse_response(answer), "{name}");
        }
    }
}
