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

/// The files of DeepSeek V3 flag the ends of texts alone; who writes `<｜User｜>` must not speak as the
/// user. In both encoders, whatever a token's other flags.
#[test]
fn control_tokens_without_a_flag_stay_text_where_asked() {
    for (normalized, fast) in [(false, true), (true, true), (false, false), (true, false)] {
        let dir = tempfile::tempdir().unwrap();
        small(dir.path());
        let path = dir.path().join("tokenizer.json");
        let mut json: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for (id, content) in (259..).zip(["<｜User｜>", "<|tool|>", "<think>"]) {
            let token = serde_json::json!({"id": id, "content": content, "special": false,
                "lstrip": false, "rstrip": false, "single_word": false, "normalized": normalized});
            json["added_tokens"].as_array_mut().unwrap().push(token);
        }
        if !fast {
            // The fast encoder does not know it.
            json["model"]["dropout"] = 0.0.into();
            json["normalizer"] = serde_json::json!({"type": "Replace",
                "pattern": {"String": "\u{1}"}, "content": "\u{2}"});
        }
        fs::write(&path, json.to_string()).unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        assert_eq!(
            matches!(tokenizer.encoding, Encoding::Fast(_)),
            fast,
            "{:?}",
            tokenizer.notice()
        );
        let text = "ab<｜User｜>ab<|tool|><think>";
        let parsed = tokenizer.encode(text, Special::Parse).unwrap();
        assert_eq!(parsed, [256, 259, 256, 260, 261], "{normalized} {fast}");
        let literal = tokenizer.encode(text, Special::Literal).unwrap();
        assert!(!literal.contains(&259) && !literal.contains(&260), "{literal:?}");
        // A tag is no control token: formats write it in texts.
        assert_eq!(literal.last(), Some(&261));
        assert_eq!(tokenizer.decode(&literal).unwrap(), text);
        let flags: Vec<bool> = tokenizer.info().added_tokens.iter().map(|t| t.special).collect();
        assert_eq!(flags[flags.len() - 3..], [true, true, false]);
    }
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
    let (dir, tokenizer) = load();
    let config = |text: &str| fs::write(dir.path().join("config.json"), text).unwrap();
    config(r#"{"vocab_size": 259}"#);
    assert!(tokenizer.check_fits(dir.path()).is_ok());
    config(r#"{"text_config": {"vocab_size": 300}}"#);
    assert!(tokenizer.check_fits(dir.path()).is_ok());
    config(r#"{"vocab_size": 258}"#);
    let e = tokenizer.check_fits(dir.path()).unwrap_err();
    assert_eq!(e.kind, crate::Kind::Usage);
    assert!(e.to_string().contains("up to 258 (`<|start|>`)"), "{e}");
    assert!(e.hint.is_some());
    config("{");
    assert_eq!(tokenizer.check_fits(dir.path()).unwrap_err().kind, crate::Kind::Usage);
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
    assert!(e.to_string().contains("not a tokenizer"), "{e}");
    // Cut off in the middle, as by a broken download: told by line and column.
    fs::write(dir.path().join("tokenizer.json"), "{\n\"model\": {\"vocab\": ").unwrap();
    let e = Tokenizer::load(dir.path()).unwrap_err();
    assert!(e.to_string().contains("tokenizer.json:2:"), "{e}");
    assert_eq!(e.kind, crate::Kind::Usage);
}

/// Reference: `split_special_tokens=True` of Transformers sets `encode_special_tokens` of the same
/// library and nothing else, so an encoder of our own made that way is the second opinion.
#[test]
fn literal_text_is_what_split_special_tokens_gives() {
    let (dir, tokenizer) = load();
    let mut reference =
        tokenizers::Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
    reference.set_encode_special_tokens(true);
    for text in ["", "ab", "<|end|>", "a<|start|>b<|end|><|end", "|end|><", "ab<|END|>"] {
        let expected = reference.encode(text, false).unwrap();
        let expected: Vec<i32> = expected.get_ids().iter().map(|id| *id as i32).collect();
        assert_eq!(tokenizer.encode(text, Special::Literal).unwrap(), expected, "{text}");
        let (ids, _) = tokenizer.encode_offsets(text, Special::Literal).unwrap();
        assert_eq!(ids, expected, "{text}");
    }
}

#[test]
fn a_post_processor_adds_no_bos() {
    let (dir, tokenizer) = load();
    let path = dir.path().join("tokenizer.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["post_processor"] = serde_json::json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|start|>", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|start|>":
            {"id": "<|start|>", "ids": [258], "tokens": ["<|start|>"]}}
    });
    json["truncation"] = serde_json::json!({
        "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0
    });
    fs::write(&path, json.to_string()).unwrap();
    let other = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(other.encode("abab", Special::Parse).unwrap(), [256, 256]);
    assert_eq!(other.encode("xxxx", Special::Parse).unwrap().len(), 4);
    // Neither decides the encoding here, so neither is in the fingerprint; the vocabulary is.
    assert_eq!(other.info().fingerprint, tokenizer.info().fingerprint);
    json["model"]["merges"] = serde_json::json!([]);
    fs::write(&path, serde_json::to_string_pretty(&json).unwrap()).unwrap();
    let third = Tokenizer::load(dir.path()).unwrap();
    assert_ne!(third.info().fingerprint, tokenizer.info().fingerprint);
}

#[test]
fn the_fingerprint_is_of_the_content_and_not_of_its_layout() {
    let (dir, tokenizer) = load();
    let path = dir.path().join("tokenizer.json");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    fs::write(&path, serde_json::to_string_pretty(&json).unwrap()).unwrap();
    let again = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(again.info().fingerprint, tokenizer.info().fingerprint);
    fs::write(dir.path().join("chat_template.jinja"), "{{ bos_token }}").unwrap();
    let other = Tokenizer::load(&path).unwrap();
    assert_eq!(other.info().chat_template.as_deref(), Some("{{ bos_token }}"));
    assert_ne!(other.info().fingerprint, tokenizer.info().fingerprint);
}

#[test]
fn tokens_that_only_the_config_knows_are_added_with_their_ids() {
    let (dir, _) = load();
    let config = |id: u32| {
        let token = serde_json::json!({"content": "<|tool|>", "special": true, "lstrip": false,
            "rstrip": false, "single_word": false, "normalized": false});
        let json = serde_json::json!({ "added_tokens_decoder": { id.to_string(): token } });
        fs::write(dir.path().join("tokenizer_config.json"), json.to_string()).unwrap();
    };
    config(259);
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(tokenizer.encode("<|tool|>", Special::Parse).unwrap(), [259]);
    assert!(tokenizer.encode("<|tool|>", Special::Literal).unwrap().len() > 1);
    config(300);
    let e = Tokenizer::load(dir.path()).unwrap_err();
    assert!(e.to_string().contains("`<|tool|>` has id 300"), "{e}");
}

/// A sentencepiece vocabulary as Llama 2 writes it: `▁` is a space, unknown characters are bytes.
#[test]
fn byte_fallback_vocabularies_come_back_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut vocab = serde_json::Map::new();
    for (id, token) in ["<unk>", "<s>", "</s>"].into_iter().enumerate() {
        vocab.insert(token.into(), id.into());
    }
    for byte in 0..=255u32 {
        vocab.insert(format!("<0x{byte:02X}>"), (byte + 3).into());
    }
    for token in ["\u{2581}", "a", "b", "ab", "\u{2581}ab"] {
        vocab.insert(token.into(), vocab.len().into());
    }
    // Gemma adds its runs of spaces as tokens of their own.
    vocab.insert("\u{2581}\u{2581}".into(), vocab.len().into());
    let spaces = serde_json::json!({"id": vocab.len() - 1, "content": "\u{2581}\u{2581}",
        "special": false, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false});
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [spaces],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
        "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "byte_fallback": true, "vocab": vocab,
                  "merges": [["a", "b"], ["\u{2581}", "ab"]]}
    });
    fs::write(dir.path().join("tokenizer.json"), json.to_string()).unwrap();
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    for text in ["ab ab", " ab", "naïve 🦀\n", ""] {
        let ids = tokenizer.encode(text, Special::Literal).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
    assert_eq!(tokenizer.encode(" ab", Special::Literal).unwrap().len(), 1);
    let spaces = tokenizer.token_id("\u{2581}\u{2581}").unwrap();
    assert_eq!(tokenizer.decode(&[spaces]).unwrap(), "  ");
}

#[test]
fn a_vocabulary_that_cannot_be_decoded_is_refused() {
    let (dir, _) = load();
    let path = dir.path().join("tokenizer.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["decoder"] = serde_json::json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    fs::write(&path, json.to_string()).unwrap();
    let e = Tokenizer::load(dir.path()).unwrap_err();
    assert!(e.to_string().contains("decoder `WordPiece` is not supported"), "{e}");
}

#[test]
fn an_id_far_above_the_others_is_refused() {
    let (dir, _) = load();
    let path = dir.path().join("tokenizer.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["model"]["vocab"]["zz"] = 2_000_000_000.into();
    fs::write(&path, json.to_string()).unwrap();
    let e = Tokenizer::load(dir.path()).unwrap_err();
    assert_eq!(e.kind, crate::Kind::Usage);
    assert!(e.to_string().contains("token id 2000000000 is too large"), "{e}");
}

/// Expected ids come from Transformers: tests/fixtures/data/make_tokenizer_golden.py.
#[test]
fn both_readings_are_those_of_transformers() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/data/tokenizer_golden.json"))
            .unwrap();
    let dir = tempfile::tempdir().unwrap();
    tinsmith_test_support::tiny_tokenizer::write(dir.path()).unwrap();
    let bytes = fs::read(dir.path().join("tokenizer.json")).unwrap();
    let sha256 = format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(bytes));
    assert_eq!(golden["tokenizer_sha256"], sha256.as_str(), "make the golden file again");
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        for (special, key) in [(Special::Parse, "parse"), (Special::Literal, "literal")] {
            let expected: Vec<i32> = serde_json::from_value(case[key].clone()).unwrap();
            assert_eq!(tokenizer.encode(text, special).unwrap(), expected, "{key} {text:?}");
            assert_eq!(tokenizer.decode_bytes(&expected).unwrap(), text.as_bytes());
        }
    }
}
