//! Writes a spool, example by example, and parts it into what is trained and what is held out.

use super::{
    Columns, Rows, Spool, Used,
    array::{Appender, ArrayWriter, Made},
    codec,
    entry::{Entry, Facts, WORDS},
};
use crate::{
    Error, Result,
    data::{Source, columns, trained_tokens},
    text::hex,
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::ErrorKind,
    path::PathBuf,
    sync::Arc,
};
use tinsmith_plugin_api::{Column, ColumnData, Examples};

/// Where a spool lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this folder, which is made. What was there is removed.
    Folder(PathBuf),
    /// Nowhere: figures are kept while they are needed, and no tokens. Enough for a plan.
    Nowhere,
}

impl Place {
    fn make(&self) -> Result<()> {
        let Self::Folder(folder) = self else { return Ok(()) };
        match fs::remove_dir_all(folder) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => fs::create_dir(folder),
        }
        .map_err(|e| Error::io("make anew", folder, &e))
    }

    fn named(&self, name: &str) -> Result<Made> {
        let Self::Folder(folder) = self else { return self.nameless() };
        let path = folder.join(name);
        match File::options().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Made { file, path }),
            Err(e) => Err(Error::io("write", path, &e)),
        }
    }

    /// A file that is gone when nobody uses it any more.
    pub(super) fn nameless(&self) -> Result<Made> {
        let folder = match self {
            Self::Folder(folder) => folder.clone(),
            Self::Nowhere => std::env::temp_dir(),
        };
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(Made { file, path: folder }),
            Err(e) => Err(Error::io("write in", folder, &e)),
        }
    }
}

/// A spool that is being written.
pub(in crate::data) struct Writer {
    place: Place,
    tokens: Option<Appender>,
    entries: ArrayWriter<WORDS>,
    rows: ArrayWriter<{ super::rows::WORDS }>,
    columns: Columns,
    hash: Sha256,
    /// The unit that examples are added to: its group and record, and its bytes behind room for a
    /// checksum.
    open: Option<(u64, Source)>,
    bytes: Vec<u8>,
    entry: Entry,
}

impl Writer {
    pub fn new(place: Place) -> Result<Self> {
        place.make()?;
        let tokens = match place {
            Place::Folder(_) => Some(Appender::new(place.named("tokens")?)),
            Place::Nowhere => None,
        };
        Ok(Self {
            tokens,
            entries: ArrayWriter::new(place.nameless()?, "units"),
            rows: ArrayWriter::new(place.nameless()?, "rows"),
            place,
            columns: Columns::default(),
            hash: Sha256::new(),
            open: None,
            bytes: Vec::new(),
            entry: Entry::default(),
        })
    }

    /// Notes a row in use: before its examples.
    pub fn row(&mut self, used: Used) -> Result<()> {
        self.rows.push(used.into())
    }

    /// Adds the first `tokens` tokens of one example of a rendered batch. Equal neighbouring groups
    /// of one record are one unit.
    pub fn add(
        &mut self,
        from: &Examples,
        example: usize,
        tokens: usize,
        group: u64,
        source: Source,
    ) -> Result<()> {
        if self.open != Some((group, source)) {
            self.close()?;
            self.open = Some((group, source));
            self.bytes.resize(4, 0);
            let Source { dataset, line, record } = source;
            self.entry = Entry { dataset, line, record, ..Entry::default() };
        }
        self.note_columns(&from.columns, source.dataset);
        let start = from.range(example).start;
        let range = start..start + tokens;
        let weights = &from.weights[range.clone()];
        let known = &self.columns.known;
        // All of them were noted.
        let number =
            |column: &Column| known.iter().position(|c| columns::same_kind(c, column)).unwrap_or(0);
        codec::encode(
            &mut self.bytes,
            &from.tokens[range.clone()],
            weights,
            &from.columns,
            &range,
            |column| number(column) as u32,
        );
        self.entry.examples += 1;
        self.entry.tokens += tokens.saturating_sub(1) as u32;
        self.entry.trained += trained_tokens(weights) as u32;
        self.entry.longest = self.entry.longest.max(tokens as u32);
        Ok(())
    }

    fn note_columns(&mut self, given: &[Column], dataset: u32) {
        for column in given {
            if !self.columns.known.iter().any(|c| columns::same_kind(c, column)) {
                self.columns.known.push(columns::empty(column));
            }
            if !self.columns.given.iter().any(|(d, n)| (*d, n) == (dataset, &column.name)) {
                self.columns.given.insert((dataset, column.name.clone()));
            }
        }
    }

    /// Ends the open unit.
    fn close(&mut self) -> Result<()> {
        if self.open.take().is_none() {
            return Ok(());
        }
        let sum = codec::checksum(&self.bytes[4..]);
        self.bytes[..4].copy_from_slice(&sum);
        self.entry.bytes = u32::try_from(self.bytes.len()).map_err(|_| {
            let Entry { dataset, line, .. } = self.entry;
            Error::data(format!(
                "line {line} of dataset {dataset}: its examples take more than 4 GiB"
            ))
            .hint("cut the record, or set `data.max_length`")
        })?;
        self.hash.update(self.entry.bytes.to_le_bytes());
        self.hash.update(&self.bytes);
        if let Some(tokens) = &mut self.tokens {
            self.entry.offset = tokens.bytes;
            tokens.write(&self.bytes)?;
        }
        self.entries.push(self.entry.into())?;
        self.bytes.clear();
        Ok(())
    }

    /// Ends the reading of datasets.
    pub fn finish(mut self) -> Result<Written> {
        self.close()?;
        for column in &self.columns.known {
            self.hash.update([u8::from(matches!(column.data, ColumnData::I64(_)))]);
            self.hash.update(&column.name);
        }
        Ok(Written {
            place: self.place.clone(),
            tokens: self.tokens.map(Appender::finish).transpose()?.map(Arc::new),
            entries: self.entries.finish()?,
            rows: Rows::new(self.rows.finish()?, self.place.clone()),
            columns: Arc::new(self.columns),
            rendered: hex(&self.hash.finalize()),
        })
    }
}

/// Examples that are all written.
pub(in crate::data) struct Written {
    place: Place,
    tokens: Option<Arc<File>>,
    entries: super::Array<WORDS>,
    columns: Arc<Columns>,
    /// The rows that they came from.
    pub rows: Rows,
    /// sha256 (hex) of all that is trained on or held out.
    pub rendered: String,
}

impl Written {
    /// What is trained and what is held out, each in the order of the datasets.
    pub fn part(self, is_held: impl Fn(u32, u64) -> bool) -> Result<(Spool, Spool, Rows)> {
        let mut train = Side::new(&self.place, "train")?;
        let mut eval = Side::new(&self.place, "eval")?;
        for row in self.entries.iter() {
            let entry = Entry::from(row?);
            let held = is_held(entry.dataset, entry.record);
            if held { &mut eval } else { &mut train }.push(entry)?;
        }
        let spool = |side: Side| -> Result<Spool> {
            Ok(Spool {
                entries: side.entries.finish()?,
                facts: side.facts,
                tokens: self.tokens.clone(),
                columns: Arc::clone(&self.columns),
            })
        };
        Ok((spool(train)?, spool(eval)?, self.rows))
    }
}

struct Side {
    entries: ArrayWriter<WORDS>,
    facts: Facts,
}

impl Side {
    fn new(place: &Place, name: &'static str) -> Result<Self> {
        Ok(Self { entries: ArrayWriter::new(place.named(name)?, name), facts: Facts::default() })
    }

    fn push(&mut self, entry: Entry) -> Result<()> {
        self.facts.add(&entry);
        self.entries.push(entry.into())
    }
}
