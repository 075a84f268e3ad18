//! `{% generation %}` blocks: where a template says itself what the assistant writes.

use std::ops::Range;
use tinsmith_plugin_api::{Error, Result};

/// Stand in the output where a `{% generation %}` block begins and ends. Records that hold these
/// characters are refused (`shield.rs`).
const GENERATION: char = '\u{10fffc}';
const END_GENERATION: char = '\u{10fffd}';

/// Replaces `{% generation %}` and `{% endgeneration %}`, tags of `transformers`' own, by blocks
/// that write a mark. The replacement begins and ends with a block tag, so that trimming acts on the
/// text around it as it would on the tag; `-` and `+` are kept.
pub(super) fn mark_generation(source: &str) -> (String, bool) {
    let (mut out, mut rest, mut found) = (String::with_capacity(source.len()), source, false);
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        let inner = tag.trim_start_matches("{%").trim_end_matches("%}");
        let open = if inner.starts_with(['-', '+']) { &inner[..1] } else { "" };
        let close = if inner.ends_with(['-', '+']) { &inner[inner.len() - 1..] } else { "" };
        match inner.trim_matches(['-', '+']).trim() {
            word @ ("generation" | "endgeneration") => {
                let mark = if word == "generation" { GENERATION } else { END_GENERATION };
                out.push_str(&format!(
                    "{{%{open} if true %}}{{{{ \"{mark}\" }}}}{{% endif {close}%}}"
                ));
                found = true;
            }
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    (out, found)
}

/// The text without marks, and the ranges that they enclosed.
///
/// # Errors
/// A data error if the marks do not pair.
pub(super) fn take_marks(text: &str) -> Result<(String, Vec<Range<usize>>)> {
    if !text.contains([GENERATION, END_GENERATION]) {
        return Ok((text.to_owned(), Vec::new()));
    }
    let (mut plain, mut ranges, mut open) = (String::with_capacity(text.len()), Vec::new(), None);
    for c in text.chars() {
        match (c, open) {
            (GENERATION, None) => open = Some(plain.len()),
            (END_GENERATION, Some(start)) => {
                ranges.push(start..plain.len());
                open = None;
            }
            (GENERATION | END_GENERATION, _) => return Err(unpaired()),
            _ => plain.push(c),
        }
    }
    if open.is_some() { Err(unpaired()) } else { Ok((plain, ranges)) }
}

fn unpaired() -> Error {
    Error::data("the chat template's `generation` blocks do not pair").at("messages")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{jinja::Jinja, record::Conversation},
        *,
    };
    use crate::config::TemplateConfig;
    use tinsmith_plugin_api::TokenizerInfo;

    #[test]
    fn generation_blocks_become_ranges() {
        let source = "a\n  {% generation %}\nb\n{%- endgeneration -%}\n c";
        let config = TemplateConfig::default();
        let jinja = Jinja::new(source, &TokenizerInfo::default(), &config).unwrap();
        let text = jinja.render(&Conversation::default(), 0, true).unwrap();
        let (plain, ranges) = take_marks(&text).unwrap();
        assert_eq!(plain, "a\nbc");
        assert_eq!(ranges.len(), 1);
        assert_eq!(ranges[0], 2..3);
        assert!(take_marks("\u{10fffd}").is_err());
        assert!(take_marks("\u{10fffc}").is_err());
    }
}
