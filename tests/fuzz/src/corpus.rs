//! The inputs that libFuzzer found to differ, one a line, in hex: one file instead of hundreds.

use std::{fs, io, path::Path};

/// Reads the inputs of a file.
///
/// # Errors
/// If it cannot be read, or a line is no hex.
pub fn read(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    fs::read_to_string(path)?.lines().map(bytes).collect()
}

/// Writes inputs in an order that does not depend on how they were found.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, mut inputs: Vec<Vec<u8>>) -> io::Result<()> {
    inputs.sort();
    inputs.dedup();
    let lines: Vec<String> = inputs.iter().map(|input| tinsmith::text::hex(input) + "\n").collect();
    fs::write(path, lines.concat())
}

fn bytes(line: &str) -> io::Result<Vec<u8>> {
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Option<Vec<u8>> = line.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no hex: {line:?}")))
}
