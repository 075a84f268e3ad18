/*!
Hand-written splitters for the pre-tokenising patterns of the byte-level vocabularies in use.

Each does what its regular expression says, alternative by alternative; the patterns stand above the
code that follows them. A pattern is known only if the file spells it exactly so.
*/

mod cl100k;
mod deepseek;
mod gpt2;
mod o200k;
mod shared;

use super::classes::{self, Classes, Reader};
use serde_json::{Value, json};

/// How text is cut into the words that merging never crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splitter {
    /// `ByteLevel` with its own pattern.
    Gpt2,
    /// `Digits`, one by one, then `ByteLevel` with its own pattern: SmolLM2, StarCoder2.
    DigitsGpt2,
    /// Llama 3, cl100k: numbers by three.
    Llama3,
    /// Qwen2 and Qwen3: numbers by one.
    Qwen2,
    /// Qwen3.5: as Qwen2, and marks count as letters.
    Qwen35,
    /// o200k, gpt-oss.
    O200k,
    /// DeepSeek V3 and R1: three patterns in turn.
    DeepseekV3,
}

impl Splitter {
    /// The splitter of this `pre_tokenizer` of a `tokenizer.json`; None for one that is not known.
    pub fn of(pre_tokenizer: &Value) -> Option<Self> {
        let all = [
            Self::Gpt2,
            Self::DigitsGpt2,
            Self::Llama3,
            Self::Qwen2,
            Self::Qwen35,
            Self::O200k,
            Self::DeepseekV3,
        ];
        let plain = plain(pre_tokenizer);
        all.into_iter().find(|known| known.steps() == plain)
    }

    /// What the file says for it, step by step.
    pub(super) fn steps(self) -> Vec<Value> {
        let split = |pattern: &str| {
            json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
                   "invert": false})
        };
        let bytes = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": use_regex});
        match self {
            Self::Gpt2 => vec![bytes(true)],
            Self::DigitsGpt2 => {
                vec![json!({"type": "Digits", "individual_digits": true}), bytes(true)]
            }
            Self::Llama3 => vec![split(cl100k::LLAMA3), bytes(false)],
            Self::Qwen2 => vec![split(cl100k::QWEN2), bytes(false)],
            Self::Qwen35 => vec![split(cl100k::QWEN35), bytes(false)],
            Self::O200k => vec![split(o200k::PATTERN), bytes(false)],
            Self::DeepseekV3 => {
                let [numbers, cjk, words] = deepseek::PATTERNS;
                vec![split(numbers), split(cjk), split(words), bytes(false)]
            }
        }
    }

    /// Calls `each` with the start and end of every word, in order. They cover the text.
    #[inline]
    pub fn split(self, text: &str, mut each: impl FnMut(usize, usize)) {
        let classes = Classes::get();
        match self {
            Self::Gpt2 => gpt2::split(Reader::new(text, classes), each),
            Self::DigitsGpt2 => segments(text, digits, |from, to| {
                let part = Reader::new(&text[from..to], classes);
                gpt2::split(part, |a, b| each(from + a, from + b));
            }),
            Self::Llama3 => cl100k::split::<3, 0>(Reader::new(text, classes), each),
            Self::Qwen2 => cl100k::split::<1, 0>(Reader::new(text, classes), each),
            Self::Qwen35 => cl100k::split::<1, { classes::MARK }>(Reader::new(text, classes), each),
            Self::O200k => o200k::split(Reader::new(text, classes), each),
            Self::DeepseekV3 => segments(text, deepseek::segment, |from, to| {
                let part = Reader::new(&text[from..to], classes);
                deepseek::split(part, |a, b| each(from + a, from + b));
            }),
        }
    }
}

/// Cuts a text where an earlier step does, for a later one that sees each part alone.
fn segments(
    text: &str,
    next: impl Fn(Reader<'_>, usize) -> usize,
    mut each: impl FnMut(usize, usize),
) {
    let reader = Reader::new(text, Classes::get());
    let mut at = 0;
    while at < text.len() {
        let end = next(reader, at);
        each(at, end);
        at = end;
    }
}

/// One digit, or all up to the next.
fn digits(text: Reader<'_>, at: usize) -> usize {
    match text.at(at) {
        (class, len) if class & classes::NUMERIC != 0 => at + len,
        _ => text.skip_but(at, classes::NUMERIC),
    }
}

/// The steps of a pre-tokenizer without what does not matter here: `trim_offsets` is for the
/// post-processor, which is switched off.
fn plain(pre_tokenizer: &Value) -> Vec<Value> {
    let steps = match pre_tokenizer["type"].as_str() {
        Some("Sequence") => match pre_tokenizer["pretokenizers"].as_array() {
            Some(steps) => steps.clone(),
            None => vec![pre_tokenizer.clone()],
        },
        _ => vec![pre_tokenizer.clone()],
    };
    let tidy = |mut step: Value| {
        if let Some(step) = step.as_object_mut().filter(|s| s["type"] == "ByteLevel") {
            step.shift_remove("trim_offsets");
            step.entry("use_regex").or_insert(true.into());
        }
        step
    };
    steps.into_iter().map(tidy).collect()
}
