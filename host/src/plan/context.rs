//! Whether every example fits the model, found out before anything is trained.

use crate::{
    Error, Result,
    data::Prepared,
    text::{grouped, plural},
};
use std::path::PathBuf;

/// Refuses examples whose input is longer than the model's context, in tokens.
///
/// # Errors
/// `data` with the place of the first; `failed` if the examples cannot be read.
pub fn check_context(data: &Prepared, context: u64) -> Result<()> {
    // The last token is predicted and never read.
    let most = context + 1;
    let first = match data.train.longer_than(most)? {
        Some(first) => Some(first),
        None => data.eval.longer_than(most)?,
    };
    let Some((dataset, line, longest)) = first else { return Ok(()) };
    let (examples, are) = match data.report.lengths.above(most as usize) {
        1 => ("1 example".to_owned(), "is"),
        n => (plural(n, "example"), "are"),
    };
    let e = Error::data(format!(
        "{examples} {are} longer than the model's context of {} tokens; the first has {}",
        grouped(context),
        grouped(longest - 1)
    ))
    .hint(format!(
        "set `data.max_length` to at most {most}, and `data.overlong` to what shall become of longer ones"
    ));
    Err(match data.report.files.get(dataset as usize) {
        Some(file) => e.place(PathBuf::from(&file.name), Some(line), None),
        None => e,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataReport, FileReport, fake::spool};

    #[test]
    fn the_first_example_that_is_too_long_is_named() {
        let (_dir, train) = spool([vec![1.0; 2], vec![1.0; 4], vec![1.0; 6]]);
        let mut report = DataReport::default();
        [2, 4, 6].iter().for_each(|length| report.lengths.add(*length));
        report.files.push(FileReport { name: "b.jsonl".into(), ..FileReport::default() });
        let (fingerprint, rendered) = (String::new(), String::new());
        let eval = spool([]).1;
        let data = Prepared { train, eval, prompts: Vec::new(), report, fingerprint, rendered };
        // Six tokens are five to read and one to learn.
        check_context(&data, 5).unwrap();
        let e = check_context(&data, 4).unwrap_err();
        assert!(e.to_string().starts_with("b.jsonl:3: 1 example is longer"), "{e}");
        assert!(e.to_string().ends_with("context of 4 tokens; the first has 5"), "{e}");
        let e = check_context(&data, 2).unwrap_err();
        assert!(e.to_string().starts_with("b.jsonl:2: 2 examples are longer"), "{e}");
    }
}
