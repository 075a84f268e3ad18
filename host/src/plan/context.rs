//! Whether every example fits the model, found out before anything is trained.

use crate::{
    Error, Result,
    data::ExampleSet,
    text::{grouped, plural},
};
use std::path::PathBuf;

/// Refuses examples whose input is longer than the model's context, in tokens. `files` are the
/// datasets' names, by index.
///
/// # Errors
/// `data` with the place of the first.
pub fn check_context(set: &ExampleSet, context: u64, files: &[String]) -> Result<()> {
    // The last token is predicted and never read.
    let input = |i: usize| set.range(i).len().saturating_sub(1) as u64;
    let long: Vec<usize> = (0..set.len()).filter(|i| input(*i) > context).collect();
    let Some(first) = long.first() else { return Ok(()) };
    let (examples, are) = match long.len() {
        1 => ("1 example".to_owned(), "is"),
        n => (plural(n as u64, "example"), "are"),
    };
    let e = Error::data(format!(
        "{examples} {are} longer than the model's context of {} tokens; the first has {}",
        grouped(context),
        grouped(input(*first))
    ))
    .hint(format!(
        "set `data.max_length` to at most {}, and `data.overlong` to what shall become of longer ones",
        context + 1
    ));
    Err(match set.source.get(*first).and_then(|s| Some((s.line, files.get(s.dataset as usize)?))) {
        Some((line, file)) => e.place(PathBuf::from(file), Some(line), None),
        None => e,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Source;

    #[test]
    fn the_first_example_that_is_too_long_is_named() {
        let source = |line| Source { dataset: 1, line, record: line - 1 };
        let set = ExampleSet {
            tokens: vec![0; 10],
            weights: vec![1.0; 10],
            offsets: vec![0, 4, 10],
            groups: vec![0, 1],
            source: vec![source(3), source(8)],
            ..ExampleSet::default()
        };
        let files = ["a".to_owned(), "b.jsonl".to_owned()];
        // Six tokens are five to read and one to learn.
        check_context(&set, 5, &files).unwrap();
        let e = check_context(&set, 4, &files).unwrap_err();
        assert!(e.to_string().starts_with("b.jsonl:8: 1 example is longer"), "{e}");
        assert!(e.to_string().ends_with("context of 4 tokens; the first has 5"), "{e}");
        let e = check_context(&set, 2, &files).unwrap_err();
        assert!(e.to_string().starts_with("b.jsonl:3: 2 examples are longer"), "{e}");
    }
}
