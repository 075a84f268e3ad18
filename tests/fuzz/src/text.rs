//! JSON strings that trip up readers and renderers.

use arbitrary::Unstructured;

/// Words, white space, markup of the formats, and characters with a history, as they stand between
/// the quotes of a JSON string.
const PIECES: [&str; 72] = [
    "a",
    "Paris",
    " ",
    "hello there",
    "\\n",
    "\\n\\n",
    "  ",
    "\\t",
    "\\r\\n",
    "é",
    "e\\u0301",
    "日本",
    "🦀",
    "👩‍👩‍👧",
    "\\ud83e\\udd80",
    "\\ud800",
    "\\udc00x",
    "\\u0000",
    "\\u0001",
    "\\u2028",
    "\\u00a0",
    "\\ufeff",
    "\u{f0000}",
    "\u{10ffff}",
    "\\u200b",
    "İ",
    "ß",
    "\\\"",
    "\\\\",
    "\\/",
    "{{ x }}{% if",
    "%}",
    "<|im_end|>",
    "<|im_start|>assistant\\n",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<｜Assistant｜>",
    "<｜User｜>",
    "<｜end▁of▁sentence｜>",
    "<|channel|>analysis<|message|>",
    "<|channel|>final<|message|>",
    "<|start|>assistant",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "[EOS]",
    "<|im_middle|>",
    "<|tool_calls_section_begin|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<think>",
    "</think>",
    "<think>\\n\\n</think>\\n\\n",
    "<tool_call>",
    "</tool_call>",
    "{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {}}",
    "<function=f>",
    "<parameter=p>",
    "</function>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "to=functions.f",
    "\\n\\nUser:",
    "\\n\\nAssistant:",
    "<|endoftext|>",
];

/// A string with its quotes; now and then a very long one, or an empty one.
pub fn string(u: &mut Unstructured<'_>) -> String {
    let mut text = String::from("\"");
    let pieces = u.int_in_range(0..=5).unwrap_or(0);
    if pieces == 0 {
        text.push_str(["yes", "", "no", "12"][usize::from(byte(u) % 4)]);
    }
    for _ in 0..pieces {
        match byte(u) {
            // Letters of the input itself, so that it can grow words that are not in the list.
            kind @ 0..=63 => {
                for _ in 0..=kind % 8 {
                    text.push(match byte(u) {
                        b'"' | b'\\' | 0..=31 => '.',
                        byte => char::from(byte),
                    });
                }
            }
            kind @ 64..=239 => text.push_str(PIECES[usize::from(kind - 64) % PIECES.len()]),
            kind => {
                let piece = PIECES[usize::from(byte(u)) % PIECES.len()];
                text.push_str(&piece.repeat(1 << (kind % 8)));
            }
        }
    }
    text.push('"');
    text
}

/// The next byte of the input; 0 behind its end.
pub fn byte(u: &mut Unstructured<'_>) -> u8 {
    u.arbitrary().unwrap_or_default()
}

/// True in about one of `of` cases, never behind the end.
pub fn seldom(u: &mut Unstructured<'_>, of: u8) -> bool {
    byte(u) >= u8::MAX - u8::MAX / of.max(1) && !u.is_empty()
}

/// One of these; the first behind the end.
pub fn pick<'a, T: ?Sized>(u: &mut Unstructured<'_>, from: &[&'a T]) -> &'a T {
    from[usize::from(byte(u)) % from.len()]
}
