//! Arithmetic on plain slices: no model, no parameters, no errors.
//!
//! Two rules make results equal bit for bit at any number of threads: work is cut into pieces whose
//! size depends on shapes alone, and whatever is summed over pieces is summed in their order.
//! Matrices are row-major.

pub mod attention;
pub mod embedding;
pub mod norm;
pub mod product;
pub mod rope;
pub mod simd;
pub mod softmax;
pub mod swiglu;
mod weights;

pub use weights::Weights;

use faer::{MatMut, MatRef};
use rayon::prelude::*;

/// Rows handled by one task of an elementwise kernel.
pub const ROWS: usize = 32;

/// A row-major `[rows, columns]` view of a slice; the number of rows follows from its length.
#[must_use]
pub fn mat(data: &[f32], columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(data, data.len() / columns, columns)
}

/// As [`mat`], to write through.
#[must_use]
pub fn mat_mut(data: &mut [f32], columns: usize) -> MatMut<'_, f32> {
    let rows = data.len() / columns;
    MatMut::from_row_major_slice_mut(data, rows, columns)
}

/// Calls `f(first_row, rows)` on blocks of [`ROWS`] rows, in parallel if there are several.
pub fn by_rows(data: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if data.len() <= ROWS * width {
        return f(0, data);
    }
    data.par_chunks_mut(ROWS * width).enumerate().for_each(|(block, rows)| f(block * ROWS, rows));
}

/// `sum[i] += Σ_b parts[b][i]`, in the order of the parts. `parts` holds rows as wide as `sum`.
pub fn add_parts(sum: &mut [f32], parts: &[f32]) {
    for part in parts.chunks_exact(sum.len()) {
        add(sum, part);
    }
}

simd::vectorised! {
    /// `a += b`.
    pub fn add<'a>(a: &'a mut [f32], b: &'a [f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }
}
