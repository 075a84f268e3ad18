//! Equality with `tokenizers`, which is the source of every expected value here.
//!
//! `tests/conformance/tokenizer/run.sh` runs the same comparison on millions of texts with the
//! tokenizers of published models.

use super::{classes::Classes, random::Random, *};
use crate::tokenizer::{files::Files, reference::Reference};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{fs, path::Path};
use tokenizers::{
    OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
};

const SPLITTERS: [Splitter; 7] = [
    Splitter::Gpt2,
    Splitter::DigitsGpt2,
    Splitter::Llama3,
    Splitter::Qwen2,
    Splitter::Qwen35,
    Splitter::O200k,
    Splitter::DeepseekV3,
];

/// Reference: the engine of `tokenizers`.
#[test]
fn every_character_has_the_classes_of_the_regular_expressions() {
    let classes = Classes::get();
    for (pattern, bits) in [
        (r"[\p{Lu}\p{Lt}]", classes::UPPER),
        (r"\p{Ll}", classes::LOWER),
        (r"[\p{Lm}\p{Lo}]", classes::CASELESS),
        (r"\p{L}", classes::LETTER),
        (r"\p{M}", classes::MARK),
        (r"\p{N}", classes::NUMBER),
        (r"\s", classes::SPACE),
        (r"\p{P}", classes::PUNCTUATION),
        (r"\p{S}", classes::SYMBOL),
        (r"[\r\n]", classes::NEWLINE),
        ("[一-龥぀-ゟ゠-ヿ]", classes::CJK),
    ] {
        let engine = regex::Regex::new(pattern).unwrap();
        let mut buffer = [0; 4];
        for c in '\0'..=char::MAX {
            let expected = engine.is_match(c.encode_utf8(&mut buffer));
            assert_eq!(classes.of(c.into()) & bits != 0, expected, "{pattern} {c:?}");
        }
    }
    for c in '\0'..=char::MAX {
        assert_eq!(classes.of(c.into()) & classes::NUMERIC != 0, c.is_numeric(), "{c:?}");
        assert_eq!(classes.of(c.into()) & classes::END, 0);
    }
}

fn pre_tokenizer(splitter: Splitter) -> Value {
    let mut steps = splitter.steps();
    for step in &mut steps {
        if step["type"] == "ByteLevel" {
            step["trim_offsets"] = true.into();
        }
    }
    match steps.len() {
        1 => steps.remove(0),
        _ => json!({"type": "Sequence", "pretokenizers": steps}),
    }
}

fn assert_splits(splitter: Splitter, reference: &PreTokenizerWrapper, text: &str) {
    let mut expected = PreTokenizedString::from(text);
    reference.pre_tokenize(&mut expected).unwrap();
    let expected = expected.get_splits(OffsetReferential::Original, OffsetType::Byte);
    let expected: Vec<_> = expected.into_iter().map(|(_, span, _)| span).collect();
    let mut found = Vec::new();
    splitter.split(text, |start, end| found.push((start, end)));
    assert_eq!(found, expected, "{splitter:?} {text:?}");
}

#[test]
fn splitters_cut_where_their_patterns_do() {
    for splitter in SPLITTERS {
        let json = pre_tokenizer(splitter);
        assert_eq!(Splitter::of(&json), Some(splitter));
        let reference: PreTokenizerWrapper = serde_json::from_value(json).unwrap();
        let mut random = Random(splitter as u64);
        for _ in 0..10_000 {
            assert_splits(splitter, &reference, &random.text(&[]));
        }
    }
}

#[test]
fn splitters_know_every_character() {
    for splitter in SPLITTERS {
        let reference: PreTokenizerWrapper =
            serde_json::from_value(pre_tokenizer(splitter)).unwrap();
        let all: Vec<char> = ('\0'..=char::MAX).collect();
        // Assigned or not, in the company of a letter, a space, a digit, a sign and a line end.
        for (i, chunk) in all.chunks(64).enumerate() {
            // Beyond the first alphabets neighbours are alike, and their classes are tested above.
            if chunk[0] > '\u{3100}' && i % 8 != 0 || chunk[0] > '\u{1ffff}' && i % 64 != 0 {
                continue;
            }
            let text: String = chunk
                .iter()
                .flat_map(|c| ['a', *c, 'B', ' ', *c, *c, '1', *c, '!', *c, '\n'])
                .collect();
            assert_splits(splitter, &reference, &text);
        }
    }
}

fn files(json: &[u8]) -> Files {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokenizer.json");
    fs::write(&path, json).unwrap();
    crate::tokenizer::files::read(&path).unwrap()
}

/// The two encoders of a tokenizer.
pub struct Both {
    fast: Encoder,
    parse: tokenizers::Tokenizer,
    literal: tokenizers::Tokenizer,
    added: Vec<String>,
}

impl Both {
    fn new(json: &[u8]) -> Self {
        let files = files(json);
        let (fast, _) = Fast::read(&files).unwrap();
        let fast = fast.checked(&files, "").unwrap().map_err(|r| r.slow).unwrap().encoder;
        let parse = Reference::load(&files, Slow::Differs(String::new())).unwrap().parse;
        let mut literal = parse.clone();
        literal.set_encode_special_tokens(true);
        let added = parse.get_added_tokens_decoder().into_values().map(|t| t.content).collect();
        Self { fast, parse, literal, added }
    }

    /// What differs, if anything.
    fn difference(&self, text: &str, offsets: bool) -> Option<String> {
        for literal in [false, true] {
            let reference = if literal { &self.literal } else { &self.parse };
            let expected = match offsets {
                true => reference.encode(text, false).unwrap(),
                false => reference.encode_fast(text, false).unwrap(),
            };
            let ids: Vec<i32> = expected.get_ids().iter().map(|id| *id as i32).collect();
            let found = self.fast.encode(text, literal);
            if found != ids {
                return Some(format!("literal {literal}: {text:?}\n{found:?}\n{ids:?}"));
            }
            if !offsets {
                continue;
            }
            let spans: Vec<_> =
                expected.get_offsets().iter().map(|(a, b)| (*a as u32, *b as u32)).collect();
            let found = self.fast.encode_offsets(text, literal);
            if found != (ids, spans.clone()) {
                return Some(format!("literal {literal}: {text:?}\n{found:?}\n{spans:?}"));
            }
        }
        None
    }

    /// Compares random texts, and cuts the first that differs down to what matters.
    fn compare(&self, seed: u64, texts: usize) {
        let mut random = Random(seed);
        for i in 0..texts {
            let mut text = random.text(&self.added);
            let offsets = i % 4 == 0;
            if self.difference(&text, offsets).is_none() {
                continue;
            }
            let mut at = 0;
            while let Some(c) = text[at..].chars().next() {
                let mut less = text.clone();
                less.remove(at);
                match self.difference(&less, offsets) {
                    Some(_) => text = less,
                    None => at += c.len_utf8(),
                }
            }
            panic!("text {i} of seed {seed}: {}", self.difference(&text, offsets).unwrap());
        }
    }
}

fn fixture(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

fn small(change: impl FnOnce(&mut Value)) -> Both {
    let mut json =
        serde_json::from_slice(&fixture("configs/quickstart/base/tokenizer.json")).unwrap();
    change(&mut json);
    Both::new(json.to_string().as_bytes())
}

#[test]
fn the_committed_tokenizers_take_the_fast_path() {
    for (seed, path) in
        ["configs/quickstart/base/tokenizer.json", "tests/fixtures/chat/tokenizer.json"]
            .iter()
            .enumerate()
    {
        Both::new(&fixture(path)).compare(seed as u64, 20_000);
    }
}

#[test]
fn every_splitter_encodes_as_the_reference() {
    for splitter in SPLITTERS {
        let both = small(|json| json["pre_tokenizer"] = pre_tokenizer(splitter));
        both.compare(10 + splitter as u64, 10_000);
    }
}

#[test]
fn normalised_text_encodes_as_the_reference() {
    let both = small(|json| {
        json["normalizer"] = json!({"type": "NFC"});
        json["pre_tokenizer"] = pre_tokenizer(Splitter::Qwen2);
        json["model"]["continuing_subword_prefix"] = "".into();
    });
    both.compare(20, 30_000);
}

/// Every character by itself and before a mark: the quick ways out of normalisation are right.
#[test]
fn what_is_taken_for_normalised_is() {
    use unicode_normalization_alignments::UnicodeNormalization;
    // Nothing beyond has a part in normalisation.
    for c in '\0'..='\u{2ffff}' {
        for text in [c.to_string(), format!("e{c}\u{301}"), format!("a\u{323}{c}")] {
            let expected: String = text.nfc().map(|(c, _)| c).collect();
            assert_eq!(normal::nfc(&text), expected, "{text:?}");
        }
    }
}

#[test]
fn whole_words_encode_as_the_reference() {
    let both = small(|json| {
        json["pre_tokenizer"] = pre_tokenizer(Splitter::Llama3);
        json["model"]["ignore_merges"] = true.into();
        // Tokens that no merge makes.
        let vocab = json["model"]["vocab"].as_object_mut().unwrap();
        for word in ["xqz", "Ġxqz", "éé", "123", "ĠĠĠĠĠ"] {
            let id = 5000 + vocab.len();
            vocab.insert(word.into(), id.into());
        }
    });
    assert_eq!(both.fast.encode("xqz", true).len(), 1);
    both.compare(30, 20_000);
}

/// All flags of added tokens, alone and together, before and after normalisation.
#[test]
fn added_tokens_are_found_as_the_reference_finds_them() {
    for normalizer in [Value::Null, json!({"type": "NFC"})] {
        let both = small(|json| {
            json["normalizer"] = normalizer;
            // White space with `lstrip` has the reference panic beside a token with `rstrip`.
            let texts = [
                "\n", "<a><a>", "<ab>", "the", " a", "é", "e\u{301}", "<a>", "ing", "<|", "日", "1",
            ];
            let mut next = json["model"]["vocab"].as_object().unwrap().len();
            for flags in 0..32 {
                let flag = |bit: u32| flags >> bit & 1 == 1;
                let text = format!("{}{}", texts[flags % 12], ["", "x", "|>"][flags / 12]);
                let id = json["model"]["vocab"][&text].as_u64().unwrap_or_else(|| {
                    next += 1;
                    next as u64 - 1
                });
                let token = json!({"id": id, "content": text, "special": flag(0),
                    "single_word": flag(1), "lstrip": flag(2), "rstrip": flag(3),
                    "normalized": flag(4)});
                json["added_tokens"].as_array_mut().unwrap().push(token);
            }
        });
        both.compare(40, 20_000);
    }
}

#[test]
fn long_words_are_not_quadratic() {
    let both = small(|_| ());
    let mut random = Random(7);
    let letters = |random: &mut Random, len: usize| -> String {
        (0..len).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
    };
    for len in [30, 31, 32, 33, 95, 96, 97, 98, 1000, 20_000] {
        for text in [letters(&mut random, len), "ab".repeat(len), " ".repeat(len), "é".repeat(len)]
        {
            assert_eq!(both.difference(&text, true), None);
        }
    }
    // The reference needs seconds here in the test profile, so the text itself is the check.
    let long = letters(&mut random, 1 << 20);
    let (ids, spans) = both.fast.encode_offsets(&long, true);
    assert_eq!(ids.len(), spans.len());
    assert!(spans.windows(2).all(|w| w[0].1 == w[1].0));
    assert_eq!(spans.last().unwrap().1, 1 << 20);
}

/// The bounded tables of words are filled more than once.
#[test]
fn words_that_push_others_out_change_nothing() {
    let both = small(|_| ());
    let words = |i: u32| format!("w{:x} averylongword{:x}", i.wrapping_mul(0x9E37_79B9), i);
    let first: Vec<_> = (0..60_000).map(|i| both.fast.encode(&words(i), true)).collect();
    for (i, ids) in first.iter().enumerate() {
        assert_eq!(both.fast.encode(&words(i as u32), true), *ids);
    }
    for i in (0..60_000).step_by(50) {
        assert_eq!(both.difference(&words(i), false), None);
    }
}

#[test]
fn what_is_not_known_is_left_to_the_reference() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 12] = [
        ("pre-tokenizer", |json| json["pre_tokenizer"]["add_prefix_space"] = true.into()),
        ("pre-tokenizer", |json| json["pre_tokenizer"] = json!({"type": "Whitespace"})),
        ("pre-tokenizer", |json| {
            json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": false}, json["pre_tokenizer"]]});
        }),
        ("normalizer", |json| json["normalizer"] = json!({"type": "Lowercase"})),
        ("dropout", |json| json["model"]["dropout"] = 0.1.into()),
        ("end_of_word_suffix", |json| json["model"]["end_of_word_suffix"] = "</w>".into()),
        ("no token for the byte", |json| {
            let vocab = json["model"]["vocab"].as_object_mut().unwrap();
            let id = vocab.shift_remove("Ā").unwrap();
            vocab.insert("ĀĀ".into(), id);
        }),
        ("the id 7", |json| json["model"]["vocab"]["Ġxqz"] = 7.into()),
        ("added token `<|im_end|>`", |json| json["added_tokens"][2]["id"] = 4000.into()),
        ("added token `<|im_end|>`", |json| {
            let mut again = json["added_tokens"][2].clone();
            again["rstrip"] = true.into();
            json["added_tokens"].as_array_mut().unwrap().push(again);
        }),
        ("decoder", |json| json["decoder"] = json!({"type": "Fuse"})),
        ("pre-tokenizer", |json| json["pre_tokenizer"] = Value::Null),
    ];
    for (expected, change) in changes {
        let mut json =
            serde_json::from_slice(&fixture("configs/quickstart/base/tokenizer.json")).unwrap();
        change(&mut json);
        match Fast::read(&files(json.to_string().as_bytes())) {
            Err(what) => assert!(what.contains(expected), "{what}"),
            Ok(_) => panic!("{expected}: it is known"),
        }
    }
}

/// A tokenizer whose encoder differs is noticed when it is loaded.
#[test]
fn an_encoder_that_differs_is_not_used() {
    let json = fixture("configs/quickstart/base/tokenizer.json");
    let (fast, _) = Fast::read(&files(&json)).unwrap();
    let mut other: Value = serde_json::from_slice(&json).unwrap();
    other["model"]["merges"].as_array_mut().unwrap().truncate(1000);
    let reference = fast.checked(&files(other.to_string().as_bytes()), "").unwrap().unwrap_err();
    assert!(matches!(reference.slow, Slow::Differs(_)), "{}", reference.slow);
    assert!(!reference.parse.get_encode_special_tokens());
    // The same with an added token that is not the same.
    let (fast, _) = Fast::read(&files(&json)).unwrap();
    let mut other: Value = serde_json::from_slice(&json).unwrap();
    other["added_tokens"][0]["lstrip"] = true.into();
    let reference = fast.checked(&files(other.to_string().as_bytes()), "").unwrap().unwrap_err();
    assert!(matches!(reference.slow, Slow::Differs(_)), "{}", reference.slow);
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<char>().prop_map(String::from),
        "\\PC{0,6}",
        "[ \\t\\r\\n\u{a0}\u{3000}]{1,4}",
        "\\p{M}{1,3}",
        "\\p{Nd}{1,5}",
        "\\p{Lu}{1,3}\\p{Ll}{0,4}",
        "'[sStTrRvVmMlLdD]{1,2}",
        Just("<|im_end|>".to_owned()),
        Just("\u{1f469}\u{200d}\u{1f4bb}".to_owned()),
        prop::collection::vec(any::<u8>(), 0..8)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ]
}

#[test]
fn any_text_encodes_as_the_reference() {
    let both = SPLITTERS.map(|splitter| {
        small(|json| {
            json["normalizer"] = json!({"type": "NFC"});
            json["pre_tokenizer"] = pre_tokenizer(splitter);
        })
    });
    let texts = prop::collection::vec(fragment(), 0..10).prop_map(|parts| parts.concat());
    proptest!(ProptestConfig::with_cases(3000), |(text in texts)| {
        for both in &both {
            prop_assert_eq!(both.difference(&text, true), None);
        }
    });
}

/// For `tests/conformance/tokenizer/run.sh`: tokenizers in the files of `TINSMITH_TOKENIZERS`,
/// separated by `:`, and `TINSMITH_TEXTS` texts for each, from `TINSMITH_SEED` on.
#[test]
#[ignore = "needs the tokenizers of published models"]
fn published_tokenizers_encode_as_the_reference() {
    let files = std::env::var("TINSMITH_TOKENIZERS").unwrap();
    let number = |name: &str| std::env::var(name).unwrap().parse::<usize>().unwrap();
    let (texts, seed) = (number("TINSMITH_TEXTS"), number("TINSMITH_SEED"));
    let threads = std::thread::available_parallelism().unwrap().get();
    for file in files.split(':') {
        let both = Both::new(&fs::read(file).unwrap());
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let both = &both;
                scope.spawn(move || both.compare((seed + thread) as u64, texts / threads));
            }
        });
        eprintln!(
            "{} texts, each in both readings, no difference: {file}",
            texts / threads * threads
        );
    }
}
