//! The embedding: rows gathered by token, gradients scattered back.

use super::{Weights, add};
use rayon::prelude::*;

/// `x[t] = table[tokens[t]]`. `x`: `[T, width]`.
pub fn gather(table: Weights<'_>, tokens: &[u32], width: usize, x: &mut [f32]) {
    super::by_rows(x, width, |first, rows| {
        for (i, row) in rows.chunks_exact_mut(width).enumerate() {
            table.widen(tokens[first + i] as usize * width, row);
        }
    });
}

/// `dtable[tokens[t]] += dx[t]`. Each row of the table sums its tokens in their order.
pub fn scatter(dtable: &mut [f32], tokens: &[u32], width: usize, dx: &[f32]) {
    let mut order: Vec<u32> = (0..tokens.len() as u32).collect();
    order.sort_by_key(|&t| tokens[t as usize]);
    // Rows that occur, with their tokens: sorted by row, so that disjoint rows can be split off.
    let mut work = Vec::new();
    let (mut rest, mut passed) = (dtable, 0);
    for group in order.chunk_by(|&a, &b| tokens[a as usize] == tokens[b as usize]) {
        let row = tokens[group[0] as usize] as usize;
        let (_, tail) = rest.split_at_mut((row - passed) * width);
        let (one, tail) = tail.split_at_mut(width);
        (rest, passed) = (tail, row + 1);
        work.push((one, group));
    }
    work.into_par_iter().with_min_len(16).for_each(|(row, group)| {
        for &t in group {
            add(row, &dx[t as usize * width..(t as usize + 1) * width]);
        }
    });
}
