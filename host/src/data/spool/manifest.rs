//! A spool that outlives its process: what a later one must know of its files.

use super::{Array, Columns, Facts, Spool};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fs::File, path::Path, sync::Arc};
use tinsmith_plugin_api::{Column, ColumnData};

/// What is known of the files of a spool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::data) struct SpoolManifest {
    /// Bytes of the file of tokens.
    tokens: u64,
    /// Columns by name, and whether their values are integers.
    columns: Vec<(String, bool)>,
    given: BTreeSet<(u32, String)>,
    train: Facts,
    eval: Facts,
}

impl SpoolManifest {
    /// Of what lies in this folder.
    pub fn of(train: &Spool, eval: &Spool, folder: &Path) -> Result<Self> {
        // What the manifest says of them must outlive a power cut as it does.
        for name in ["tokens", "train", "eval"] {
            open(folder, name)?
                .sync_all()
                .map_err(|e| Error::io("write", folder.join(name), &e))?;
        }
        let tokens = length(&open(folder, "tokens")?, "tokens")?;
        let columns = &train.columns;
        let kind = |c: &Column| (c.name.clone(), matches!(c.data, ColumnData::I64(_)));
        Ok(Self {
            tokens,
            columns: columns.known.iter().map(kind).collect(),
            given: columns.given.clone(),
            train: train.facts.clone(),
            eval: eval.facts.clone(),
        })
    }

    /// Opens what is trained and what is held out.
    pub fn open(&self, folder: &Path) -> Result<(Spool, Spool)> {
        let tokens = open(folder, "tokens")?;
        if length(&tokens, "tokens")? != self.tokens {
            return Err(Error::failed("the prepared examples are cut off"));
        }
        let column = |(name, integers): &(String, bool)| Column {
            name: name.clone(),
            data: match integers {
                true => ColumnData::I64(Vec::new()),
                false => ColumnData::F32(Vec::new()),
            },
        };
        let known = self.columns.iter().map(column).collect();
        let columns = Arc::new(Columns { known, given: self.given.clone() });
        let tokens = Arc::new(tokens);
        let side = |name: &'static str, facts: &Facts| -> Result<Spool> {
            Ok(Spool {
                entries: Array::open(open(folder, name)?, name, facts.units())?,
                tokens: Some(Arc::clone(&tokens)),
                columns: Arc::clone(&columns),
                facts: facts.clone(),
            })
        };
        Ok((side("train", &self.train)?, side("eval", &self.eval)?))
    }
}

fn open(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    File::open(&path).map_err(|e| Error::io("read", path, &e))
}

fn length(file: &File, name: &str) -> Result<u64> {
    Ok(file.metadata().map_err(|e| Error::io("read", name, &e))?.len())
}
