//! Merging the bytes of a word, lowest rank first and leftmost among equals.

use super::{index::mix, model::Model};
use std::{cmp::Reverse, collections::BinaryHeap};

/// A pair that does not merge.
const NEVER: u32 = u32::MAX;
/// Words of more bytes are merged with a heap: looking through all pairs would take too long.
const SHORT: usize = 96;

/// What every pair of tokens becomes.
#[derive(Debug)]
pub struct Merges {
    slots: Vec<Slot>,
    shift: u32,
    /// The token of each byte.
    bytes: [u32; 256],
    /// By rank: what the pair becomes.
    merged: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    left: u32,
    right: u32,
    rank: u32,
}

/// Memory for merging, used again for every word.
#[derive(Debug, Default)]
pub struct Scratch {
    ids: Vec<u32>,
    ranks: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    heap: BinaryHeap<Reverse<(u32, u32)>>,
}

impl Merges {
    /// The table of a model, with the tokens of the bytes.
    pub fn new(model: &Model, bytes: [u32; 256]) -> Self {
        let len = (model.merges.len() * 3 / 2).next_power_of_two().max(2);
        let slots = vec![Slot { left: 0, right: 0, rank: NEVER }; len];
        let merged = model.merges.iter().map(|[_, _, id]| *id).collect();
        let mut this = Self { slots, shift: 64 - len.trailing_zeros(), bytes, merged };
        for (rank, [left, right, _]) in model.merges.iter().enumerate() {
            // The last of several has its way, as in the reference.
            let slot = this.slot(*left, *right);
            this.slots[slot] = Slot { left: *left, right: *right, rank: rank as u32 };
        }
        this
    }

    /// Where a pair is, or would be.
    #[inline]
    fn slot(&self, left: u32, right: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (mix(u64::from(left), u64::from(right)) >> self.shift) as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.rank == NEVER || (slot.left == left && slot.right == right) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    fn rank(&self, left: u32, right: u32) -> u32 {
        self.slots[self.slot(left, right)].rank
    }

    /// The tokens of a word.
    #[inline]
    pub fn merge<'a>(&self, word: &[u8], scratch: &'a mut Scratch) -> &'a [u32] {
        scratch.ids.clear();
        scratch.ids.extend(word.iter().map(|b| self.bytes[usize::from(*b)]));
        scratch.ranks.clear();
        scratch.ranks.extend(scratch.ids.windows(2).map(|w| self.rank(w[0], w[1])));
        if word.len() <= SHORT {
            self.merge_short(&mut scratch.ids, &mut scratch.ranks);
        } else {
            self.merge_long(scratch);
        }
        &scratch.ids
    }

    /// `ranks[i]` is that of `ids[i]` and `ids[i + 1]`.
    fn merge_short(&self, ids: &mut Vec<u32>, ranks: &mut Vec<u32>) {
        loop {
            let (mut at, mut least) = (0, NEVER);
            for (i, rank) in ranks.iter().enumerate() {
                if *rank < least {
                    (at, least) = (i, *rank);
                }
            }
            if least == NEVER {
                return;
            }
            ids[at] = self.merged[least as usize];
            ids.remove(at + 1);
            ranks.remove(at);
            if at > 0 {
                ranks[at - 1] = self.rank(ids[at - 1], ids[at]);
            }
            if at + 1 < ids.len() {
                ranks[at] = self.rank(ids[at], ids[at + 1]);
            }
        }
    }

    /// The same with a list and a heap: n log n.
    fn merge_long(&self, scratch: &mut Scratch) {
        let Scratch { ids, ranks, next, previous, heap } = scratch;
        let len = ids.len() as u32;
        next.clear();
        next.extend(1..=len);
        previous.clear();
        previous.extend((0..len).map(|i| i.wrapping_sub(1)));
        // The last has no right neighbour.
        ranks.push(NEVER);
        heap.clear();
        let live = |(_, rank): &(usize, &u32)| **rank != NEVER;
        let pairs = ranks.iter().enumerate().filter(live);
        heap.extend(pairs.map(|(at, rank)| Reverse((*rank, at as u32))));
        while let Some(Reverse((rank, at))) = heap.pop() {
            let i = at as usize;
            // Either side was merged away or into another since.
            if ranks[i] != rank {
                continue;
            }
            let gone = next[i] as usize;
            ids[i] = self.merged[rank as usize];
            ranks[gone] = NEVER;
            next[i] = next[gone];
            let after = next[i];
            ranks[i] = NEVER;
            if after < len {
                previous[after as usize] = at;
                ranks[i] = self.rank(ids[i], ids[after as usize]);
                if ranks[i] != NEVER {
                    heap.push(Reverse((ranks[i], at)));
                }
            }
            let before = previous[i];
            if before < len {
                let b = before as usize;
                ranks[b] = self.rank(ids[b], ids[i]);
                if ranks[b] != NEVER {
                    heap.push(Reverse((ranks[b], before)));
                }
            }
        }
        let (mut from, mut to) = (0, 0);
        while from < len {
            ids[to] = ids[from as usize];
            to += 1;
            from = next[from as usize];
        }
        ids.truncate(to);
    }
}
