//! A byte-level BPE tokenizer of 320 entries: every text encodes, and every id decodes.

use crate::tiny_model::pretty;
use serde_json::{Map, Value, json};
use std::{fs, io, path::Path};

/// Begins a text. The first id after the bytes and the merges.
pub const BOS: i32 = FIRST_SPECIAL as i32;
/// Ends a text, and a turn of the chat template: `<|im_end|>`.
pub const EOS: i32 = BOS + 3;

const FIRST_SPECIAL: usize = 256 + MERGES.len();

/// Control tokens, from [`BOS`] on.
pub const SPECIAL: [&str; 8] = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|pad|>",
];

/// Merges in order of rank; `Ġ` is how byte-level BPE spells a space.
const MERGES: [(&str, &str); 56] = [
    ("Ġ", "t"),
    ("h", "e"),
    ("i", "n"),
    ("Ġ", "a"),
    ("r", "e"),
    ("o", "n"),
    ("e", "r"),
    ("Ġt", "he"),
    ("Ġ", "s"),
    ("a", "t"),
    ("Ġ", "w"),
    ("o", "r"),
    ("e", "s"),
    ("Ġ", "c"),
    ("i", "t"),
    ("i", "s"),
    ("e", "n"),
    ("Ġ", "o"),
    ("a", "n"),
    ("Ġ", "b"),
    ("Ġ", "p"),
    ("Ġ", "f"),
    ("in", "g"),
    ("e", "d"),
    ("a", "l"),
    ("Ġ", "m"),
    ("Ġa", "n"),
    ("a", "r"),
    ("Ġt", "o"),
    ("Ġ", "in"),
    ("o", "u"),
    ("Ġ", "d"),
    ("a", "s"),
    ("Ġ", "h"),
    ("l", "l"),
    ("i", "c"),
    ("Ġo", "f"),
    ("Ġan", "d"),
    ("r", "o"),
    ("l", "e"),
    ("o", "m"),
    ("Ġ", "is"),
    ("s", "t"),
    ("e", "l"),
    ("u", "s"),
    ("u", "r"),
    ("s", "s"),
    ("Ġ", "re"),
    ("i", "on"),
    ("e", "nt"),
    ("n", "t"),
    ("u", "t"),
    ("Ġ", "y"),
    ("l", "y"),
    ("c", "h"),
    ("Ġ", "l"),
];

/// The ChatML template, in the words that Hugging Face's templates use.
pub const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] \
    + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Number of ids, control tokens included.
#[must_use]
pub fn vocab_size() -> usize {
    FIRST_SPECIAL + SPECIAL.len()
}

/// Writes `tokenizer.json` and `tokenizer_config.json` into `dir`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("tokenizer.json"), pretty(&tokenizer()))?;
    fs::write(dir.join("tokenizer_config.json"), pretty(&tokenizer_config()))
}

fn tokenizer() -> Value {
    let mut vocab = Map::new();
    for byte in 0..=255 {
        vocab.insert(visible(byte).to_string(), json!(byte));
    }
    for (i, (left, right)) in MERGES.iter().enumerate() {
        vocab.insert(format!("{left}{right}"), json!(256 + i));
    }
    let merges: Vec<String> = MERGES.iter().map(|(l, r)| format!("{l} {r}")).collect();
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true
    });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens().iter().map(|(id, token)| {
            let mut token = token.clone();
            token["id"] = json!(id);
            token
        }).collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": merges,
        },
    })
}

fn tokenizer_config() -> Value {
    let decoder: Map<String, Value> =
        added_tokens().into_iter().map(|(id, token)| (id.to_string(), token)).collect();
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": decoder,
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|pad|>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": false,
        "model_max_length": 512,
    })
}

fn added_tokens() -> Vec<(usize, Value)> {
    let token = |content: &str| {
        json!({
            "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true
        })
    };
    SPECIAL.iter().enumerate().map(|(i, content)| (FIRST_SPECIAL + i, token(content))).collect()
}

/// The character by which byte-level BPE writes a byte: printable bytes stand for themselves, the
/// others, in order, for the code points from 256 on (GPT-2's table).
fn visible(byte: u8) -> char {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return char::from(byte);
    }
    let hidden_before = (0..byte).filter(|&b| !printable(b)).count() as u32;
    char::from_u32(256 + hidden_before).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::Tokenizer;

    #[test]
    fn any_text_comes_back_and_control_tokens_have_their_ids() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path()).unwrap();
        let tokenizer = Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
        assert_eq!(tokenizer.get_vocab_size(true), vocab_size());
        assert_eq!(vocab_size(), 320);
        assert_eq!(tokenizer.token_to_id("<|begin_of_text|>"), Some(BOS as u32));
        assert_eq!(tokenizer.token_to_id("<|im_end|>"), Some(EOS as u32));
        let text = "The rain, in Spain: naïve 日本 \u{0}\t🦀\n";
        let encoded = tokenizer.encode(text, false).unwrap();
        assert!(encoded.get_ids().len() < text.len(), "merges apply");
        assert_eq!(tokenizer.decode(encoded.get_ids(), false).unwrap(), text);
        for id in 0..vocab_size() as u32 {
            assert!(tokenizer.id_to_token(id).is_some(), "id {id} has no token");
        }
    }
}
