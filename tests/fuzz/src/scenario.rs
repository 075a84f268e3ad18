//! What an input means.

use crate::{
    rows,
    text::{byte, pick, seldom},
    tools::FAMILIES,
};
use arbitrary::Unstructured;
use serde::de::IgnoredAny;
use std::{collections::BTreeMap, fmt, io::Write};
use tinsmith::{
    config::{Fields, Format, Overlong},
    data::Mapping,
};

const TRAIN_ON: [&str; 7] = [
    "all_assistant_messages",
    "last_assistant_message",
    "last_assistant_turn",
    "all_messages",
    "all_tokens",
    "all_user_and_system_messages",
    "customized",
];

const PARQUET: [&[u8]; 3] = [
    include_bytes!("../../fixtures/data/chats.none.parquet"),
    include_bytes!("../../fixtures/data/chats.zstd.parquet"),
    include_bytes!("../../fixtures/data/chats.v2.parquet"),
];

/// What the rows are put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// JSON Lines.
    Plain,
    /// JSON Lines in gzip, in one member or several.
    Gzip,
    /// JSON Lines in zstd.
    Zstd,
    /// A JSON array.
    Array,
    /// A table of the fixtures; the rows are left out.
    Parquet,
}

/// A file, and how it is read.
#[derive(Clone)]
pub struct Scenario {
    /// Index among the renderers that are tried.
    pub family: usize,
    /// As in a config.
    pub train_on: &'static str,
    /// As in a config.
    pub split: &'static str,
    /// As in a config.
    pub overlong: Overlong,
    /// As in a config.
    pub max_length: usize,
    /// Whether copies are left out.
    pub dedupe: bool,
    /// How rows are read.
    pub mapping: Mapping,
    /// Records that are read at most.
    pub limit: Option<u64>,
    /// What the rows are in.
    pub container: Container,
    /// Whether bytes of the container were changed.
    pub damaged: bool,
    /// The rows as JSON Lines.
    pub text: Vec<u8>,
    /// The file.
    pub file: Vec<u8>,
    /// Sampled tokens.
    pub sampled: Vec<i32>,
}

impl Scenario {
    /// That of an input. Every input has one.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        let u = &mut Unstructured::new(data);
        let family = usize::from(byte(u)) % FAMILIES.len();
        let train_on = pick(u, &TRAIN_ON);
        let split = pick(u, &["auto", "never"]);
        let limits = byte(u);
        let overlong = [
            Overlong::Drop,
            Overlong::DropTurns,
            Overlong::TruncateLeft,
            Overlong::TruncateRight,
            Overlong::Error,
        ][usize::from(limits) % 5];
        let max_length = match limits >> 6 {
            0 | 1 => 1 << 14,
            2 => usize::from(byte(u)) + 2,
            _ => usize::from(byte(u) % 32) + 1,
        };
        let kind = byte(u);
        let format = rows::FORMATS[usize::from(kind) % rows::FORMATS.len()];
        let container = match kind >> 3 {
            0..=19 => Container::Plain,
            20..=22 => Container::Gzip,
            23 | 24 => Container::Zstd,
            25..=30 => Container::Array,
            _ => Container::Parquet,
        };
        let flags = byte(u);
        let mapping = mapping(u, format, flags);
        let sampled = sampled(u);
        let mut lines = Vec::new();
        while !u.is_empty() && lines.len() < 8 {
            let other = seldom(u, 10);
            let of = if other { rows::FORMATS[usize::from(byte(u)) % 8] } else { format };
            lines.push(rows::row(u, of));
        }
        if flags & 0xc0 == 0xc0 {
            // Copies; and more rows than one batch holds.
            let times = if flags & 1 == 0 { 2 } else { 300 / lines.len().max(1) + 1 };
            lines = vec![lines; times].concat();
        }
        let text = text(&lines, flags);
        let mut file = contained(&text, container, flags);
        let damaged = match container {
            Container::Plain => false,
            _ => flags & 0x18 == 0x18 && damage(data, &mut file),
        };
        let limit = (flags & 0x24 == 0x24).then(|| u64::from(data[0] % 5));
        Self {
            family,
            train_on,
            split,
            overlong,
            max_length,
            dedupe: flags & 2 != 0,
            mapping,
            limit,
            container,
            damaged,
            text,
            file,
            sampled,
        }
    }

    /// The same rows, where reading them must come to the same: in a plain file, or, for a plain
    /// file, once more.
    #[must_use]
    pub fn plain(&self) -> Option<Self> {
        let comes_to_the_same = match self.container {
            // Half of them, since it takes the time again.
            Container::Plain => self.dedupe,
            Container::Gzip | Container::Zstd => !self.damaged,
            Container::Array => !self.damaged && self.holds_json(),
            Container::Parquet => false,
        };
        let plain = Self { container: Container::Plain, file: self.text.clone(), ..self.clone() };
        comes_to_the_same.then_some(plain)
    }

    /// Whether every line is JSON, so that brackets and commas are where they seem.
    fn holds_json(&self) -> bool {
        let text = self.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.text);
        let mut lines = text.split(|b| *b == b'\n').filter(|line| !is_blank(line));
        !is_array(text) && lines.all(|line| serde_json::from_slice::<IgnoredAny>(line).is_ok())
    }
}

/// Whether a text is read as an array.
pub fn is_array(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[')
}

/// Whether a line is no record.
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

fn mapping(u: &mut Unstructured<'_>, format: Format, flags: u8) -> Mapping {
    let auto = flags & 1 == 0 && format != Format::Record;
    let mut mapping = Mapping::plain(if auto { Format::Auto } else { format });
    if flags & 0x30 == 0x30 {
        let name = |u: &mut Unstructured<'_>| match byte(u) % 3 {
            0 => None,
            1 => Some(pick(u, &["messages", "role", "content", "prompt", "text"]).to_owned()),
            _ => Some(pick(u, &["conversations", "from", "value", "x", ""]).to_owned()),
        };
        mapping.fields =
            Fields { messages: name(u), role: name(u), content: name(u), ..Fields::default() };
        if byte(u) % 2 == 1 {
            mapping.fields.prompt = name(u);
            mapping.fields.tokens = name(u);
            mapping.columns = Some(vec!["advantages".to_owned()]);
        }
        let roles = [("bot", "assistant"), ("user", "assistant"), ("human", "user")];
        mapping.roles = BTreeMap::from_iter(
            roles.iter().take(usize::from(byte(u) % 4)).map(|(a, b)| ((*a).into(), (*b).into())),
        );
    }
    mapping
}

fn sampled(u: &mut Unstructured<'_>) -> Vec<i32> {
    (0..byte(u) % 24)
        .map(|_| match byte(u) {
            // Control tokens are the last fifty.
            id @ 0..=127 => 1100 + i32::from(id % 50),
            id @ 128..=250 => i32::from(id - 128) * 9,
            251 => -1,
            252 => 1150,
            253 => i32::MAX,
            254 => i32::MIN,
            _ => i32::from(byte(u)) << 4,
        })
        .collect()
}

fn text(lines: &[Vec<u8>], flags: u8) -> Vec<u8> {
    let mut text = Vec::new();
    if flags & 0x0c == 0x0c {
        text.extend(b"\xef\xbb\xbf");
    }
    let end: &[u8] = match flags & 0x14 {
        0x14 => b"\r\n",
        0x04 => b"\n\n",
        _ => b"\n",
    };
    for line in lines {
        text.extend(line);
        text.extend(end);
    }
    if flags & 0x40 != 0 {
        text.pop();
    }
    text
}

fn contained(text: &[u8], container: Container, flags: u8) -> Vec<u8> {
    let fine = |e: std::io::Error| -> ! { panic!("compress into memory: {e}") };
    let gzip = |part: &[u8]| {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all(part).unwrap_or_else(|e| fine(e));
        to.finish().unwrap_or_else(|e| fine(e))
    };
    match container {
        Container::Plain => text.to_vec(),
        Container::Gzip => {
            let (first, rest) = text.split_at(if flags & 2 == 0 { 0 } else { text.len() / 2 });
            if first.is_empty() { gzip(text) } else { [gzip(first), gzip(rest)].concat() }
        }
        Container::Zstd => zstd::encode_all(text, 1).unwrap_or_else(|e| fine(e)),
        Container::Array => {
            let bom = text.starts_with(b"\xef\xbb\xbf");
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            let lines: Vec<&[u8]> =
                text.split(|b| *b == b'\n').filter(|line| !is_blank(line)).collect();
            let comma: &[u8] = if flags & 2 == 0 { b"," } else { b" ,\n  " };
            let head: &[u8] = if bom { b"\xef\xbb\xbf[" } else { b"[" };
            [head, &lines.join(comma), b"]\n"].concat()
        }
        Container::Parquet => PARQUET[usize::from(flags) % PARQUET.len()].to_vec(),
    }
}

/// Changes some bytes: where, the input's last bytes say.
fn damage(data: &[u8], file: &mut Vec<u8>) -> bool {
    let before = file.clone();
    for change in data.rchunks(4).take(usize::from(data[0] % 4) + 1) {
        let [kind, high, low, byte] = *change else { break };
        let at = usize::from(u16::from_be_bytes([high, low])) % file.len().max(1);
        match kind % 4 {
            0 => file.truncate(at),
            1 if at < file.len() => file[at] ^= byte,
            2 => file.insert(at, byte),
            _ => file.extend([byte; 5]),
        }
    }
    *file != before
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { train_on, split, overlong, max_length, dedupe, mapping, .. } = self;
        let Self { limit, container, damaged, .. } = self;
        writeln!(f, "{} train_on={train_on} split={split}", FAMILIES[self.family].name)?;
        writeln!(f, "{overlong:?} at {max_length}, dedupe={dedupe}, limit={limit:?}")?;
        writeln!(f, "{container:?}, damaged={damaged}, {} bytes", self.file.len())?;
        writeln!(f, "{mapping:?}")?;
        writeln!(f, "sampled {:?}", self.sampled)?;
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}
