/*!
Prepared examples that an earlier process left in a run's folder: a run that goes on has its next batch
at once, however large its datasets are.

```text
examples/manifest.json         what they are, and of what they were made; written last
examples/{tokens,train,eval}   the spool
```
They are used again if nothing has changed of which they were made: settings, tokenizer, renderer, and
of every file its size and the time of its last change. What is read of them is checked, unit by unit.
*/

use super::{
    DataReport, HeldOut, Lengths,
    prepare::{DataJob, Prepared, sources},
    source::DataSource,
    spool::SpoolManifest,
};
use crate::{Error, Result, runs};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{fs, path::Path, time::UNIX_EPOCH};

const MANIFEST: &str = "manifest.json";
/// Version of the files.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Manifest {
    schema: u32,
    /// Of all that they were made of.
    key: String,
    fingerprint: String,
    rendered: String,
    spool: SpoolManifest,
    report: DataReport,
    /// The report's, number by number.
    lengths: Vec<(usize, u64)>,
    prompts: Vec<HeldOut>,
}

/// The examples in this folder, if they are what [`super::prepare`] would make now.
///
/// # Errors
/// As [`super::prepare`], for datasets that are not there.
pub fn reopen(job: &DataJob<'_>, folder: &Path) -> Result<Option<Prepared>> {
    let key = key(job, &sources(job.loaded)?);
    let Ok(bytes) = fs::read(folder.join(MANIFEST)) else { return Ok(None) };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { return Ok(None) };
    if manifest.schema != SCHEMA || key.as_ref() != Some(&manifest.key) {
        return Ok(None);
    }
    // Files that are damaged are made anew.
    let Ok((train, eval)) = manifest.spool.open(folder) else { return Ok(None) };
    let Manifest { fingerprint, rendered, mut report, lengths, prompts, .. } = manifest;
    report.lengths = lengths.into_iter().collect::<Lengths>();
    Ok(Some(Prepared { train, eval, prompts, report, fingerprint, rendered }))
}

/// Makes prepared examples usable for later processes. Those of a pipe are not.
pub(super) fn keep(
    job: &DataJob<'_>,
    sources: &[DataSource],
    prepared: &Prepared,
    folder: &Path,
) -> Result<()> {
    let Some(key) = key(job, sources) else { return Ok(()) };
    let manifest = Manifest {
        schema: SCHEMA,
        key,
        fingerprint: prepared.fingerprint.clone(),
        rendered: prepared.rendered.clone(),
        spool: SpoolManifest::of(&prepared.train, &prepared.eval, folder)?,
        report: prepared.report.clone(),
        lengths: prepared.report.lengths.counts().collect(),
        prompts: prepared.prompts.clone(),
    };
    let json = serde_json::to_vec(&manifest)
        .map_err(|e| Error::failed(format!("write the manifest of the examples: {e}")))?;
    runs::replace(&folder.join(MANIFEST), &json)
}

/// Of all that examples are made of; None where that cannot be told.
fn key(job: &DataJob<'_>, sources: &[DataSource]) -> Option<String> {
    let file = |source: &DataSource| {
        let about = fs::metadata(&source.path).ok().filter(fs::Metadata::is_file)?;
        let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        // A run that goes on may name it from another folder.
        let path = fs::canonicalize(&source.path).ok()?;
        Some(json!([
            path.to_string_lossy(),
            about.len(),
            changed.as_secs(),
            changed.subsec_nanos()
        ]))
    };
    let files: Vec<_> = sources.iter().map(file).collect::<Option<_>>()?;
    let config = &job.loaded.config;
    let prompts = match config.eval.checks {
        Some(_) => None,
        None => Some(config.eval.samples),
    };
    let all = json!([
        env!("CARGO_PKG_VERSION"),
        job.made_with,
        // The fingerprint of a tokenizer is of its encoding: its template counts too.
        job.tokenizer.info(),
        config.model,
        config.datasets,
        config.data,
        prompts,
        files
    ]);
    Some(super::hex(&Sha256::digest(all.to_string())))
}

#[cfg(test)]
mod tests;
