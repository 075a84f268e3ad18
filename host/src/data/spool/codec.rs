/*!
One unit of examples as bytes, with a checksum: what is read back is what was written, or an error.

```text
crc32 of the rest │ for each example: tokens T, runs R, columns C
                  │                   T × id, R × (length, weight), C × (column, T × value)
```
All numbers are little-endian, of 4 bytes but for the values of `i64` columns. Weights are stored as
runs: an example has few.
*/

use crate::data::{ExampleSet, columns};
use std::ops::Range;
use tinsmith_plugin_api::{Column, ColumnData};

/// Appends one example to a unit. `names` are the columns of the whole, by their number.
pub(super) fn encode(
    out: &mut Vec<u8>,
    tokens: &[i32],
    weights: &[f32],
    columns: &[Column],
    range: &Range<usize>,
    number: impl Fn(&Column) -> u32,
) {
    let runs = || weights.chunk_by(|a, b| a.to_bits() == b.to_bits());
    put(out, tokens.len() as u32);
    put(out, runs().count() as u32);
    put(out, columns.len() as u32);
    tokens.iter().for_each(|token| out.extend_from_slice(&token.to_le_bytes()));
    for run in runs() {
        put(out, run.len() as u32);
        put(out, run[0].to_bits());
    }
    for column in columns {
        put(out, number(column));
        match &column.data {
            ColumnData::F32(values) => {
                values[range.clone()].iter().for_each(|v| put(out, v.to_bits()));
            }
            ColumnData::I64(values) => {
                values[range.clone()].iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
            }
        }
    }
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// The checksum that stands before a unit.
pub(super) fn checksum(unit: &[u8]) -> [u8; 4] {
    crc32fast::hash(unit).to_le_bytes()
}

/// Appends the examples of a unit to a set, as its group `group`. `known` are the columns of the
/// whole, without values. Answers how many examples, or None if the bytes are damaged.
pub(super) fn decode(
    bytes: &[u8],
    known: &[Column],
    group: u64,
    set: &mut ExampleSet,
) -> Option<u32> {
    let (sum, mut rest) = bytes.split_first_chunk()?;
    if checksum(rest) != *sum {
        return None;
    }
    let mut examples = 0;
    while !rest.is_empty() {
        let [tokens, runs, given] = [(); 3].map(|()| take_u32(&mut rest));
        let tokens = tokens? as usize;
        let start = set.tokens.len();
        let ids = take(&mut rest, tokens, 4)?.chunks_exact(4);
        set.tokens.extend(ids.map(|id| i32::from_le_bytes(array(id))));
        for _ in 0..runs? {
            let (length, weight) = (take_u32(&mut rest)?, take_u32(&mut rest)?);
            let end = set.weights.len() + length as usize;
            if end > set.tokens.len() {
                return None;
            }
            set.weights.resize(end, f32::from_bits(weight));
        }
        if set.weights.len() != set.tokens.len() {
            return None;
        }
        let mut found = Vec::new();
        for _ in 0..given? {
            let like = known.get(take_u32(&mut rest)? as usize)?;
            let data = match like.data {
                ColumnData::F32(_) => {
                    let values = take(&mut rest, tokens, 4)?.chunks_exact(4);
                    ColumnData::F32(values.map(|v| f32::from_le_bytes(array(v))).collect())
                }
                ColumnData::I64(_) => {
                    let values = take(&mut rest, tokens, 8)?.chunks_exact(8);
                    ColumnData::I64(values.map(|v| i64::from_le_bytes(array(v))).collect())
                }
            };
            found.push(Column { name: like.name.clone(), data });
        }
        columns::append(&mut set.columns, &found, 0..tokens, start);
        set.offsets.push(set.tokens.len() as u64);
        set.groups.push(group);
        examples += 1;
    }
    Some(examples)
}

fn take<'a>(from: &mut &'a [u8], count: usize, size: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(count.checked_mul(size)?)?;
    *from = rest;
    Some(taken)
}

fn take_u32(from: &mut &[u8]) -> Option<u32> {
    take(from, 1, 4).map(|bytes| u32::from_le_bytes(array(bytes)))
}

/// The bytes of a chunk, which has as many.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut all = [0; N];
    all.copy_from_slice(bytes);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Vec<Column> {
        let f32s = Column { name: "advantages".into(), data: ColumnData::F32(Vec::new()) };
        let i64s = Column { name: "rank".into(), data: ColumnData::I64(Vec::new()) };
        vec![f32s, i64s]
    }

    fn unit(examples: &[(Vec<i32>, Vec<f32>)]) -> Vec<u8> {
        let mut out = vec![0; 4];
        for (i, (tokens, weights)) in examples.iter().enumerate() {
            let values = tokens.iter().map(|t| *t as f32 / 2.0).collect();
            let ranks = tokens.iter().map(|t| i64::from(*t) << 20).collect();
            let mut columns = known();
            columns[0].data = ColumnData::F32(values);
            columns[1].data = ColumnData::I64(ranks);
            columns.truncate(i % 3);
            let number = |c: &Column| u32::from(c.name == "rank");
            encode(&mut out, tokens, weights, &columns, &(0..tokens.len()), number);
        }
        let sum = checksum(&out[4..]);
        out[..4].copy_from_slice(&sum);
        out
    }

    fn example() -> impl Strategy<Value = (Vec<i32>, Vec<f32>)> {
        let weight = prop_oneof![Just(0.0_f32), Just(1.0), any::<f32>()];
        prop::collection::vec((any::<i32>(), weight), 1..20)
            .prop_map(|both| both.into_iter().unzip())
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(examples in prop::collection::vec(example(), 1..5)) {
            let mut set = ExampleSet::default();
            let count = decode(&unit(&examples), &known(), 7, &mut set);
            prop_assert_eq!(count, Some(examples.len() as u32));
            prop_assert_eq!(&set.groups, &vec![7; examples.len()]);
            for (i, (tokens, weights)) in examples.iter().enumerate() {
                let range = set.range(i);
                prop_assert_eq!(&set.tokens[range.clone()], &tokens[..]);
                let bits = |w: &[f32]| w.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&set.weights[range.clone()]), bits(weights));
                for column in &set.columns {
                    let there = i % 3 > usize::from(column.name == "rank");
                    match &column.data {
                        ColumnData::F32(values) => for (v, t) in values[range.clone()].iter().zip(tokens) {
                            prop_assert_eq!(*v, if there { *t as f32 / 2.0 } else { 0.0 });
                        },
                        ColumnData::I64(values) => for (v, t) in values[range.clone()].iter().zip(tokens) {
                            prop_assert_eq!(*v, if there { i64::from(*t) << 20 } else { 0 });
                        },
                    }
                }
            }
        }

        #[test]
        fn a_bit_that_flipped_is_found(examples in prop::collection::vec(example(), 1..4), at: prop::sample::Index) {
            let mut bytes = unit(&examples);
            let bit = at.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&bytes, &known(), 0, &mut ExampleSet::default()), None);
        }

        #[test]
        fn no_bytes_are_trusted(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes, &known(), 0, &mut ExampleSet::default());
            // Behind a checksum that holds as well.
            if bytes.len() > 4 {
                let sum = checksum(&bytes[4..]);
                bytes[..4].copy_from_slice(&sum);
                decode(&bytes, &known(), 0, &mut ExampleSet::default());
            }
        }
    }
}
