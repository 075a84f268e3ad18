/*!
From files to examples.

```text
                      ┌─ map ─ render ─┐
file ─ container ─▶ lines           in order ─▶ limits, copies ─▶ Spool, split into train and eval
                      └─ map ─ render ─┘                          DataReport: what became of every row
```

Lines are read in batches, rendered on all threads and handed on in the order of the file. What is in
memory between the file and its user is bounded by a few batches; what training needs lies on disk
([`Spool`]), and nothing is kept in memory of a row.
*/

mod assemble;
mod columns;
pub mod container;
mod dedupe;
mod duplicates;
mod example_set;
#[cfg(test)]
pub(crate) mod fake;
mod formats;
mod held_out;
mod kept;
mod lengths;
mod limits;
mod made;
mod mapping;
mod pipeline;
mod prepare;
mod read;
mod refused;
mod report;
mod resolve;
mod scan;
mod source;
mod split;
mod spool;
pub mod staged;
mod turns;
mod uniform;

pub use duplicates::{Duplicates, good_rows};
pub use example_set::{ExampleSet, Source, trained_tokens};
pub use formats::{Conversation, Mapped, NoRecord, PlainText, TokenRow, map_record};
pub use held_out::HeldOut;
pub use kept::reopen;
pub use lengths::{Lengths, Summary};
pub use limits::{Cut, Fate, Judge, Limits};
pub use mapping::Mapping;
pub use pipeline::{Makers, Rendered, Step, stream};
pub use prepare::{DataJob, OnProgress, Prepared, prepare};
pub use read::{BATCH_RECORDS, Digested, Lines, MAX_LINE, Reader, Row};
pub use refused::{Refused, RefusedRow};
pub use report::{DataReport, FileReport};
pub use resolve::resolve;
pub use source::DataSource;
pub use spool::{Columns, Facts, Figures, Part, Place, Spool};
pub use turns::Shortened;
