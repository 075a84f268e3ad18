//! Rows of `N` numbers each in a file: appended, then read by their index. Only what is being read is
//! in memory.

use crate::{Error, Result};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// Rows that are read at once.
const BLOCK: u64 = 1024;

/// A file just made, and what errors call it: its path, or its folder if it has no name.
pub(super) struct Made {
    pub file: File,
    pub path: PathBuf,
}

/// A file that is being written.
pub(super) struct Appender {
    file: BufWriter<File>,
    path: PathBuf,
    /// Bytes so far.
    pub bytes: u64,
}

impl Appender {
    pub fn new(Made { file, path }: Made) -> Self {
        Self { file: BufWriter::with_capacity(64 << 10, file), path, bytes: 0 }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|e| unwritten(&self.path, &e))
    }

    pub fn finish(self) -> Result<File> {
        self.file.into_inner().map_err(|e| unwritten(&self.path, e.error()))
    }
}

fn unwritten(path: &Path, e: &std::io::Error) -> Error {
    Error::io("write the prepared examples", path, e)
}

/// The folder was renamed since, perhaps: it is not named.
fn unread(name: &str, e: &std::io::Error) -> Error {
    Error::io("read the prepared examples", Path::new("examples").join(name), e)
}

/// Rows being appended.
pub(super) struct ArrayWriter<const N: usize> {
    file: Appender,
    name: &'static str,
    len: u64,
}

impl<const N: usize> ArrayWriter<N> {
    pub fn new(made: Made, name: &'static str) -> Self {
        Self { file: Appender::new(made), name, len: 0 }
    }

    pub fn push(&mut self, row: [u64; N]) -> Result<()> {
        self.len += 1;
        row.iter().try_for_each(|word| self.file.write(&word.to_le_bytes()))
    }

    pub fn finish(self) -> Result<Array<N>> {
        let Self { file, name, len } = self;
        Ok(Array { file: file.finish()?, name, len })
    }
}

/// Rows in a file.
#[derive(Debug)]
pub(super) struct Array<const N: usize> {
    file: File,
    name: &'static str,
    len: u64,
}

impl<const N: usize> Array<N> {
    const BYTES: u64 = 8 * N as u64;

    /// The rows of a file that has `len` of them.
    pub fn open(file: File, name: &'static str, len: u64) -> Result<Self> {
        let bytes = file.metadata().map_err(|e| unread(name, &e))?.len();
        if bytes != len * Self::BYTES {
            return Err(Error::failed(format!(
                "`examples/{name}` has {bytes} bytes instead of {}",
                len * Self::BYTES
            )));
        }
        Ok(Self { file, name, len })
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn get(&self, i: u64) -> Result<[u64; N]> {
        let mut row = [[0; 8]; N];
        read_at(&self.file, row.as_flattened_mut(), i * Self::BYTES)
            .map_err(|e| unread(self.name, &e))?;
        Ok(row.map(u64::from_le_bytes))
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<[u64; N]>> {
        (0..self.len).step_by(BLOCK as usize).flat_map(|start| {
            let rows = BLOCK.min(self.len - start) as usize;
            let mut block = vec![[[0; 8]; N]; rows];
            let read = read_at(
                &self.file,
                block.as_flattened_mut().as_flattened_mut(),
                start * Self::BYTES,
            );
            let failure = read.err().map(|e| Err(unread(self.name, &e)));
            let rows = if failure.is_some() { Vec::new() } else { block };
            failure.into_iter().chain(rows.into_iter().map(|row| Ok(row.map(u64::from_le_bytes))))
        })
    }
}

/// Fills `buffer` from a place in a file, whatever other readers of the file do.
#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills `buffer` from a place in a file, whatever other readers of the file do.
#[cfg(windows)]
pub(super) fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::Place, *};

    #[test]
    fn rows_come_back_by_index_and_in_order() {
        let mut writer = ArrayWriter::<2>::new(Place::Nowhere.nameless().unwrap(), "rows");
        // More than two blocks.
        let rows = 2 * BLOCK + 7;
        (0..rows).for_each(|i| writer.push([i, u64::MAX - i]).unwrap());
        let array = writer.finish().unwrap();
        assert_eq!(array.len(), rows);
        assert_eq!(array.get(BLOCK).unwrap(), [BLOCK, u64::MAX - BLOCK]);
        let all: Vec<[u64; 2]> = array.iter().map(Result::unwrap).collect();
        assert_eq!(all, (0..rows).map(|i| [i, u64::MAX - i]).collect::<Vec<_>>());
        assert!(array.get(rows).is_err());
    }

    /// A disk that is full says which file it was, and what to do.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_names_the_file() {
        let file = File::options().write(true).open("/dev/full").unwrap();
        let made = Made { file, path: "runs/1/examples/train".into() };
        let mut writer = ArrayWriter::<2>::new(made, "train");
        let e = writer.push([1, 2]).and_then(|()| writer.finish().map(drop)).unwrap_err();
        assert!(e.message.contains("`runs/1/examples/train`"), "{e}");
        assert!(e.hint.as_deref().is_some_and(|h| h.contains("free some space")), "{e}");
    }

    #[test]
    fn a_file_that_was_cut_is_no_array() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(31).unwrap();
        let e = Array::<2>::open(file, "rows", 2).unwrap_err();
        assert!(e.message.contains("31 bytes instead of 32"), "{e}");
    }
}
