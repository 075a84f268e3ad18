//! Matrix products, cut into tiles for the pool.
//!
//! A tile runs on one thread in a library GEMM. Sums over the inner dimension never leave a tile, and
//! the grid is a function of the shape: the result does not depend on the number of threads. Several
//! products may add up in one destination, so that a layer and its adapter, or the three gradients
//! that meet at a norm's output, pass through the cache once.

use super::Weights;
use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul, prelude::ReborrowMut};
use rayon::prelude::*;
use std::{cell::RefCell, ops::Range};

/// `scale · left · right`, to be added to a destination.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// `[M, K]`.
    pub left: MatRef<'a, f32>,
    /// `[K, N]`.
    pub right: Right<'a>,
    /// Factor.
    pub scale: f32,
}

/// The right factor of a product.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a> {
    /// Any f32 view, `[K, N]`.
    View(MatRef<'a, f32>),
    /// A 16-bit row-major weight `[K, N]`.
    Half(Weights<'a>, [usize; 2]),
    /// A 16-bit row-major weight `[N, K]`, transposed.
    HalfTransposed(Weights<'a>, [usize; 2]),
}

impl<'a> Right<'a> {
    /// A row-major weight `[rows, columns]` as it is.
    #[must_use]
    pub fn weight(weights: Weights<'a>, shape: [usize; 2]) -> Self {
        match weights {
            Weights::F32(v) => Self::View(MatRef::from_row_major_slice(v, shape[0], shape[1])),
            half => Self::Half(half, shape),
        }
    }

    /// A row-major weight `[rows, columns]`, transposed.
    #[must_use]
    pub fn transposed(weights: Weights<'a>, shape: [usize; 2]) -> Self {
        match weights {
            Weights::F32(v) => {
                Self::View(MatRef::from_row_major_slice(v, shape[0], shape[1]).transpose())
            }
            half => Self::HalfTransposed(half, shape),
        }
    }
}

impl<'a> Term<'a> {
    /// `left · right`.
    #[must_use]
    pub fn new(left: MatRef<'a, f32>, right: Right<'a>) -> Self {
        Self { left, right, scale: 1.0 }
    }

    /// `scale · left · right` of two views.
    #[must_use]
    pub fn views(left: MatRef<'a, f32>, right: MatRef<'a, f32>, scale: f32) -> Self {
        Self { left, right: Right::View(right), scale }
    }
}

/// Multiplications below which a product is not worth handing to other threads.
const ALONE: usize = 1 << 18;
/// Largest tile. Wide enough that packing its factors is a small part of the work.
const TILE: [usize; 2] = [256, 384];
/// Multiplications below which a tile is not cut further.
const TILE_WORK: usize = 1 << 22;
/// Tiles worth having: work for this many threads.
const TILES: usize = 16;
/// 16-bit weights are widened this many values at a time (1 MiB of f32).
const WIDEN: usize = 1 << 18;

/// One destination and what goes into it.
#[derive(Debug)]
pub struct Job<'a> {
    dst: MatMut<'a, f32>,
    accum: Accum,
    terms: Vec<Term<'a>>,
}

impl<'a> Job<'a> {
    /// `dst = Σ terms`, or with [`Accum::Add`] `dst += Σ terms`.
    #[must_use]
    pub fn new(dst: MatMut<'a, f32>, accum: Accum, terms: Vec<Term<'a>>) -> Self {
        Self { dst, accum, terms }
    }

    /// Multiplications in this job.
    fn work(&self) -> usize {
        let depth: usize = self.terms.iter().map(|t| t.left.ncols()).sum();
        depth * self.dst.nrows() * self.dst.ncols()
    }
}

/// A part of a job's destination.
struct Tile<'a> {
    job: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    dst: MatMut<'a, f32>,
}

/// `dst = Σ terms`, or `dst += Σ terms`.
pub fn product<'a>(dst: MatMut<'a, f32>, accum: Accum, terms: &[Term<'a>]) {
    products(vec![Job::new(dst, accum, terms.to_vec())]);
}

/// Several products that do not depend on each other, in one wave over the pool.
pub fn products(jobs: Vec<Job<'_>>) {
    let alone = jobs.iter().map(Job::work).sum::<usize>() <= ALONE;
    let mut tiles = Vec::new();
    let mut all_terms = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.into_iter().enumerate() {
        let work = job.work();
        cut(index, job.dst, work, &mut tiles);
        all_terms.push((job.accum, job.terms));
    }
    let run = |mut tile: Tile<'_>| {
        let (accum, terms) = &all_terms[tile.job];
        fill(&mut tile.dst, *accum, terms, &tile.rows, &tile.columns);
    };
    if alone || tiles.len() == 1 {
        tiles.into_iter().for_each(run);
    } else {
        tiles.into_par_iter().with_max_len(1).for_each(run);
    }
}

/// Cuts a destination along the grid of its shape.
fn cut<'a>(job: usize, dst: MatMut<'a, f32>, work: usize, tiles: &mut Vec<Tile<'a>>) {
    let (m, n) = (dst.nrows(), dst.ncols());
    if m == 0 || n == 0 {
        return;
    }
    let [tile_m, tile_n] = grid(m, n, work);
    let mut rest = dst;
    for row in (0..m).step_by(tile_m) {
        let rows = row..(row + tile_m).min(m);
        let (mut band, below) = rest.split_at_row_mut(rows.len());
        rest = below;
        for column in (0..n).step_by(tile_n) {
            let columns = column..(column + tile_n).min(n);
            let (dst, right) = band.split_at_col_mut(columns.len());
            band = right;
            tiles.push(Tile { job, rows: rows.clone(), columns, dst });
        }
    }
}

/// Size of a tile: equal parts no larger than [`TILE`], halved while there are fewer than [`TILES`]
/// of them and a half is still worth a task.
fn grid(m: usize, n: usize, work: usize) -> [usize; 2] {
    let mut parts = [m.div_ceil(TILE[0]), n.div_ceil(TILE[1])];
    while parts[0] * parts[1] < TILES && work / (parts[0] * parts[1]) > TILE_WORK {
        let longer = if m / parts[0] > n / parts[1] { 0 } else { 1 };
        parts[longer] *= 2;
    }
    // Whole widths of the GEMM's inner kernel: 96 columns with AVX-512.
    [m.div_ceil(parts[0]).next_multiple_of(16), n.div_ceil(parts[1]).next_multiple_of(96)]
}

fn fill(
    dst: &mut MatMut<'_, f32>,
    accum: Accum,
    terms: &[Term<'_>],
    rows: &Range<usize>,
    columns: &Range<usize>,
) {
    let mut accum = accum;
    for term in terms {
        let left = term.left.subrows(rows.start, rows.len());
        match term.right {
            Right::View(right) => {
                let right = right.subcols(columns.start, columns.len());
                matmul(dst.rb_mut(), accum, left, right, term.scale, Par::Seq);
            }
            Right::Half(weights, [k, n]) => {
                let step = (WIDEN / columns.len()).clamp(1, k);
                for start in (0..k).step_by(step) {
                    let depth = start..(start + step).min(k);
                    widened(depth.len() * columns.len(), |scratch| {
                        for (row, out) in scratch.chunks_exact_mut(columns.len()).enumerate() {
                            weights.widen((depth.start + row) * n + columns.start, out);
                        }
                        let right = super::mat(scratch, columns.len());
                        let left = left.subcols(depth.start, depth.len());
                        matmul(dst.rb_mut(), accum, left, right, term.scale, Par::Seq);
                    });
                    accum = Accum::Add;
                }
            }
            Right::HalfTransposed(weights, [_, k]) => {
                let step = (WIDEN / k).clamp(1, columns.len());
                for start in (0..columns.len()).step_by(step) {
                    let part = start..(start + step).min(columns.len());
                    widened(part.len() * k, |scratch| {
                        weights.widen((columns.start + part.start) * k, scratch);
                        let right = super::mat(scratch, k).transpose();
                        let dst = dst.rb_mut().subcols_mut(part.start, part.len());
                        matmul(dst, accum, left, right, term.scale, Par::Seq);
                    });
                }
            }
        }
        accum = Accum::Add;
    }
}

/// Lends `len` floats that live as long as the thread.
fn widened(len: usize, f: impl FnOnce(&mut [f32])) {
    thread_local!(static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) });
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < len {
            scratch.resize(len, 0.0);
        }
        f(&mut scratch[..len]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{mat, mat_mut};

    fn random(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    fn naive(a: &[f32], b: &[f32], m: usize, k: usize, n: usize) -> Vec<f64> {
        let mut c = vec![0.0; m * n];
        for i in 0..m {
            for p in 0..k {
                for j in 0..n {
                    c[i * n + j] += f64::from(a[i * k + p]) * f64::from(b[p * n + j]);
                }
            }
        }
        c
    }

    #[test]
    fn agrees_with_the_definition_in_every_dtype_and_orientation() {
        for (m, k, n) in [(1, 3, 2), (17, 40, 33), (300, 70, 600), (64, 900, 530)] {
            let (a, b) = (random(m * k, 1), random(k * n, 2));
            let bits: Vec<u16> = b.iter().map(|&v| half::bf16::from_f32(v).to_bits()).collect();
            let half: Vec<f32> = bits.iter().map(|&v| f32::from_bits(u32::from(v) << 16)).collect();
            let flip: Vec<u16> = (0..n)
                .flat_map(|j| (0..k).map(move |p| (p, j)))
                .map(|(p, j)| bits[p * n + j])
                .collect();
            let cases: [(Right<'_>, &[f32]); 3] = [
                (Right::View(mat(&b, n)), &b),
                (Right::weight(Weights::Bf16(&bits), [k, n]), &half),
                (Right::transposed(Weights::Bf16(&flip), [n, k]), &half),
            ];
            for (right, values) in cases {
                let mut c = vec![1.0; m * n];
                let term = Term { left: mat(&a, k), right, scale: 0.5 };
                product(mat_mut(&mut c, n), Accum::Add, &[term, term]);
                for (got, want) in c.iter().zip(naive(&a, values, m, k, n)) {
                    assert!((f64::from(*got) - 1.0 - want).abs() < 1e-3, "{got} {want}");
                }
            }
        }
    }

    #[test]
    fn thread_counts_do_not_change_a_bit() {
        let (m, k, n) = (700, 300, 900);
        let (a, b) = (random(m * k, 3), random(k * n, 4));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut c = vec![0.0; m * n];
            let term = Term::views(mat(&a, k), mat(&b, n), 1.0);
            pool.install(|| product(mat_mut(&mut c, n), Accum::Replace, &[term]));
            c
        };
        let one = run(1);
        for threads in [2, 3, 5] {
            assert!(one == run(threads));
        }
    }
}
