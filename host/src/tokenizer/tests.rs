use super::*;
use std::fs;

/// A byte-level BPE of bytes alone, with two control tokens and one merge.
fn small(dir: &Path) {
    let alphabet: Vec<String> = (0..=255_u8)
        .scan(0x100_u32, |next, byte| {
            let printable = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
            let code = if printable {
                u32::from(byte)
            } else {
                *next += 1;
                *next - 1
            };
            char::from_u32(code).map(String::from)
        })
        .collect();
    let mut vocab: serde_json::Map<String, serde_json::Value> =
        alphabet.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    vocab.insert("ab".into(), 256.into());
    let added = |id: u32, content: &str| {
        serde_json::json!({"id": id, "content": content, "special": true, "single_word": false,
                           "lstrip": false, "rstrip": false, "normalized": false})
    };
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [added(257, "<|end|>"), added(258, "<|start|>")],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                  "vocab": vocab, "merges": [["a", "b"]]}
    });
    fs::write(dir.join("tokenizer.json"), json.to_string()).unwrap();
    fs::write(
        dir.join("tokenizer_config.json"),
        r#"{"eos_token": {"content": "<|end|>"}, "chat_template": "{{ messages }}"}"#,
    )
    .unwrap();
}

fn load() -> (tempfile::TempDir, Arc<Tokenizer>) {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    (dir, tokenizer)
}

#[test]
fn special_tokens_are_parsed_only_where_asked() {
    let (_dir, tokenizer) = load();
    assert_eq!(tokenizer.encode("ab<|end|>", Special::Parse).unwrap(), [256, 257]);
    let literal = tokenizer.encode("ab<|end|>", Special::Literal).unwrap();
    assert!(!literal.contains(&257), "{literal:?}");
    assert_eq!(tokenizer.decode(&literal).unwrap(), "ab<|end|>");
}

#[test]
fn every_text_comes_back_byte_for_byte() {
    let (_dir, tokenizer) = load();
    for text in ["", "ab ab", "naïve – 木 🙂\n\t\0", "<|start|>x<|end|>"] {
        for special in [Special::Parse, Special::Literal] {
            let ids = tokenizer.encode(text, special).unwrap();
            assert_eq!(tokenizer.decode_bytes(&ids).unwrap(), text.as_bytes());
        }
    }
}

#[test]
fn offsets_are_bytes() {
    let (_dir, tokenizer) = load();
    let (ids, spans) = tokenizer.encode_offsets("é<|end|>", Special::Parse).unwrap();
    assert_eq!(ids.last(), Some(&257));
    assert_eq!(spans.last(), Some(&(2, 9)));
}

#[test]
fn ids_outside_the_vocabulary_are_errors() {
    let (_dir, tokenizer) = load();
    assert!(tokenizer.decode(&[-1]).is_err());
    assert!(tokenizer.decode(&[259]).is_err());
}

#[test]
fn a_model_with_too_few_rows_is_refused() {
    let (_dir, tokenizer) = load();
    assert!(tokenizer.check_fits(259, Path::new("m")).is_ok());
    let e = tokenizer.check_fits(258, Path::new("m")).unwrap_err();
    assert!(e.to_string().contains("`<|start|>` has id 258"), "{e}");
}

#[test]
fn the_files_beside_it_are_read() {
    let (_dir, tokenizer) = load();
    assert_eq!(tokenizer.info().eos_token.as_deref(), Some("<|end|>"));
    assert_eq!(tokenizer.info().chat_template.as_deref(), Some("{{ messages }}"));
    assert_eq!(tokenizer.info().vocab_size, 259);
}

#[test]
fn a_missing_and_a_broken_tokenizer_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let e = Tokenizer::load(dir.path()).unwrap_err();
    assert_eq!(e.kind, crate::Kind::Usage);
    fs::write(dir.path().join("tokenizer.json"), "{\"model\": 3}").unwrap();
    let e = Tokenizer::load(dir.path()).unwrap_err();
    assert!(e.to_string().contains("it is no tokenizer"), "{e}");
}
