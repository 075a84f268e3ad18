//! NFC, as the crate that `tokenizers` uses does it: its tables are of an older Unicode than the rest.

use std::{borrow::Cow, sync::LazyLock};
use unicode_normalization_alignments::{
    IsNormalized, UnicodeNormalization, char::canonical_combining_class, is_nfc_quick,
};

/// The text in NFC. Nearly every text is, and is not copied.
pub fn nfc(text: &str) -> Cow<'_, str> {
    // Below U+0300 nothing combines, and nothing but U+0300 and above has a lead byte from 0xCC on.
    if text.bytes().all(|byte| byte < 0xCC) || text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().map(|(c, _)| c).collect())
}

/// Whether a character never changes and changes no other: NFC for sure, and combining class 0.
fn is_plain(c: char) -> bool {
    /// One bit a character of the first plane.
    static PLAIN: LazyLock<Vec<u64>> = LazyLock::new(|| {
        let bits = |word: u32| {
            (0..64).filter_map(move |bit| char::from_u32(word * 64 + bit).map(|c| (bit, c)))
        };
        (0..0x1_0000 / 64)
            .map(|word| bits(word).filter(|(_, c)| ask(*c)).fold(0, |all, (bit, _)| all | 1 << bit))
            .collect()
    });
    let code = c as usize;
    match PLAIN.get(code / 64) {
        Some(word) => word >> (code % 64) & 1 == 1,
        None => ask(c),
    }
}

fn ask(c: char) -> bool {
    canonical_combining_class(c) == 0 && is_nfc_quick(std::iter::once(c)) == IsNormalized::Yes
}
