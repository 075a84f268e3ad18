/*!
JSONL as a stream of lines, gathered in batches.

A byte order mark, CRLF and blank lines are fine; blank lines are counted. A line that is not valid
UTF-8 or too long is refused by its place, and the lines after it are read all the same. What is in
memory is bounded by one batch, whatever the file holds.
*/

use super::{
    container::{Contents, Counted},
    refused::Refused,
};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read};

/// Records of a batch, at most: what the boundary to a plugin is crossed with.
pub const BATCH_RECORDS: usize = 256;
/// Bytes of a batch after which it is full, so that long records do not gather.
const BATCH_BYTES: usize = 1 << 20;
/// The longest line: some four million tokens. Tokenising takes some 130 times the memory of the
/// text, so a longer one could take the machine down before it is found too long.
pub const MAX_LINE: usize = 16 << 20;

/// One record: a line of the file that is neither blank nor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Line in the file, from 1.
    pub line: u64,
    /// Index of the record in the file, from 0; refused ones count, blank lines do not.
    pub record: u64,
    /// Byte in the file where the line begins.
    pub offset: u64,
    start: usize,
    end: usize,
}

/// Some consecutive lines.
#[derive(Debug, Default)]
pub struct Lines {
    text: String,
    /// What their numbers count.
    pub counted: Counted,
    /// The records, in order.
    pub rows: Vec<Row>,
    /// The lines that are no text, in order.
    pub refused: Vec<Refused>,
    /// Lines with nothing but whitespace.
    pub blank: u64,
}

impl Lines {
    /// The text of a row, without its line end.
    #[must_use]
    pub fn text(&self, row: &Row) -> &str {
        &self.text[row.start..row.end]
    }

    /// A row that is wrong at a byte of its text.
    #[must_use]
    pub fn refuse(&self, row: &Row, at: Option<usize>, error: Error) -> Refused {
        // The column, from 1 and in characters.
        let before = |at| self.text(row).char_indices().take_while(|(i, _)| *i < at).count();
        let column = at.filter(|_| self.counted.has_columns()).map(|at| before(at) as u64 + 1);
        self.refused_at(row.line, row.record, column, error)
    }

    fn refused_at(&self, line: u64, record: u64, column: Option<u64>, mut error: Error) -> Refused {
        if let Some(note) = self.counted.note() {
            error.hint = Some(match error.hint.take() {
                Some(hint) => format!("{hint}; {note}"),
                None => note.to_owned(),
            });
        }
        let column = column.filter(|_| self.counted.has_columns());
        Refused::new(line, record, column, error)
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    fn is_full(&self) -> bool {
        self.rows.len() + self.refused.len() >= BATCH_RECORDS || self.text.len() >= BATCH_BYTES
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.refused.is_empty() && self.blank == 0
    }
}

/// Reads lines.
pub struct Reader {
    input: BufReader<Box<dyn Read>>,
    counted: Counted,
    limit: u64,
    line: u64,
    record: u64,
    offset: u64,
    hash: Sha256,
    buffer: Vec<u8>,
    /// What ended the reading, to be told next.
    damaged: Option<std::io::Error>,
}

/// What a file was, once it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    /// Bytes read.
    pub bytes: u64,
    /// sha256 of these bytes, in hex.
    pub sha256: String,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("line", &self.line).finish_non_exhaustive()
    }
}

/// How a line ended.
enum LineEnd {
    /// There was no further line.
    None,
    /// It is in the buffer.
    Read,
    /// It is longer than [`MAX_LINE`] and was read past.
    TooLong,
}

impl Reader {
    /// Reads at most `limit` records.
    #[must_use]
    pub fn new(contents: Contents, limit: Option<u64>) -> Self {
        Self {
            input: BufReader::with_capacity(256 << 10, contents.input),
            counted: contents.counted,
            limit: limit.unwrap_or(u64::MAX),
            line: 0,
            record: 0,
            offset: 0,
            hash: Sha256::new(),
            buffer: Vec::new(),
            damaged: None,
        }
    }

    /// The next lines; None at the end.
    ///
    /// # Errors
    /// If the file cannot be read: a data error that tells the line where what is in it is to blame.
    pub fn next_lines(&mut self) -> Result<Option<Lines>> {
        let mut lines = Lines { counted: self.counted, ..Lines::default() };
        while !lines.is_full() && self.record < self.limit {
            let offset = self.offset;
            let end = match self.next_line() {
                Ok(end) => end,
                Err(e) => match super::container::damage(&e) {
                    // What came before it is handed on first.
                    Some(_) if !lines.is_empty() => {
                        self.damaged = Some(e);
                        break;
                    }
                    Some(error) => return Err(error.place("", Some(self.line.max(1)), None)),
                    None => return Err(Error::failed(format!("read: {e}"))),
                },
            };
            match end {
                LineEnd::None => break,
                LineEnd::TooLong => {
                    let message = format!("the line is longer than {} MiB", MAX_LINE >> 20);
                    let error = Error::data(message)
                        .hint("one line is one conversation: is the file one JSON value?");
                    let refused = lines.refused_at(self.line, self.record, Some(1), error);
                    lines.refused.push(refused);
                    self.record += 1;
                }
                LineEnd::Read => self.take_line(offset, &mut lines),
            }
        }
        Ok(if lines.is_empty() { None } else { Some(lines) })
    }

    /// What the numbers of its lines count.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// What was read so far, of the text.
    #[must_use]
    pub fn digest(&self) -> Digested {
        Digested { bytes: self.offset, sha256: crate::text::hex(&self.hash.clone().finalize()) }
    }

    fn take_line(&mut self, offset: u64, lines: &mut Lines) {
        let mut bytes = self.buffer.as_slice();
        if self.line == 1 {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            lines.blank += 1;
        } else {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    let start = lines.text.len();
                    lines.text.push_str(text.trim_ascii_end());
                    let end = lines.text.len();
                    let (line, record) = (self.line, self.record);
                    lines.rows.push(Row { line, record, offset, start, end });
                }
                Err(e) => {
                    let before = String::from_utf8_lossy(&bytes[..e.valid_up_to()]);
                    let column = before.chars().count() as u64 + 1;
                    let byte = bytes.get(e.valid_up_to()).copied().unwrap_or_default();
                    let error = Error::data(format!("not valid UTF-8: byte 0x{byte:02X}"))
                        .hint("convert the file to UTF-8, such as with `iconv`");
                    let refused = lines.refused_at(self.line, self.record, Some(column), error);
                    lines.refused.push(refused);
                }
            }
            self.record += 1;
        }
        if self.buffer.capacity() > BATCH_BYTES {
            self.buffer = Vec::new();
        }
    }

    /// Reads one line into the buffer, without its line feed.
    fn next_line(&mut self) -> std::io::Result<LineEnd> {
        if let Some(e) = self.damaged.take() {
            return Err(e);
        }
        self.buffer.clear();
        let (mut any, mut too_long) = (false, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if chunk.is_empty() {
                break;
            }
            if !any {
                any = true;
                self.line += 1;
            }
            let feed = chunk.iter().position(|b| *b == b'\n');
            let body = &chunk[..feed.unwrap_or(chunk.len())];
            too_long |= self.buffer.len() + body.len() > MAX_LINE;
            if too_long {
                self.buffer = Vec::new();
            } else {
                self.buffer.extend_from_slice(body);
            }
            let used = body.len() + usize::from(feed.is_some());
            if self.counted != Counted::Decompressed && self.counted != Counted::Rows {
                self.hash.update(&chunk[..used]);
            }
            self.offset += used as u64;
            self.input.consume(used);
            if feed.is_some() {
                break;
            }
        }
        Ok(match (any, too_long) {
            (false, _) => LineEnd::None,
            (true, true) => LineEnd::TooLong,
            (true, false) => LineEnd::Read,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], limit: Option<u64>) -> (Vec<Lines>, Digested) {
        let input = Box::new(std::io::Cursor::new(bytes.to_vec()));
        let mut reader = Reader::new(Contents { input, counted: Counted::Lines }, limit);
        let mut all = Vec::new();
        while let Some(lines) = reader.next_lines().unwrap() {
            all.push(lines);
        }
        (all, reader.digest())
    }

    fn rows(lines: &Lines) -> Vec<(u64, u64, &str)> {
        lines.rows.iter().map(|r| (r.line, r.record, lines.text(r))).collect()
    }

    #[test]
    fn bom_crlf_and_blank_lines_are_no_records() {
        let (all, digest) = read(b"\xEF\xBB\xBF{1}\r\n\r\n  \t\n{2}\n{3}", None);
        assert_eq!(rows(&all[0]), [(1, 0, "{1}"), (4, 1, "{2}"), (5, 2, "{3}")]);
        assert_eq!(all[0].blank, 2);
        assert_eq!(all[0].rows[1].offset, 14);
        assert_eq!(digest.bytes, 21);
        // sha256 of "" as published in FIPS 180-4's examples.
        let (none, digest) = read(b"", None);
        assert!(none.is_empty());
        assert!(digest.sha256.starts_with("e3b0c44298fc1c14"));
    }

    #[test]
    fn bad_utf8_is_refused_by_place_and_the_rest_is_read() {
        let (all, _) = read(b"{1}\n{\"\xC3\xA9\xFF\"}\n{3}\n", None);
        assert_eq!(rows(&all[0]), [(1, 0, "{1}"), (3, 2, "{3}")]);
        let refused = &all[0].refused[0];
        // `{`, `"`, `é`: the bad byte is the fourth character.
        assert_eq!((refused.line, refused.record, refused.column), (2, 1, Some(4)));
        assert!(refused.error.message.contains("0xFF"), "{}", refused.error);
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_and_read_past() {
        let mut bytes = vec![b'a'; MAX_LINE + 1];
        bytes.extend_from_slice(b"\n{2}\n");
        let (all, digest) = read(&bytes, None);
        assert_eq!(all[0].refused[0].line, 1);
        assert!(all[0].refused[0].error.message.contains("16 MiB"));
        assert_eq!(rows(&all[0]), [(2, 1, "{2}")]);
        assert_eq!(digest.bytes, bytes.len() as u64);
    }

    #[test]
    fn a_limit_counts_records() {
        let (all, digest) = read(b"{1}\n\n{2}\n{3}\n", Some(2));
        assert_eq!(rows(&all[0]), [(1, 0, "{1}"), (3, 1, "{2}")]);
        assert_eq!(digest.bytes, 9);
    }

    proptest! {
        /// Reference: splitting at line feeds in memory.
        #[test]
        fn any_bytes_every_line_is_a_row_or_refused_or_blank(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(b' '), Just(b'{'), any::<u8>()], 0..4000),
        ) {
            let (all, digest) = read(&bytes, None);
            let mut expected: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
            if expected.last().is_some_and(|l| l.is_empty()) {
                expected.pop();
            }
            let lines: usize = all
                .iter()
                .map(|l| l.rows.len() + l.refused.len() + l.blank as usize)
                .sum();
            prop_assert_eq!(lines, expected.len());
            prop_assert_eq!(digest.bytes, bytes.len() as u64);
            for lines in &all {
                prop_assert!(lines.rows.len() + lines.refused.len() <= BATCH_RECORDS);
                for row in &lines.rows {
                    let line = expected[row.line as usize - 1];
                    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
                    prop_assert_eq!(lines.text(row), std::str::from_utf8(line).unwrap().trim_ascii_end());
                }
            }
        }
    }
}
