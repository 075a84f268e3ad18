/*!
What a dataset's file is, told by its first bytes, and its records as lines of text whatever it is.

```text
gzip, zstd ──decompress──▶ text ──┬─ begins with `[`: a JSON array ──▶ an element a line
plain ─────────────────────▶ text ┴─ JSON Lines ────────────────────▶ as it is
Parquet ────────────────────────────────────────────────────────────▶ a row a line
```

All of it streams: what is in memory is the decoder's window, or a page of each Parquet column.
*/

mod array;
mod damage;
mod parquet;

use crate::{Error, Result};
use array::Array;
use damage::{Damage, Watched};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    path::Path,
};

/// What the numbers of lines count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// Lines of the file.
    #[default]
    Lines,
    /// Lines of the text that the file decompresses to.
    Decompressed,
    /// Elements of a JSON array.
    Elements,
    /// Rows of a table.
    Rows,
}

impl Counted {
    /// What a reader of an error must know of its place.
    #[must_use]
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Lines => None,
            Self::Decompressed => Some("the line is that of the decompressed text"),
            Self::Elements => Some("the number is that of the array's element, from 1"),
            Self::Rows => Some("the number is that of the row, from 1"),
        }
    }

    /// Whether columns are those of the file's text.
    #[must_use]
    pub fn has_columns(self) -> bool {
        matches!(self, Self::Lines | Self::Decompressed)
    }

    /// Whether a byte of the lines is a byte of the file.
    #[must_use]
    pub fn is_seekable(self) -> bool {
        self == Self::Lines
    }
}

/// The lines of a file.
pub struct Contents {
    /// The text.
    pub input: Box<dyn Read>,
    /// What its lines are.
    pub counted: Counted,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").field("counted", &self.counted).finish_non_exhaustive()
    }
}

/// Containers that are known and not read: how they begin, what they are, what to do.
const OTHERS: [(&[u8], &str, &str); 6] = [
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"BZh", "compressed with bzip2", "`bunzip2` it, or compress with gzip or zstd"),
    (b"\xFD7zXZ\x00", "compressed with xz", "`unxz` it, or compress with gzip or zstd"),
    (b"\x04\x22\x4D\x18", "compressed with lz4", "`unlz4` it, or compress with gzip or zstd"),
    (b"ARROW1", "an Arrow file", "write it as Parquet or JSON Lines"),
    (b"Obj\x01", "an Avro file", "write it as Parquet or JSON Lines"),
];

const GZIP: &[u8] = b"\x1F\x8B";
const ZSTD: &[u8] = b"\x28\xB5\x2F\xFD";
const PARQUET: &[u8] = b"PAR1";

/// Opens the lines of a file.
///
/// # Errors
/// A data error for a container that is not read, or whose head is damaged; a failure if the file
/// cannot be read.
pub fn open(mut file: File, path: &Path) -> Result<Contents> {
    let failed = |e: std::io::Error| Error::io("read the dataset", path, &e);
    let mut head = [0; 8];
    let filled = fill(&mut file, &mut head).map_err(failed)?;
    let head = &head[..filled];
    let is_container = [GZIP, ZSTD, PARQUET].iter().any(|magic| head.starts_with(magic));
    // A pipe goes by once: what was looked at is put before the rest. A container is read twice.
    if file.metadata().is_ok_and(|about| about.is_file()) {
        file.rewind().map_err(failed)?;
    } else if !is_container {
        let input = Box::new(std::io::Cursor::new(head.to_vec()).chain(file));
        return Ok(lines(input, Counted::Lines));
    } else {
        let e = Error::data("a compressed file or a table cannot be read from a pipe");
        return Err(e
            .place(path, None, None)
            .hint("name the file itself, or decompress it before"));
    }
    if let Some((_, what, hint)) = OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Err(Error::data(format!("the file is {what}")).place(path, None, None).hint(*hint));
    }
    if head.starts_with(PARQUET) {
        let rows = parquet::Rows::open(file).map_err(|e| {
            Error::data(format!("not a Parquet file: {e}"))
                .place(path, None, None)
                .hint(parquet::hint(&e))
        })?;
        return Ok(Contents { input: Box::new(rows), counted: Counted::Rows });
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")) && !head.is_empty() {
        return Err(Error::data("not a Parquet file: it does not begin with `PAR1`")
            .place(path, None, None)
            .hint("name a file of JSON Lines `.jsonl`; a Git LFS pointer is to be fetched first"));
    }
    let (text, counted): (Box<dyn Read>, _) = if head.starts_with(GZIP) {
        // Several members, one after the other, are one text.
        let decoder = flate2::read::MultiGzDecoder::new(file);
        (Box::new(Watched::new(decoder, "gzip")), Counted::Decompressed)
    } else if head.starts_with(ZSTD) {
        let decoder = zstd::Decoder::new(file).map_err(failed)?;
        (Box::new(Watched::new(decoder, "zstd")), Counted::Decompressed)
    } else {
        (Box::new(file), Counted::Lines)
    };
    Ok(lines(text, counted))
}

/// The lines of a text: the elements where it is an array.
fn lines(text: Box<dyn Read>, counted: Counted) -> Contents {
    let mut text = BufReader::with_capacity(256 << 10, text);
    match begins_array(&mut text) {
        true => Contents { input: Box::new(Array::new(text)), counted: Counted::Elements },
        false => Contents { input: Box::new(text), counted },
    }
}

/// The data error of a container that turned out damaged while it was read.
#[must_use]
pub fn damage(error: &std::io::Error) -> Option<Error> {
    let damage = error.get_ref()?.downcast_ref::<Damage>()?;
    Some(Error::data(damage.to_string()).hint(damage.hint()))
}

/// Whether the first character of a text is an opening bracket. What cannot be read is told later,
/// with its place.
fn begins_array(text: &mut BufReader<Box<dyn Read>>) -> bool {
    let Ok(start) = text.fill_buf() else { return false };
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    start.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[')
}

/// As many bytes as there are, up to the length of `buffer`.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
