//! Records one after the other: length, CRC-32, a line of JSON, a body. A record that a crash cut off is
//! not one, and is cut away.

use crate::{Error, Result, serve::requests::Kind};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Bytes before a record: its length and its CRC, both little-endian.
const FRAME: usize = 8;

/// What a record is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the operation.
    pub seq: i64,
    /// What its request asks for; the body is that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// It was refused, and this is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// It was done, and must not be done again; this is its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<serde_json::Value>,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it is.
    pub head: Head,
    /// The request, where it is one.
    pub body: Vec<u8>,
}

/// A log that is written to.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    /// Whole records end here.
    end: u64,
}

impl Log {
    /// Opens a log, or begins one. Answers what it holds; a torn end is cut away.
    ///
    /// # Errors
    /// `failed` that names the file.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>)> {
        let io = |e: io::Error| Error::io("read", path, &e);
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(io(e)),
        };
        let (entries, end) = parse(&bytes);
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
        file.set_len(end).map_err(io)?;
        file.sync_all().map_err(io)?;
        if let Some(folder) = path.parent() {
            crate::runs::sync_folder(folder).map_err(io)?;
        }
        Ok((Self { path: path.to_owned(), file, end }, entries))
    }

    /// Adds a record; `sync`: it is on the disk afterwards. A failure leaves the log as it was.
    ///
    /// # Errors
    /// `failed` that names the file.
    pub fn append(&mut self, head: &Head, body: &[u8], sync: bool) -> Result<()> {
        let record = record(head, body).map_err(|e| Error::io("write", &self.path, &e))?;
        let mut write = || {
            self.file.write_all(&record)?;
            if sync { self.file.sync_data() } else { Ok(()) }
        };
        if let Err(e) = write() {
            // Half a record would hide those behind it.
            let _ = self.file.set_len(self.end);
            return Err(Error::io("write", &self.path, &e));
        }
        self.end += record.len() as u64;
        Ok(())
    }

    /// Leaves out what is not needed any more.
    ///
    /// # Errors
    /// `failed` that names the file; then the log is as it was.
    pub fn retain(&mut self, keep: impl Fn(&Head) -> bool) -> Result<()> {
        let io = |e: io::Error| Error::io("write", &self.path, &e);
        let (entries, _) = parse(&fs::read(&self.path).map_err(io)?);
        let mut bytes = Vec::new();
        for entry in entries.iter().filter(|entry| keep(&entry.head)) {
            bytes.extend(record(&entry.head, &entry.body).map_err(io)?);
        }
        crate::runs::replace(&self.path, &bytes)?;
        self.file = OpenOptions::new().append(true).open(&self.path).map_err(io)?;
        self.end = bytes.len() as u64;
        Ok(())
    }
}

fn record(head: &Head, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut payload = serde_json::to_vec(head)?;
    payload.push(b'\n');
    payload.extend_from_slice(body);
    let len = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut record = Vec::with_capacity(payload.len() + FRAME);
    record.extend_from_slice(&len.to_le_bytes());
    record.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    record.append(&mut payload);
    Ok(record)
}

/// The whole records, and where they end.
fn parse(mut bytes: &[u8]) -> (Vec<Entry>, u64) {
    let (mut entries, mut end) = (Vec::new(), 0);
    let number = |bytes: &[u8]| {
        bytes.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
    };
    while bytes.len() >= FRAME {
        let len = number(&bytes[..4]) as usize;
        let Some(payload) = bytes.get(FRAME..FRAME + len) else { break };
        if crc32fast::hash(payload) != number(&bytes[4..FRAME]) {
            break;
        }
        let Some(line) = payload.iter().position(|byte| *byte == b'\n') else { break };
        let Ok(head) = serde_json::from_slice(&payload[..line]) else { break };
        entries.push(Entry { head, body: payload[line + 1..].to_vec() });
        end += (FRAME + len) as u64;
        bytes = &bytes[FRAME + len..];
    }
    (entries, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: i64) -> Head {
        Head { seq, kind: Some(Kind::OptimStep), ..Head::default() }
    }

    #[test]
    fn a_log_cut_off_anywhere_has_the_records_that_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, _) = Log::open(&path).unwrap();
        let mut ends = vec![0];
        for seq in 1..4 {
            log.append(&head(seq), b"line\nline", seq == 2).unwrap();
            ends.push(log.end);
        }
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (mut log, entries) = Log::open(&path).unwrap();
            let expected = ends.iter().rposition(|end| *end <= cut as u64).unwrap();
            assert_eq!(entries.len(), expected, "cut at {cut}");
            assert!(entries.iter().all(|entry| entry.body == b"line\nline"));
            // What is written next is found.
            log.append(&head(9), b"", true).unwrap();
            assert_eq!(Log::open(&path).unwrap().1.last().unwrap().head, head(9));
        }
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, _) = Log::open(&path).unwrap();
        for seq in [1, 3, 2] {
            log.append(&head(seq), b"x", true).unwrap();
        }
        log.retain(|head| head.seq > 1).unwrap();
        log.append(&head(4), b"y", true).unwrap();
        let seqs: Vec<i64> = Log::open(&path).unwrap().1.iter().map(|e| e.head.seq).collect();
        assert_eq!(seqs, [3, 2, 4]);
    }
}
