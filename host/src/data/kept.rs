/*!
Prepared examples that an earlier process left in a run's folder: a run that goes on has its next batch
at once, however large its datasets are.

```text
examples/manifest.json         what they are, and of what they were made; written last
examples/{tokens,train,eval}   the spool
```
They are used again if nothing has changed of which they were made: settings, tokenizer, renderer, this
program, and of every file its size and the time of its last change. What is read of the tokens is
checked, unit by unit.
*/

use super::{
    DataReport, HeldOut, Lengths,
    prepare::{DataJob, Prepared, check_fits, sources},
    source::DataSource,
    spool::SpoolManifest,
};
use crate::{Error, Result, runs, stamp::stamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fs, path::Path};

const MANIFEST: &str = "manifest.json";
/// Files that decide how a tokenizer encodes.
const TOKENIZER: [&str; 3] = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"];
/// Version of the files.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Manifest<'a> {
    schema: u32,
    /// Of all that they were made of.
    key: String,
    fingerprint: String,
    rendered: String,
    spool: SpoolManifest,
    report: Cow<'a, DataReport>,
    /// The report's, number by number.
    lengths: Vec<(usize, u64)>,
    prompts: Cow<'a, [HeldOut]>,
}

/// The examples in this folder, if they are what [`super::prepare`] would make now.
///
/// # Errors
/// As [`super::prepare`], for a tokenizer that does not fit and for datasets that are not there.
pub fn reopen(job: &DataJob<'_>, folder: &Path) -> Result<Option<Prepared>> {
    check_fits(job)?;
    let key = key(job, &sources(job.loaded)?);
    let Ok(bytes) = fs::read(folder.join(MANIFEST)) else { return Ok(None) };
    let Ok(manifest) = serde_json::from_slice::<Manifest<'_>>(&bytes) else { return Ok(None) };
    if manifest.schema != SCHEMA || key.as_ref() != Some(&manifest.key) {
        return Ok(None);
    }
    // Files that are damaged are made anew.
    let Ok((train, eval)) = manifest.spool.open(folder) else { return Ok(None) };
    let Manifest { fingerprint, rendered, report, lengths, prompts, .. } = manifest;
    let (mut report, prompts) = (report.into_owned(), prompts.into_owned());
    report.lengths = lengths.into_iter().collect::<Lengths>();
    Ok(Some(Prepared { train, eval, prompts, report, fingerprint, rendered }))
}

/// Makes prepared examples usable for later processes. Those of a pipe are not, nor those of a file
/// that was written to while it was read; `before` is the key from before.
pub(super) fn keep(
    job: &DataJob<'_>,
    sources: &[DataSource],
    before: Option<String>,
    prepared: &Prepared,
    folder: &Path,
) -> Result<()> {
    let Some(key) = before.filter(|before| key(job, sources).as_ref() == Some(before)) else {
        return Ok(());
    };
    let manifest = Manifest {
        schema: SCHEMA,
        key,
        fingerprint: prepared.fingerprint.clone(),
        rendered: prepared.rendered.clone(),
        spool: SpoolManifest::of(&prepared.train, &prepared.eval, folder)?,
        report: Cow::Borrowed(&prepared.report),
        lengths: prepared.report.lengths.counts().collect(),
        prompts: Cow::Borrowed(&prepared.prompts),
    };
    let json = serde_json::to_vec(&manifest)
        .map_err(|e| Error::failed(format!("write the manifest of the examples: {e}")))?;
    runs::replace(&folder.join(MANIFEST), &json)
}

/// Of all that examples are made of; None where that cannot be told.
pub(super) fn key(job: &DataJob<'_>, sources: &[DataSource]) -> Option<String> {
    let config = &job.loaded.config;
    let file = |path: &Path| {
        // A run that goes on may name it from another folder.
        let name = fs::canonicalize(path).ok()?;
        Some(json!([name.to_string_lossy(), stamp(path)?]))
    };
    let files: Vec<_> = sources.iter().map(|s| file(&s.path)).collect::<Option<_>>()?;
    let model = &config.model;
    let tokenizer = job.loaded.resolve(model.tokenizer.as_ref().unwrap_or(&model.base_model));
    let tokenizer: Vec<_> = TOKENIZER.iter().map(|name| file(&tokenizer.join(name))).collect();
    let program = std::env::current_exe().ok().and_then(|path| file(&path));
    let prompts = match config.eval.checks {
        Some(_) => None,
        None => Some(config.eval.samples),
    };
    let all = json!([
        program,
        job.made_with,
        job.tokenizer.info(),
        tokenizer,
        config.model,
        config.datasets,
        config.data,
        prompts,
        files
    ]);
    Some(crate::text::hex(&Sha256::digest(all.to_string())))
}

#[cfg(test)]
mod tests;
