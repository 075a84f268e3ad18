/*!
A JSON array as lines, an element a line, without holding more than a buffer of it.

Only brackets and strings are looked at. Line breaks within an element become spaces, so that it
stands on one line; whether it is JSON is found out when it is read.
*/

use super::Damage;
use std::io::{BufRead, Error, Read, Result};

/// Where in the array the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the opening bracket.
    Start,
    /// Within the array; brackets of the element that are open.
    Element(u32),
    /// Behind the closing bracket.
    End,
}

/// Reads elements as lines.
pub(super) struct Array<R> {
    input: R,
    at: At,
    string: bool,
    escaped: bool,
    /// Whether the element has begun: white space before it is left out.
    begun: bool,
    /// What ended the reading, to be told next.
    failed: Option<Error>,
}

impl<R: BufRead> Array<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, at: At::Start, string: false, escaped: false, begun: false, failed: None }
    }

    /// What a byte becomes; None: nothing.
    fn next(&mut self, byte: u8) -> Result<Option<u8>> {
        let depth = match self.at {
            At::Start => {
                if byte == b'[' {
                    self.at = At::Element(0);
                }
                return Ok(None);
            }
            At::End if byte.is_ascii_whitespace() => return Ok(None),
            At::End => {
                return Err(Damage::error(
                    "something follows the JSON array",
                    "a file is one array of records, or has one record a line",
                ));
            }
            At::Element(depth) => depth,
        };
        if self.string {
            // A raw line break in a string is no JSON. It must not end the line; another character
            // that is none either stands for it.
            let shown = if matches!(byte, b'\n' | b'\r') { 1 } else { byte };
            (self.string, self.escaped) = match (self.escaped, byte) {
                (true, _) => (true, false),
                (false, b'\\') => (true, true),
                (false, b'"') => (false, false),
                (false, _) => (true, false),
            };
            return Ok(Some(shown));
        }
        match byte {
            b',' if depth == 0 => {
                self.begun = false;
                return Ok(Some(b'\n'));
            }
            b']' if depth == 0 => {
                self.at = At::End;
                // The last element's line ends as the others do.
                return Ok(self.begun.then_some(b'\n'));
            }
            b'[' | b'{' => self.at = At::Element(depth + 1),
            b']' | b'}' => self.at = At::Element(depth.saturating_sub(1)),
            b'"' => self.string = true,
            b' ' | b'\t' | b'\n' | b'\r' if !self.begun => return Ok(None),
            b'\n' | b'\r' => return Ok(Some(b' ')),
            _ => {}
        }
        self.begun = true;
        Ok(Some(byte))
    }
}

impl<R: BufRead> Read for Array<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        let mut written = 0;
        while written == 0 && !buffer.is_empty() {
            // `self.next` needs all of self: the chunk is copied, a buffer's worth at a time.
            let chunk = self.input.fill_buf()?;
            let taken = chunk.len().min(buffer.len());
            if taken == 0 {
                if self.at == At::End {
                    return Ok(0);
                }
                return Err(Damage::error(
                    "the JSON array does not end",
                    "the file is incomplete: copy or write it again",
                ));
            }
            buffer[..taken].copy_from_slice(&chunk[..taken]);
            self.input.consume(taken);
            for i in 0..taken {
                // What comes out is never more than what went in.
                match self.next(buffer[i]) {
                    Ok(Some(byte)) => {
                        buffer[written] = byte;
                        written += 1;
                    }
                    Ok(None) => {}
                    // What came before it is handed on first.
                    Err(e) if written > 0 => {
                        self.failed = Some(e);
                        return Ok(written);
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(written)
    }
}
