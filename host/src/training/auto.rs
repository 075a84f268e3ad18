//! What `renderer: auto` stands for.
//!
//! The name of the base model decides where it says enough, else the chat template of its tokenizer:
//! folders have any name, and fine-tuned models keep the template of their base. A template that
//! nobody here knows is rendered as it is; without one, the model is taken for a base model.

/// A renderer, and what the text looks like that it is for: every word of `has`, no word of `lacks`,
/// all in lower case.
struct Known {
    renderer: &'static str,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

/// By the name of the base model, which begins with the first word. Makers' own models alone: others
/// who write `llama-3` into a name may have given the model another format. The first match counts.
const NAMES: [Known; 13] = [
    Known { renderer: "role_colon", has: &["qwen/qwen3", "-base"], lacks: &[] },
    Known { renderer: "role_colon", has: &["deepseek-ai/deepseek-v3.1-base"], lacks: &[] },
    Known { renderer: "llama3", has: &["meta-llama/llama-3", "-instruct"], lacks: &[] },
    Known { renderer: "role_colon", has: &["meta-llama/llama-3"], lacks: &["guard"] },
    Known { renderer: "qwen3_instruct", has: &["qwen/qwen3-", "-instruct-2507"], lacks: &[] },
    Known { renderer: "qwen3_5", has: &["qwen/qwen3.5-"], lacks: &[] },
    Known { renderer: "qwen3_5", has: &["qwen/qwen3.6-"], lacks: &[] },
    Known {
        renderer: "qwen3",
        has: &["qwen/qwen3-"],
        lacks: &["-vl-", "-2507", "-coder", "-next", "-omni", "-embedding", "-reranker", "guard"],
    },
    Known { renderer: "deepseekv3", has: &["deepseek-ai/deepseek-v3.1"], lacks: &["-terminus"] },
    Known { renderer: "gpt_oss_no_sysprompt", has: &["openai/gpt-oss-"], lacks: &["safeguard"] },
    Known { renderer: "kimi_k2", has: &["moonshotai/kimi-k2-thinking"], lacks: &[] },
    Known { renderer: "gemma3", has: &["google/gemma-3-", "-it"], lacks: &[] },
    Known { renderer: "smollm2", has: &["huggingfacetb/smollm2-", "-instruct"], lacks: &[] },
];

/// By what a chat template says.
const TEMPLATES: [Known; 9] = [
    Known {
        renderer: "qwen3_5",
        has: &["<|im_start|>", "enable_thinking", "<function=example_function_name>"],
        lacks: &["reasoning_effort", "truncate_history_thinking"],
    },
    Known {
        renderer: "qwen3",
        has: &["<|im_start|>", "enable_thinking", "last_query_index", "<function-name>"],
        lacks: &[],
    },
    Known {
        renderer: "qwen3_instruct",
        has: &["<|im_start|>", "<function-name>", "<tool_response>"],
        lacks: &["enable_thinking", "<think>", "you are qwen", "you are a helpful", "vision"],
    },
    Known {
        renderer: "llama3",
        has: &["<|start_header_id|>", "<|eot_id|>", "<|end_header_id|>"],
        lacks: &["<think>", "<|image|>"],
    },
    Known {
        renderer: "deepseekv3",
        has: &["<｜assistant｜>", "<｜tool▁sep｜>", "not thinking is defined"],
        lacks: &["dsml"],
    },
    Known {
        renderer: "gpt_oss_no_sysprompt",
        has: &["<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"],
        lacks: &[],
    },
    Known {
        renderer: "kimi_k2",
        has: &["<|im_middle|>", "<|tool_calls_section_begin|>", "<think>"],
        lacks: &["<|media_begin|>", "thinking is defined"],
    },
    Known {
        renderer: "gemma3",
        has: &["<start_of_turn>", "<end_of_turn>", "first_user_prefix"],
        lacks: &[],
    },
    Known { renderer: "smollm2", has: &["<|im_start|>", "named smollm, trained by"], lacks: &[] },
];

/// The renderer for a base model, by its name (`org/name`, or a folder) and the chat template of its
/// tokenizer.
pub fn renderer(base_model: &str, template: Option<&str>) -> &'static str {
    let name = base_model.split(':').next().unwrap_or(base_model).to_lowercase();
    let begins = |known: &&Known| known.has.first().is_some_and(|word| name.starts_with(word));
    let by_name = NAMES.iter().filter(begins).find(|known| known.fits(&name));
    let by_template = || {
        let template = template?.to_lowercase();
        TEMPLATES.iter().find(|known| known.fits(&template))
    };
    match (by_name.or_else(by_template), template) {
        (Some(known), _) => known.renderer,
        (None, Some(_)) => "template",
        (None, None) => "role_colon",
    }
}

impl Known {
    fn fits(&self, text: &str) -> bool {
        self.has.iter().all(|word| text.contains(word))
            && !self.lacks.iter().any(|word| text.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: what tinker-cookbook 0.6.1 recommends first for its models. Gemma and SmolLM
    /// are not among them.
    #[test]
    fn models_are_known_by_name() {
        let rows = [
            ("meta-llama/Llama-3.1-8B-Instruct", "llama3"),
            ("meta-llama/Llama-3.3-70B-Instruct", "llama3"),
            ("meta-llama/Llama-3.2-1B", "role_colon"),
            ("meta-llama/Llama-3.1-70B", "role_colon"),
            ("Qwen/Qwen3-8B", "qwen3"),
            ("Qwen/Qwen3-30B-A3B", "qwen3"),
            ("Qwen/Qwen3-8B:peft:262144", "qwen3"),
            ("Qwen/Qwen3-4B-Instruct-2507", "qwen3_instruct"),
            ("Qwen/Qwen3-235B-A22B-Instruct-2507", "qwen3_instruct"),
            ("Qwen/Qwen3-8B-Base", "role_colon"),
            ("Qwen/Qwen3.5-35B-A3B-Base", "role_colon"),
            ("Qwen/Qwen3.5-4B", "qwen3_5"),
            ("Qwen/Qwen3.6-27B", "qwen3_5"),
            ("deepseek-ai/DeepSeek-V3.1", "deepseekv3"),
            ("deepseek-ai/DeepSeek-V3.1-Base", "role_colon"),
            ("openai/gpt-oss-20b", "gpt_oss_no_sysprompt"),
            ("moonshotai/Kimi-K2-Thinking", "kimi_k2"),
            ("google/gemma-3-4b-it", "gemma3"),
            ("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2"),
        ];
        for (model, expected) in rows {
            assert_eq!(renderer(model, None), expected, "{model}");
            assert_eq!(renderer(model, Some("{{ messages }}")), expected, "{model}");
        }
    }

    #[test]
    fn other_models_are_known_by_their_template_if_at_all() {
        let qwen3 = include_str!("../../../tests/fixtures/chat/templates/qwen3.jinja");
        assert_eq!(renderer("./base", Some(qwen3)), "qwen3");
        for model in [
            "./base",
            "../qwen3-base",
            "/models/Qwen3-8B-Base",
            "my-base",
            "Qwen/Qwen3-VL-8B-Instruct",
            "Qwen/Qwen3.8-27B",
            "Qwen/Qwen2.5-7B",
        ] {
            let other = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}";
            assert_eq!(renderer(model, Some(other)), "template", "{model}");
            assert_eq!(renderer(model, None), "role_colon", "{model}");
        }
    }
}
