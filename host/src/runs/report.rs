/*!
`report.html`: a run on one page that needs nothing but itself, for people who were not there.

It is made from the run's files alone, so that it can be made again at any time.
*/

mod page;

use super::{RunFolder, RunRecord, durable, read_metrics, read_samples};
use crate::Result;
use std::path::PathBuf;

/// Writes the report of a run beside its journals, in the place of an earlier one. Answers its path.
///
/// # Errors
/// `failed` if a file of the run is damaged, or the page cannot be written; an earlier one is then
/// as it was.
pub fn write_report(folder: &RunFolder) -> Result<PathBuf> {
    let record = RunRecord::read(&folder.record())?;
    let metrics = read_metrics(&folder.metrics())?;
    let samples = read_samples(&folder.samples())?;
    let path = folder.report();
    durable::replace(&path, page::page(&record, &metrics, &samples).as_bytes())?;
    Ok(path)
}
