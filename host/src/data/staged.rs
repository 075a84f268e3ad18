/*!
Datasets that were staged: checked once, kept under the hash of their content.

```text
datasets/<sha256>/data-000.jsonl   the rows, one a line, without blank lines, BOM and CRLF
datasets/<sha256>/manifest.json    what they are; written last: without it there is no dataset
```
The id is `ds-` and the first 12 digits of the hash.
*/

use super::{
    read::Digested,
    report::{DataReport, FileReport},
    source::DataSource,
};
use crate::{Error, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};
use tinsmith_plugin_api::StorageHandle;

/// The file of the rows.
const DATA: &str = "data-000.jsonl";
/// Digits of the hash in an id.
const DIGITS: usize = 12;

/// What `manifest.json` says.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// Version of this format: 1.
    pub schema: u32,
    /// The id.
    pub id: String,
    /// sha256 of the data, in hex.
    pub sha256: String,
    /// Bytes of the data.
    pub bytes: u64,
    /// Rows of the data.
    pub rows: u64,
    /// Key of the data.
    pub data: String,
    /// What it was made of.
    pub sources: Vec<FileReport>,
    /// Fingerprint of the tokenizer that it was checked with.
    pub tokenizer: String,
    /// Name of the renderer that it was checked with.
    pub renderer: String,
    /// What became of every row when it was checked.
    pub report: DataReport,
}

/// The rows of some datasets as they are staged: hashed, counted, not kept.
#[derive(Debug, Default)]
pub struct Content {
    hash: Sha256,
    /// Bytes so far.
    pub bytes: u64,
    /// Rows so far.
    pub rows: u64,
}

impl Content {
    /// Adds a row.
    pub fn add(&mut self, row: &str) {
        self.hash.update(row.as_bytes());
        self.hash.update(b"\n");
        self.bytes += row.len() as u64 + 1;
        self.rows += 1;
    }

    /// sha256 of the rows so far, in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        crate::text::hex(&self.hash.clone().finalize())
    }
}

/// The id of a content.
#[must_use]
pub fn id(sha256: &str) -> String {
    format!("ds-{}", &sha256[..DIGITS.min(sha256.len())])
}

/// Key of the data and of the manifest.
#[must_use]
pub fn keys(sha256: &str) -> (String, String) {
    let dir = format!("datasets/{sha256}");
    (format!("{dir}/{DATA}"), format!("{dir}/manifest.json"))
}

/// Writes the rows of the sources, without those named in `left_out` (source and record), under the
/// keys of their hash: data first, manifest last. False: it was there already.
///
/// # Errors
/// If the storage fails, or if a source is not what it was when `manifest` was made.
pub fn stage(
    store: &dyn StorageHandle,
    sources: &[DataSource],
    left_out: &HashSet<(usize, u64)>,
    manifest: &Manifest,
) -> Result<bool> {
    let (data, last) = keys(&manifest.sha256);
    if store.exists(&last)? {
        return Ok(false);
    }
    let mut upload = store.create(&data)?;
    let mut content = Content::default();
    let failed = |e: std::io::Error| {
        Error::from(tinsmith_plugin_api::Error::from(e)).context(format!("write `{data}`"))
    };
    for (at, source) in sources.iter().enumerate() {
        let mut reader = source.lines()?;
        while let Some(lines) = reader.next_lines().map_err(|e| source.blame(e))? {
            for row in lines.rows.iter().filter(|r| !left_out.contains(&(at, r.record))) {
                let text = lines.text(row);
                content.add(text);
                upload.write_all(text.as_bytes()).map_err(failed)?;
                upload.write_all(b"\n").map_err(failed)?;
            }
        }
    }
    if content.sha256() != manifest.sha256 {
        return Err(Error::data("a dataset was changed while it was read")
            .hint("run the command again when nothing writes to the file"));
    }
    upload.commit()?;
    let json = serde_json::to_string_pretty(manifest)
        .map_err(|e| Error::failed(format!("write `{last}`: {e}")))?;
    store.create_if_absent(&last, json.as_bytes())?;
    Ok(true)
}

/// Checks that a staged dataset, read to its end, is still what its folder is named after. Of other
/// files, and where a limit ended the reading, nothing is known.
///
/// # Errors
/// A data error that names the file.
pub(super) fn check(source: &DataSource, digest: &Digested) -> Result<()> {
    let mut parts = source.path.iter().rev().map(|part| part.to_str().unwrap_or_default());
    let staged = match (parts.next(), parts.next(), parts.next()) {
        (Some(DATA), Some(sha256), Some("datasets")) if sha256.len() == 64 => sha256,
        _ => return Ok(()),
    };
    if source.limit.is_some() || staged == digest.sha256 {
        return Ok(());
    }
    let id = id(staged);
    Err(Error::data(format!("the data of `{id}` is not what was staged: its sha256 has changed"))
        .place(&source.path, None, None)
        .hint("delete its folder and stage the dataset again with `tinsmith upload`"))
}

/// The digits of an id; None for what is no id.
#[must_use]
pub fn id_digits(name: &str) -> Option<&str> {
    name.strip_prefix("ds-").filter(|digits| {
        (DIGITS..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// The data of a staged dataset, by its digits, in a folder of runs.
pub(super) fn find(output: &Path, id: &str, digits: &str) -> Result<PathBuf> {
    let folder = output.join("datasets");
    let mut found: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries
            .filter_map(std::result::Result::ok)
            .filter(|e| e.file_name().to_string_lossy().starts_with(digits))
            .map(|e| e.path())
            .filter(|dir| dir.join("manifest.json").is_file())
            .collect(),
        Err(_) => Vec::new(),
    };
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.join(DATA)),
        [] => Err(Error::data(format!("no dataset `{id}` is staged in `{}`", folder.display()))
            .hint("`tinsmith upload FILE` stages a dataset and prints its id")),
        _ => Err(Error::data(format!("`{id}` is the beginning of {} ids", found.len()))
            .hint("give more digits of the hash")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Format, data::Mapping};
    use tinsmith_plugin_api::testing::MemoryStore;

    fn manifest(content: &Content) -> Manifest {
        let sha256 = content.sha256();
        Manifest {
            schema: 1,
            id: id(&sha256),
            bytes: content.bytes,
            rows: content.rows,
            data: keys(&sha256).0,
            sources: Vec::new(),
            tokenizer: "t".into(),
            renderer: "r".into(),
            report: DataReport::default(),
            sha256,
        }
    }

    #[test]
    fn rows_are_staged_once_and_by_their_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        fs::write(&path, b"\xEF\xBB\xBF{1}\r\n\n{2}\n{3}").unwrap();
        let source = DataSource { path, mapping: Mapping::plain(Format::Record), limit: None };
        let mut content = Content::default();
        content.add("{1}");
        content.add("{3}");
        let (manifest, left_out) = (manifest(&content), HashSet::from([(0, 1)]));
        let store = MemoryStore::default();
        let sources = [source];
        assert!(stage(&store, &sources, &left_out, &manifest).unwrap());
        assert!(!stage(&store, &sources, &left_out, &manifest).unwrap());
        let (data, last) = keys(&manifest.sha256);
        let store: &dyn StorageHandle = &store;
        assert_eq!(store.get(&data).unwrap(), b"{1}\n{3}\n");
        assert!(store.exists(&last).unwrap());
    }

    #[test]
    fn a_source_that_changed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        fs::write(&path, b"{1}\n").unwrap();
        let sources = [DataSource { path, mapping: Mapping::plain(Format::Record), limit: None }];
        let mut content = Content::default();
        content.add("{2}");
        let manifest = manifest(&content);
        let store = MemoryStore::default();
        let e = stage(&store, &sources, &HashSet::new(), &manifest).unwrap_err();
        assert_eq!(e.kind, crate::Kind::Data);
        let (data, last) = keys(&manifest.sha256);
        let store: &dyn StorageHandle = &store;
        assert!(!store.exists(&data).unwrap() && !store.exists(&last).unwrap());
    }

    #[test]
    fn an_id_leads_to_its_data() {
        let output = tempfile::tempdir().unwrap();
        let sha256 = "0123456789abcdef".repeat(4);
        let dir = output.path().join("datasets").join(&sha256);
        fs::create_dir_all(&dir).unwrap();
        let id = id(&sha256);
        assert_eq!(id, "ds-0123456789ab");
        let digits = id_digits(&id).unwrap();
        assert!(find(output.path(), &id, digits).is_err(), "no manifest, no dataset");
        fs::write(dir.join("manifest.json"), "{}").unwrap();
        assert_eq!(find(output.path(), &id, digits).unwrap(), dir.join("data-000.jsonl"));
        assert_eq!(id_digits("ds-xyz"), None);
        assert_eq!(id_digits("ds-0123456789a"), None);
    }
}
