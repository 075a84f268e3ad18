//! What somebody may have meant.

/// The candidate that a typing error may have made `word` of.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typing_errors_are_recognised_and_other_words_are_not() {
        let names = ["chatml", "llama3", "role_colon"];
        assert_eq!(nearest("chatlm", names), Some("chatml"));
        assert_eq!(nearest("lama3", names), Some("llama3"));
        assert_eq!(nearest("template", names), None);
    }
}
