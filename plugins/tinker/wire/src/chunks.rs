//! How a batch is cut into requests.

use std::ops::Range;
use tinsmith_plugin_api::{Batch, ColumnData};

/// What a request holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Datums.
    pub datums: usize,
    /// Bytes, as [`bytes_of`] estimates them. A datum that is larger comes alone.
    pub bytes: u64,
}

/// The datums of each request, in order.
#[must_use]
pub fn cut(batch: &Batch, limits: Limits) -> Vec<Range<usize>> {
    let (mut cuts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for datum in 0..batch.len() {
        let more = bytes_of(batch, datum);
        if datum > start && (datum - start >= limits.datums || bytes + more > limits.bytes) {
            cuts.push(start..datum);
            (start, bytes) = (datum, 0);
        }
        bytes += more;
    }
    if start < batch.len() {
        cuts.push(start..batch.len());
    }
    cuts
}

/// What a datum takes: 4 bytes a token, 8 a target, and those of its columns.
#[must_use]
pub fn bytes_of(batch: &Batch, datum: usize) -> u64 {
    let columns = batch.columns.iter().map(|column| match column.data {
        ColumnData::F32(_) => 4,
        ColumnData::I64(_) => 8,
    });
    batch.range(datum).len() as u64 * (4 + 8 + columns.sum::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(lengths: &[usize]) -> Batch {
        let mut batch = Batch { offsets: vec![0], ..Batch::default() };
        for length in lengths {
            batch.tokens.extend(std::iter::repeat_n(1, *length));
            batch.offsets.push(batch.tokens.len() as u64);
        }
        batch
    }

    #[test]
    fn a_request_is_closed_by_count_or_bytes() {
        // 12 bytes a token.
        let batch = batch(&[1, 1, 1, 10, 1, 30, 1]);
        let cuts = cut(&batch, Limits { datums: 2, bytes: 132 });
        assert_eq!(cuts, [0..2, 2..4, 4..5, 5..6, 6..7]);
    }

    proptest! {
        /// The rules of the protocol's official client: no request is empty, none is over a limit but
        /// a single datum, and none could have taken the next datum.
        #[test]
        fn requests_are_full_and_none_is_over(
            lengths in prop::collection::vec(1_usize..40, 1..60), datums in 1_usize..8, bytes in 1_u64..600
        ) {
            let batch = batch(&lengths);
            let cuts = cut(&batch, Limits { datums, bytes });
            let size = |range: Range<usize>| range.map(|i| bytes_of(&batch, i)).sum::<u64>();
            prop_assert_eq!(cuts.last().map(|last| last.end), Some(lengths.len()));
            for (i, range) in cuts.iter().enumerate() {
                prop_assert_eq!(range.start, if i == 0 { 0 } else { cuts[i - 1].end });
                prop_assert!(!range.is_empty() && range.len() <= datums);
                prop_assert!(range.len() == 1 || size(range.clone()) <= bytes);
                if range.end < lengths.len() {
                    let full = range.len() == datums || size(range.start..range.end + 1) > bytes;
                    prop_assert!(full);
                }
            }
        }
    }
}
