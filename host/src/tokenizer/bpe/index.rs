//! Hash tables of positions: what the positions stand for lies elsewhere, packed.

const EMPTY: u32 = u32::MAX;

/// Finds a position by hash. Made once, for a known number of entries.
#[derive(Debug)]
pub struct Index {
    slots: Vec<u32>,
}

impl Index {
    /// An index for this many positions.
    pub fn with_capacity(entries: usize) -> Self {
        Self { slots: vec![EMPTY; (entries * 2).next_power_of_two().max(2)] }
    }

    /// The position of this hash for which `same` holds.
    #[inline]
    pub fn find(&self, hash: u64, mut same: impl FnMut(usize) -> bool) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let at = self.slots[slot];
            if at == EMPTY {
                return None;
            }
            if same(at as usize) {
                return Some(at as usize);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Adds a position that is not yet there.
    pub fn insert(&mut self, hash: u64, at: u32) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != EMPTY {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = at;
    }
}

/// Mixes all bits into all bits (a multiplication whose halves are folded).
#[inline]
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9E37_79B9_7F4A_7C15) * u128::from(b ^ 0xD1B5_4A32_D192_ED03);
    product as u64 ^ (product >> 64) as u64
}

/// A hash of these bytes. Not for input that an enemy chooses: vocabularies only.
#[inline]
pub fn hash(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    let mut state = bytes.len() as u64;
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        state = mix(state, u64::from_le_bytes(word));
    }
    let mut word = [0; 8];
    word[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(state, u64::from_le_bytes(word))
}
