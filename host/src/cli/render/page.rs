/*!
`render --format html`: a dataset on one page that needs nothing but itself.

The page holds its examples as data (token ids, weights by runs, and a table of the tokens that occur),
and its script draws those that are looked at. However large the file, the page stays usable: the
figures at its top tell of everything that was read, the examples below are the first ones and the
first of each problem.
*/

mod pieces;
mod sections;

use super::{Opened, runs::runs};
use crate::{
    Result,
    config::Overlong,
    data::{DataReport, Duplicates, Fate, Lengths, RefusedRow, Rendered, trained_tokens},
    page,
    text::plural,
};
use pieces::Pieces;
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Examples on a page without `--limit`, and their tokens.
const EXAMPLES: usize = 200;
const TOKENS: usize = 250_000;
/// Examples of each problem that are on it besides, and the tokens of these.
const OF_A_PROBLEM: usize = 25;
const PROBLEM_TOKENS: usize = 150_000;
/// Tokens on a page with `--limit`.
const LIMITED_TOKENS: usize = 3_000_000;
/// Tokens of one example.
const OF_AN_EXAMPLE: usize = 20_000;
/// Refused rows.
const REFUSED: usize = 200;

/// What can be wrong with an example, or worth a look: the word for it in the data, and in words.
const TAGS: [(&str, &str); 9] = [
    ("cut", "cut at max_length"),
    ("end", "answer without its end"),
    ("turns", "oldest turns left out"),
    ("long", "too long, left out"),
    ("untrained", "untrained, left out"),
    ("copy", "exact copy of an earlier row, left out"),
    ("first", "weight on the first token, which nothing predicts"),
    ("fraction", "weights other than 0 and 1"),
    ("spelled", "text that spells a control token"),
];

/// Gathers a page.
pub struct Page<'a> {
    opened: &'a Opened,
    pieces: Pieces<'a>,
    /// The prompts of inference are shown, in which nothing is trained.
    prompts: bool,
    limited: bool,
    files: Vec<String>,
    /// Examples as JSON, with commas between them.
    examples: String,
    shown: usize,
    tokens: usize,
    problem_tokens: usize,
    problems: BTreeMap<&'static str, usize>,
    seen: u64,
    lengths: Lengths,
    trained: Lengths,
    refused: Vec<RefusedRow>,
    duplicates: Duplicates,
    repeated: u64,
}

/// One example, as the page's script reads it.
#[derive(Serialize)]
struct Example<'a> {
    /// Index of the file.
    f: usize,
    /// Line.
    l: u64,
    /// Record.
    r: u64,
    /// Which of the record's examples, from 0.
    o: u32,
    /// Tokens that are used.
    n: usize,
    /// Trained tokens.
    k: usize,
    /// What can be said of it: words of [`TAGS`].
    s: &'a [&'static str],
    /// What was left out of it, in words.
    m: String,
    /// Token ids.
    t: &'a [i32],
    /// Weights: how many tokens, and their weight.
    w: Vec<(usize, f32)>,
    /// Characters of which several tokens hold the bytes: at which token, the text, how many tokens.
    c: BTreeMap<usize, (String, usize)>,
}

impl<'a> Page<'a> {
    pub fn new(opened: &'a Opened, limited: bool, prompts: bool) -> Self {
        Self {
            opened,
            pieces: Pieces::new(&opened.tools.tokenizer),
            prompts,
            limited,
            files: Vec::new(),
            examples: String::new(),
            shown: 0,
            tokens: 0,
            problem_tokens: 0,
            problems: BTreeMap::new(),
            seen: 0,
            lengths: Lengths::default(),
            trained: Lengths::default(),
            refused: Vec::new(),
            duplicates: Duplicates::default(),
            repeated: 0,
        }
    }

    /// Adds the examples of a batch.
    pub fn add(&mut self, file: &str, batch: &Rendered, fates: &[Fate]) -> Result<()> {
        if self.files.last().is_none_or(|last| last != file) {
            self.files.push(file.to_owned());
        }
        let room = REFUSED.saturating_sub(self.refused.len());
        self.refused.extend(batch.refused.iter().take(room).map(|r| r.told(file)));
        if !self.opened.dedupes() {
            self.repeated += self.duplicates.count(batch);
        }
        for (i, fate) in fates.iter().enumerate() {
            if *fate != Fate::Refused {
                self.example(batch, i, *fate)?;
            }
        }
        Ok(())
    }

    fn example(&mut self, batch: &Rendered, i: usize, fate: Fate) -> Result<()> {
        let range = batch.examples.range(i);
        let (used, cut) = match fate {
            Fate::Used { tokens, cut } => (tokens, cut),
            _ => (range.len(), None),
        };
        let tokens = &batch.examples.tokens[range.start..range.start + used];
        let weights = &batch.examples.weights[range.start..range.start + used];
        let trained = trained_tokens(weights) as usize;
        self.seen += 1;
        self.lengths.add(used);
        self.trained.add(trained);

        let record = batch.examples.record[i];
        let turns = batch.shortened.iter().find(|s| s.record == record).map_or(0, |s| s.turns);
        let mut tags = Vec::new();
        let mut tag = |on: bool, name| tags.extend(on.then_some(name));
        tag(cut.is_some(), "cut");
        tag(cut.is_some_and(|c| c.end), "end");
        tag(turns > 0, "turns");
        tag(fate == Fate::Overlong, "long");
        tag(fate == Fate::Untrained && !self.prompts, "untrained");
        tag(fate == Fate::Duplicate, "copy");
        tag(weights.first().is_some_and(|w| *w != 0.0), "first");
        tag(weights.iter().any(|w| *w != 0.0 && *w != 1.0), "fraction");
        // Looked for only where the answer can matter.
        let room = |tags: &[&'static str]| self.fits(used) || self.problem_fits(tags, used);
        if (room(&tags) || room(&["spelled"])) && self.pieces.spells_control(tokens)? {
            tags.push("spelled");
        }
        if !self.take_room(&tags, used) {
            return Ok(());
        }
        let mut left_out = Vec::new();
        if let Some(cut) = cut {
            let side = match self.opened.limits.overlong {
                Overlong::TruncateLeft => "at the beginning",
                _ => "at the end",
            };
            left_out.push(format!("{} cut off {side}", plural(cut.lost as u64, "token")));
        }
        if turns > 0 {
            left_out.push(format!("{} left out", plural(turns, "oldest turn")));
        }
        let tokens = &tokens[..tokens.len().min(OF_AN_EXAMPLE)];
        let row = &batch.lines.rows[batch.given[record as usize] as usize];
        let example = Example {
            f: self.files.len() - 1,
            l: row.line,
            r: row.record,
            o: batch.examples.ordinal[i],
            n: used,
            k: trained,
            s: &tags,
            m: left_out.join(", "),
            t: tokens,
            w: runs(&weights[..tokens.len()]),
            c: self.pieces.joined(tokens)?,
        };
        if !self.examples.is_empty() {
            self.examples.push_str(",\n");
        }
        // Numbers and strings always serialise.
        self.examples.push_str(&serde_json::to_string(&example).unwrap_or_default());
        Ok(())
    }

    fn fits(&self, used: usize) -> bool {
        let tokens = used.min(OF_AN_EXAMPLE);
        match self.limited {
            true => self.tokens + tokens <= LIMITED_TOKENS,
            false => self.shown < EXAMPLES && self.tokens + tokens <= TOKENS,
        }
    }

    fn problem_fits(&self, tags: &[&'static str], used: usize) -> bool {
        let tokens = used.min(OF_AN_EXAMPLE);
        let rare = |tag: &&'static str| self.problems.get(*tag).is_none_or(|n| *n < OF_A_PROBLEM);
        tags.iter().any(rare) && self.problem_tokens + tokens <= PROBLEM_TOKENS
    }

    fn take_room(&mut self, tags: &[&'static str], used: usize) -> bool {
        let tokens = used.min(OF_AN_EXAMPLE);
        if self.fits(used) {
            self.tokens += tokens;
        } else if self.problem_fits(tags, used) {
            self.problem_tokens += tokens;
        } else {
            return false;
        }
        for tag in tags {
            *self.problems.entry(*tag).or_default() += 1;
        }
        self.shown += 1;
        true
    }

    /// The page.
    pub fn finish(mut self, report: &DataReport) -> String {
        let mut report = report.clone();
        report.repeated = self.repeated;
        report.repeated_partial = self.duplicates.partial;
        let name = self.files.first().map_or("no data", String::as_str);
        let title = match self.files.len() {
            0 | 1 => name.to_owned(),
            n => format!("{name} and {} more", n - 1),
        };
        let mut out = page::head(&title, STYLE, Some(SCRIPT));
        self.top(&title, &report, &mut out);
        self.refusals(&report, &mut out);
        self.controls(&report, &mut out);
        let tags: BTreeMap<&str, &str> = TAGS.into_iter().collect();
        let _ = write!(
            out,
            "{}{}",
            page::data(
                "data",
                &format!(
                    "{{\"files\":{},\"tags\":{},\"vocab\":{},\"examples\":[\n{}]}}",
                    json!(self.files),
                    json!(tags),
                    json!(self.pieces.take_table()),
                    self.examples
                )
            ),
            page::script(SCRIPT)
        );
        out.push_str("</body>\n</html>");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script makes text, never markup, and the page's policy lets nothing else run.
    #[test]
    fn the_script_writes_no_markup() {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(way), "{way}");
        }
        for end in ["</script", "<!--"] {
            assert!(!SCRIPT.contains(end) && !STYLE.contains(end));
        }
    }
}
