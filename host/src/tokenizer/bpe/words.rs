//! The words that were met, with their tokens: chat repeats itself.
//!
//! Two tables of fixed size, one of small entries for nearly all words and one of larger entries. An
//! entry holds its word and its tokens, so a hit costs one cache line; a new word takes the place of
//! one of the two that it could have.

use super::index::mix;

/// Entries of each table, powers of two.
const SMALL: usize = 1 << 15;
const LARGE: usize = 1 << 13;

/// A bounded cache of words.
#[derive(Debug)]
pub struct Words {
    small: Vec<Entry<1, 3>>,
    large: Vec<Entry<2, 7>>,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Entry<const KEY: usize, const IDS: usize> {
    /// The bytes of the word, filled up with zeros.
    key: [u128; KEY],
    ids: [i32; IDS],
    /// Length of the word in bytes; 0 in an entry that is free.
    len: u8,
    count: u8,
}

impl<const KEY: usize, const IDS: usize> Entry<KEY, IDS> {
    const FREE: Self = Self { key: [0; KEY], ids: [0; IDS], len: 0, count: 0 };

    #[inline]
    fn is(&self, key: &[u128; KEY], len: usize) -> bool {
        self.key == *key && usize::from(self.len) == len
    }
}

/// A word as the tables want it.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// Up to 16 bytes.
    Small([u128; 1], usize),
    /// Up to 32 bytes.
    Large([u128; 2], usize),
    /// Not kept.
    Long,
}

impl Key {
    /// The word that lies at `start..end` of a text.
    #[inline]
    pub fn of(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        match len {
            1..=16 => Self::Small([load(text, start, len)], len),
            17..=32 => Self::Large([load(text, start, 16), load(text, start + 16, len - 16)], len),
            _ => Self::Long,
        }
    }
}

/// `len` bytes, 1 to 16, filled up with zeros.
#[inline]
fn load(text: &[u8], start: usize, len: usize) -> u128 {
    if let Some(chunk) = text[start..].first_chunk::<16>() {
        return u128::from_le_bytes(*chunk) & (u128::MAX >> (128 - 8 * len));
    }
    let mut chunk = [0; 16];
    chunk[..len].copy_from_slice(&text[start..start + len]);
    u128::from_le_bytes(chunk)
}

#[inline]
fn slot<const KEY: usize>(key: &[u128; KEY], len: usize, entries: usize) -> usize {
    let mut state = len as u64;
    for part in key {
        state = mix(*part as u64 ^ state, (*part >> 64) as u64);
    }
    state as usize & (entries - 1)
}

impl Default for Words {
    fn default() -> Self {
        Self { small: vec![Entry::FREE; SMALL], large: vec![Entry::FREE; LARGE] }
    }
}

impl Words {
    /// The tokens of a word, if it is known.
    #[inline]
    pub fn get(&self, key: &Key) -> Option<&[i32]> {
        match key {
            Key::Small(key, len) => find(&self.small, key, *len),
            Key::Large(key, len) => find(&self.large, key, *len),
            Key::Long => None,
        }
    }

    /// Keeps the tokens of a word, if there is room for them.
    pub fn put(&mut self, key: &Key, ids: &[u32]) {
        match key {
            Key::Small(key, len) => keep(&mut self.small, key, *len, ids),
            Key::Large(key, len) => keep(&mut self.large, key, *len, ids),
            Key::Long => {}
        }
    }
}

#[inline]
fn find<'a, const KEY: usize, const IDS: usize>(
    entries: &'a [Entry<KEY, IDS>],
    key: &[u128; KEY],
    len: usize,
) -> Option<&'a [i32]> {
    let slot = slot(key, len, entries.len());
    let entry = [slot, slot ^ 1].map(|at| &entries[at]).into_iter().find(|e| e.is(key, len))?;
    entry.ids.get(..usize::from(entry.count))
}

fn keep<const KEY: usize, const IDS: usize>(
    entries: &mut [Entry<KEY, IDS>],
    key: &[u128; KEY],
    len: usize,
    ids: &[u32],
) {
    if ids.len() > IDS {
        return;
    }
    let slot = slot(key, len, entries.len());
    let mut entry = Entry { key: *key, ids: [0; IDS], len: len as u8, count: ids.len() as u8 };
    for (to, id) in entry.ids.iter_mut().zip(ids) {
        *to = *id as i32;
    }
    // The newer of the two moves over, and the older one goes.
    entries[slot ^ 1] = entries[slot];
    entries[slot] = entry;
}
