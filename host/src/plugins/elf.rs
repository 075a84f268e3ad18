/*!
A look at an ELF file before the system's loader maps it.

A truncated library makes `dlopen` touch pages behind the end of the file, and the process dies of
SIGBUS: no error handling catches that. So everything the headers point at must lie inside the file.
This is no proof that the library is sound; only its hash says that it is the one that was tried.
*/

use crate::{Error, Result};
use std::ops::Range;

/// Prefix of the symbol that makes a library a plugin.
pub(super) const SYMBOL_PREFIX: &str = "tinsmith_plugin_";

const SECTION_NO_BITS: u32 = 8;
const SECTION_DYNAMIC_SYMBOLS: u32 = 11;

/// `e_machine` of the machine this program was built for, with its name.
const MACHINE: Option<u16> = if cfg!(target_arch = "x86_64") {
    Some(62)
} else if cfg!(target_arch = "aarch64") {
    Some(183)
} else if cfg!(target_arch = "riscv64") {
    Some(243)
} else {
    None
};

/// Whether this system's libraries are ELF files.
pub(super) const USED_HERE: bool = cfg!(all(unix, not(target_vendor = "apple")));

/// Checks headers, segments and sections of a shared library.
///
/// # Errors
/// `failed` with what is wrong: no ELF file, another machine, no library, or cut short.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let elf = Elf::read(bytes)?;
    for i in 0..elf.segments.count {
        let at = elf.segments.at(i);
        let (offset, size) = (elf.u64(at + 8)?, elf.u64(at + 32)?);
        elf.inside(offset, size)?;
    }
    for i in 0..elf.sections.count {
        elf.section(i)?;
    }
    Ok(())
}

/// Names of the dynamic symbols that make this library a plugin.
///
/// # Errors
/// As [`check`].
pub(super) fn plugin_symbols(bytes: &[u8]) -> Result<Vec<String>> {
    let elf = Elf::read(bytes)?;
    let mut found = Vec::new();
    for i in 0..elf.sections.count {
        let section = elf.section(i)?;
        if section.kind != SECTION_DYNAMIC_SYMBOLS {
            continue;
        }
        let names = elf.section(section.link as usize)?.range;
        for symbol in section.range.step_by(24) {
            let defined = elf.u16(symbol + 6)? != 0;
            let name = names.start.saturating_add(elf.u32(symbol)? as usize);
            if let Some(name) = elf.name(name..names.end)
                && defined
                && name.starts_with(SYMBOL_PREFIX)
            {
                found.push(name.to_owned());
            }
        }
    }
    Ok(found)
}

struct Elf<'a> {
    bytes: &'a [u8],
    segments: Table,
    sections: Table,
}

/// A table of headers.
#[derive(Clone, Copy)]
struct Table {
    offset: usize,
    entry: usize,
    count: usize,
}

impl Table {
    fn at(self, i: usize) -> usize {
        self.offset + i * self.entry
    }
}

struct Section {
    kind: u32,
    link: u32,
    range: Range<usize>,
}

impl<'a> Elf<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(broken("the file is empty"));
        }
        if !bytes.starts_with(b"\x7fELF") {
            return Err(broken("the file is no shared library (no ELF header)"));
        }
        let empty = Table { offset: 0, entry: 0, count: 0 };
        let mut elf = Self { bytes, segments: empty, sections: empty };
        // Class 2 is 64 bit, data 1 is little-endian: the systems this program is built for.
        let machine = elf.u16(18)?;
        if bytes.get(4) != Some(&2) || bytes.get(5) != Some(&1) {
            return Err(other_machine("it is no 64-bit little-endian library"));
        }
        if MACHINE.is_some_and(|ours| ours != machine) {
            return Err(other_machine(&format!("its machine number is {machine}")));
        }
        if elf.u16(16)? != 3 {
            return Err(broken("the file is an ELF file but no shared library"));
        }
        elf.segments = elf.table(32, 54, 56)?;
        elf.sections = elf.table(40, 58, 60)?;
        Ok(elf)
    }

    /// A table whose offset, entry size and count stand at these bytes of the header.
    fn table(&self, offset: usize, entry: usize, count: usize) -> Result<Table> {
        let (start, entry, count) = (self.u64(offset)?, self.u16(entry)?, self.u16(count)?);
        let smallest = if offset == 32 { 56 } else { 64 };
        if count > 0 && usize::from(entry) < smallest {
            return Err(broken("the headers of the library are damaged"));
        }
        let range = self.inside(start, u64::from(entry) * u64::from(count))?;
        Ok(Table { offset: range.start, entry: entry.into(), count: count.into() })
    }

    fn section(&self, i: usize) -> Result<Section> {
        if i >= self.sections.count {
            return Err(broken("the sections of the library are damaged"));
        }
        let at = self.sections.at(i);
        let (kind, link) = (self.u32(at + 4)?, self.u32(at + 40)?);
        let (offset, size) = (self.u64(at + 24)?, self.u64(at + 32)?);
        // Sections without bytes in the file only have a size in memory.
        let range = match kind {
            0 | SECTION_NO_BITS => 0..0,
            _ => self.inside(offset, size)?,
        };
        Ok(Section { kind, link, range })
    }

    /// A range of the file, if it lies inside.
    fn inside(&self, offset: u64, size: u64) -> Result<Range<usize>> {
        let end = offset.checked_add(size).filter(|end| *end <= self.bytes.len() as u64);
        match (usize::try_from(offset), end.map(usize::try_from)) {
            (Ok(start), Some(Ok(end))) => Ok(start..end),
            _ => Err(truncated()),
        }
    }

    fn field<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        let bytes = at.checked_add(N).and_then(|end| self.bytes.get(at..end));
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(truncated)
    }

    fn u16(&self, at: usize) -> Result<u16> {
        self.field(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32> {
        self.field(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64> {
        self.field(at).map(u64::from_le_bytes)
    }

    fn name(&self, range: Range<usize>) -> Option<&'a str> {
        let bytes = self.bytes.get(range)?;
        let end = bytes.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&bytes[..end]).ok()
    }
}

fn broken(message: &str) -> Error {
    Error::failed(message)
        .hint("name the `.so` file that `cargo build --release` made, or its folder")
}

fn truncated() -> Error {
    Error::failed("the library is cut short: its headers point behind the end of the file")
        .hint("copy or build it again")
}

fn other_machine(detail: &str) -> Error {
    let ours = std::env::consts::ARCH;
    Error::failed(format!("the library was built for another machine: {detail}, this is {ours}"))
        .hint(format!("build it for {ours}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ourselves() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn every_truncation_is_found() {
        // The test binary itself is a position-independent ELF file, of type 3 like a library.
        let bytes = ourselves();
        check(&bytes).unwrap();
        let steps = (0..64).map(|i| bytes.len() * i / 64).chain([1, 15, 63, 64, 100]);
        for length in steps.chain([bytes.len() - 1]) {
            assert!(check(&bytes[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn damaged_headers_never_panic() {
        let mut bytes = ourselves();
        bytes.truncate(4096);
        for at in 0..64 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let _ = check(&damaged);
                let _ = plugin_symbols(&damaged);
            }
        }
    }

    #[test]
    fn another_machine_is_told_apart_from_rubbish() {
        let mut bytes = ourselves();
        bytes[18..20].copy_from_slice(&40_u16.to_le_bytes());
        assert!(check(&bytes).unwrap_err().to_string().contains("another machine"));
        assert!(check(b"hello").unwrap_err().to_string().contains("no shared library"));
        assert!(check(b"").unwrap_err().to_string().contains("empty"));
    }
}
