//! Rows of tokens must agree in their columns: what a row lacks would be trained as zero. The first
//! row of a dataset says which there are.

use super::pipeline::Rendered;
use crate::Error;
use std::collections::HashMap;

/// The columns of each dataset's first row of tokens, and its line.
#[derive(Debug, Default)]
pub(super) struct Uniform(HashMap<usize, (u64, Vec<String>)>);

impl Uniform {
    /// Refuses the rows of a batch that differ. Batches come in the order of the files.
    pub(super) fn check(&mut self, batch: &mut Rendered) {
        for (given, columns) in std::mem::take(&mut batch.columns) {
            let row = batch.lines.rows[batch.given[given as usize] as usize];
            let (line, first) =
                self.0.entry(batch.dataset).or_insert_with(|| (row.line, columns.clone()));
            if *first == columns {
                continue;
            }
            let missing = first.iter().find(|name| !columns.contains(name));
            let (message, field) = match missing {
                Some(name) => (format!("is missing; line {line} has it"), name),
                None => {
                    let more = columns.iter().find(|name| !first.contains(name));
                    (format!("line {line} has no such column"), more.unwrap_or(&columns[0]))
                }
            };
            let error = Error::data(message).field(field).hint(
                "every row of a dataset has the same columns; `columns` of the dataset names those \
                 that count",
            );
            let refused = batch.lines.refuse(&row, None, error);
            batch.refused.push(refused);
            batch.misfits.push(given);
        }
        if !batch.misfits.is_empty() {
            batch.refused.sort_by_key(|r| r.record);
            batch.refused.dedup_by_key(|r| r.record);
        }
    }
}
