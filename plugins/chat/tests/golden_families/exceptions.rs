//! What golden_families.rs lets pass, and why.

/// Where these renderers are meant to do otherwise (`docs/decisions/0007-where-renderers-differ.md`).
/// One whose rows are there and that explains nothing fails the test.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        renderers: &["role_colon", "llama3", "qwen3_5*", "deepseekv3*", "gpt_oss*", "kimi_k2"],
        rows: &["control_*", "think_with_control", "tool_with_control"],
        what: What::Differs,
        why: "control tokens in texts stay text: nobody can end a turn by writing about it",
    },
    Exception {
        renderers: &["qwen3", "qwen3_disable_thinking", "qwen3_instruct"],
        rows: FOREIGN,
        what: What::Differs,
        why: "the same; the cookbook leaves text what the file flags, and these it does not flag",
    },
    Exception {
        renderers: &["*"],
        rows: &["text_parts*", "parts_with_spaces", "tools_unused_system_parts", "tool_parts"],
        what: What::Accepted,
        why: "several text parts are one text; the cookbook takes lists of one only",
    },
    Exception {
        renderers: &["*"],
        rows: &["empty_*", "no_parts*", "no_messages"],
        what: What::Refused,
        why: "nothing was said: such a row is a fault of the file",
    },
    Exception {
        renderers: &["*"],
        rows: &["developer", "unknown_role"],
        what: What::Refused,
        why: "a role that no model was trained on, or a word misspelt",
    },
    Exception {
        renderers: &["*"],
        rows: &["unknown_part", "image_part", "think_in_users_parts"],
        what: What::Refused,
        why: "the cookbook leaves such parts out without a word",
    },
    Exception {
        renderers: &["*"],
        rows: &["call_by_user"],
        what: What::Refused,
        why: "only assistants call tools",
    },
    Exception {
        renderers: &["role_colon", "llama3"],
        rows: &["call_*", "tool_*"],
        what: What::Refused,
        why: "the format shows no tools; the cookbook leaves calls out without a word",
    },
    Exception {
        renderers: &["qwen3*"],
        rows: &["call_empty_list"],
        what: What::Differs,
        why: "an empty list is no calls; the cookbook adds a line break for them",
    },
    Exception {
        renderers: &["kimi_k2", "gpt_oss*"],
        rows: &["*, customized"],
        what: What::Accepted,
        why: "the cookbook asks its own system message for a flag that it does not have",
    },
    Exception {
        renderers: &["kimi_k2"],
        rows: &["*, all_user_and_system_messages"],
        what: What::Refused,
        why: "all that would be trained is a system message that the record does not have",
    },
    Exception {
        renderers: &["role_colon"],
        rows: &["only_user", "only_system", "user_last", "system_last"],
        what: What::Differs,
        why: "the cookbook appends `<UNUSED>` to a conversation that ends without an answer",
    },
    Exception {
        renderers: &["*"],
        rows: &["*, answer"],
        what: What::Accepted,
        why: "an answer with two stop tokens is malformed; the cookbook raises",
    },
    Exception {
        renderers: &["kimi_k2"],
        rows: &["Paris.[EOS]", " Paris.[EOS]"],
        what: What::Differs,
        why: "the end-of-sequence token ends an answer, as in all renderers here",
    },
    Exception {
        renderers: &["gpt_oss*"],
        rows: &[
            "<|channel|>commentary to=functions.f*",
            " to=functions.f<|channel|>commentary*",
            " to=functions.get_weather<|channel|>commentary*",
        ],
        what: What::Differs,
        why: "the text of a call is not said a second time in the content",
    },
    Exception {
        renderers: &["gpt_oss*"],
        rows: &["call_without_id", "call_no_name"],
        what: What::Differs,
        why: "a result without a name is of the function that was called, not of `unknown`",
    },
];

/// Rows in which a renderer does not do what the cookbook does.
pub struct Exception {
    /// Renderers. A `*` stands for anything.
    pub renderers: &'static [&'static str],
    /// Conversations, answers spelled as text, or either with `, ` and what was compared.
    pub rows: &'static [&'static str],
    pub what: What,
    pub why: &'static str,
}

/// Rows about tokens of other families. A published tokenizer does not have them: to it they are text,
/// and there is nothing to explain.
pub const FOREIGN: &[&str] = &["control_deepseek"];

/// How the cookbook refuses an answer with two stop tokens: for no other reason may it refuse one that
/// is read here.
pub const TWO_STOPS: &str = "When parsing response, expected";

/// In which way two results are not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Both have one, and they differ.
    Differs,
    /// Only the cookbook refuses.
    Accepted,
    /// Only the renderer refuses.
    Refused,
}

/// Whether one of the patterns is this name. A `*` stands for anything.
pub fn like(patterns: &[&str], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.split_once('*') {
        Some((start, end)) => name.starts_with(start) && name.ends_with(end),
        None => *pattern == name,
    })
}
