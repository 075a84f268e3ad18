//! The template language of the corpus: `[a|b|c]` is one of its alternatives (they nest, and may be
//! empty), `{name}` is a slot.

use crate::rng::Rng;

/// Expands the alternatives of a template; slots stay as they are.
pub fn choose(template: &str, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(template.len());
    expand(template, rng, &mut out);
    out
}

fn expand(text: &str, rng: &mut Rng, out: &mut String) {
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let (inside, after) = split_group(&rest[open + 1..]);
        let alternatives = split_alternatives(inside);
        expand(alternatives[rng.below(alternatives.len())], rng, out);
        rest = after;
    }
    out.push_str(rest);
}

/// Splits after the bracket that closes a group whose opening bracket is already behind.
fn split_group(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[..at], &text[at + 1..]);
        }
    }
    (text, "")
}

fn split_alternatives(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '|' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Fills every `{slot}` with what `value` answers for it.
pub fn fill(template: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}') else { break };
        out.push_str(&value(&rest[open + 1..open + close]));
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    out
}

/// Upper case at the start of each sentence.
pub fn sentences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    let mut previous = ' ';
    for c in text.chars() {
        if start && c.is_alphanumeric() {
            out.extend(c.to_uppercase());
            start = false;
        } else {
            start |= c == ' ' && matches!(previous, '.' | '!' | '?');
            out.push(c);
        }
        previous = c;
    }
    out
}
