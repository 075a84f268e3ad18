//! Whether the two encoders agree on a few hundred texts, asked whenever a tokenizer is loaded: what
//! `tokenizers` makes of a file that looks known is the last word.

use super::Encoder;

/// Pieces that patterns, merges and normalisation treat in their own ways.
const PIECES: [&str; 44] = [
    "the",
    "Hello",
    "HTTPServer",
    "x",
    "é",
    "e\u{301}",
    "naïve",
    "ſ",
    "'s",
    "'LL",
    "'ſ",
    "’s",
    "1",
    "2024",
    "١٢٣",
    "½",
    "²",
    "Ⅷ",
    " ",
    "  ",
    "\n",
    "\r\n",
    " \n ",
    "\t",
    "\u{a0}",
    "\u{3000}",
    "\u{85}",
    "...",
    "!=",
    "//",
    "\u{301}",
    "\u{94d}",
    "日本語",
    "ー",
    "漢字かな",
    "한국어",
    "हिन्दी",
    "ไทย",
    "Привет",
    "ǅ",
    "👩\u{200d}💻",
    "🇩🇪",
    "\u{0}",
    "\u{fffd}",
];

const TEXTS: [&str; 8] = [
    "",
    "The quick brown fox isn't 12345 years old, is it?\n\n  No -- it'll be 3.14159!\n",
    "fn main() {\n    println!(\"{}\", a_b[0x1F]);\t// héllo\n}\n",
    "SELECT * FROM t WHERE id=42;   \r\n\r\n   -- done",
    "https://example.org/a?b=c&d=%20#e  <b>bold</b> &amp; <|not_a_token|>",
    "Ünïcödé: Ελληνικά, العربية, עברית, ქართული, አማርኛ, தமிழ், 中文字符、日本語の文章。",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "                                                                   x\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\ny ",
];

/// The first text of which the two make different tokens or ranges.
///
/// # Errors
/// In words, what the reference could not do.
pub fn first_difference(
    encoder: &Encoder,
    reference: &mut tokenizers::Tokenizer,
) -> Result<Option<String>, String> {
    let texts = texts(reference);
    let mut found = None;
    for literal in [false, true] {
        reference.set_encode_special_tokens(literal);
        for text in &texts {
            let expected = reference.encode(text.as_str(), false).map_err(|e| e.to_string())?;
            let ids: Vec<i32> = expected.get_ids().iter().map(|id| *id as i32).collect();
            let spans = expected.get_offsets().iter().map(|(a, b)| (*a as u32, *b as u32));
            let same = encoder.encode(text, literal) == ids
                && encoder.encode_offsets(text, literal) == (ids, spans.collect());
            if !same {
                found.get_or_insert_with(|| text.clone());
            }
        }
    }
    reference.set_encode_special_tokens(false);
    Ok(found)
}

/// Each piece beside a few others, and some of the tokenizer's own tokens.
fn texts(reference: &tokenizers::Tokenizer) -> Vec<String> {
    let mut texts: Vec<String> = TEXTS.iter().map(|t| (*t).to_owned()).collect();
    for (i, piece) in PIECES.iter().enumerate() {
        for step in [1, 7, 18] {
            let other = PIECES[(i * 5 + step) % PIECES.len()];
            texts.push(format!("{piece}{other}{piece}"));
        }
        texts.push(format!("a {piece} b"));
    }
    let mut added: Vec<String> =
        reference.get_added_tokens_decoder().into_values().map(|t| t.content).collect();
    added.sort_unstable();
    // Hundreds of reserved tokens are alike.
    let step = added.len() / 16 + 1;
    for token in added.iter().step_by(step) {
        texts.push(format!("a  {token} \n{token}{token}b"));
        let cut = token.char_indices().next_back().map_or(0, |(at, _)| at);
        texts.push(format!("{}{token}", &token[..cut]));
    }
    texts
}
