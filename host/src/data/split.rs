//! Which records are held out: by a draw that depends on the seed and the records alone.

use super::prepare::Used;
use crate::{Error, Result, config::EvalSplit};
use std::collections::HashSet;

/// Draws the records to hold out, as dataset and record. Whole records are drawn, so that no
/// conversation is in both parts.
///
/// # Errors
/// If nothing would be left on one of the two sides.
pub(super) fn choose(used: &[Used], part: &EvalSplit, seed: u64) -> Result<HashSet<(u32, u64)>> {
    let total = used.len() as u64;
    let count = match (part.count, part.fraction) {
        (Some(count), _) => count,
        (None, Some(fraction)) => (fraction * total as f64).round() as u64,
        (None, None) => 0,
    };
    if count == 0 {
        return Err(Error::usage(format!("of {total} usable rows, none would be held out"))
            .hint("hold out a larger share, or leave `data.eval` out"));
    }
    if count >= total {
        return Err(Error::usage(format!(
            "of {total} usable rows, {count} would be held out and none trained on"
        ))
        .hint("hold out fewer"));
    }
    let mut drawn: Vec<(u64, u32, u64)> = used
        .iter()
        .map(|u| {
            let (dataset, record) = (u.source.dataset, u.source.record);
            (mix(mix(seed) ^ mix(u64::from(dataset) << 40 ^ record)), dataset, record)
        })
        .collect();
    drawn.sort_unstable();
    Ok(drawn.into_iter().take(count as usize).map(|(_, d, r)| (d, r)).collect())
}

/// `SplitMix64`'s finaliser: every bit of the input reaches every bit of the output.
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Source;

    fn rows(n: u64) -> Vec<Used> {
        (0..n)
            .map(|record| {
                let source = Source { dataset: 0, line: record + 1, record };
                Used { source, offset: 0, text: record }
            })
            .collect()
    }

    #[test]
    fn a_count_and_a_fraction_hold_out_so_many() {
        let count = EvalSplit { count: Some(7), ..EvalSplit::default() };
        assert_eq!(choose(&rows(100), &count, 0).unwrap().len(), 7);
        let fraction = EvalSplit { fraction: Some(0.125), ..EvalSplit::default() };
        assert_eq!(choose(&rows(100), &fraction, 0).unwrap().len(), 13);
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let part = EvalSplit { count: Some(20), ..EvalSplit::default() };
        let a = choose(&rows(100), &part, 1).unwrap();
        let mut turned = rows(100);
        turned.reverse();
        assert_eq!(choose(&turned, &part, 1).unwrap(), a);
        assert_ne!(choose(&rows(100), &part, 2).unwrap(), a);
        // A draw, not the first or last rows: of 20 out of 100, some lie in each half.
        assert!(a.iter().any(|(_, r)| *r < 50) && a.iter().any(|(_, r)| *r >= 50));
    }

    #[test]
    fn both_sides_keep_something() {
        for part in [
            EvalSplit { count: Some(10), ..EvalSplit::default() },
            EvalSplit { fraction: Some(0.01), ..EvalSplit::default() },
        ] {
            assert_eq!(choose(&rows(10), &part, 0).unwrap_err().kind, crate::Kind::Usage);
        }
    }
}
