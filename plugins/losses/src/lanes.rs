//! The arithmetic all losses share, shaped so that the compiler turns it into vector code.
//!
//! Arrays are walked in blocks of [`LANES`] values. Within a block there are no branches, no calls
//! and no dependence between lanes; the standard library's `exp` would be a call per value.

/// Values a block holds.
pub(crate) const LANES: usize = 16;

/// One value a lane.
pub(crate) type Block = [f32; LANES];

/// Calls `visit` with each block of the inputs and of `grad`. The last block is filled with zeros,
/// which every loss reads as "not trained".
#[inline(always)]
pub(crate) fn for_each_block<const N: usize>(
    inputs: [&[f32]; N],
    grad: &mut [f32],
    mut visit: impl FnMut([&Block; N], &mut Block),
) {
    let whole = inputs.map(|input| input.as_chunks::<LANES>().0);
    let (blocks, rest) = grad.as_chunks_mut::<LANES>();
    for (i, block) in blocks.iter_mut().enumerate() {
        visit(whole.map(|input| &input[i]), block);
    }
    if !rest.is_empty() {
        let padded = inputs.map(|input| {
            let mut block = [0.0; LANES];
            block[..rest.len()].copy_from_slice(input.as_chunks::<LANES>().1);
            block
        });
        let mut block = [0.0; LANES];
        visit(padded.each_ref(), &mut block);
        rest.copy_from_slice(&block[..rest.len()]);
    }
}

/// The block whose lane `i` holds `value(i)`. (`array::from_fn` is not turned into vector code.)
#[inline(always)]
pub(crate) fn block(value: impl Fn(usize) -> f32) -> Block {
    let mut block = [0.0; LANES];
    for (i, lane) in block.iter_mut().enumerate() {
        *lane = value(i);
    }
    block
}

/// A sum that keeps its digits: f32 in each lane for a few blocks at a time, f64 beyond.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    lanes: Block,
    blocks: u32,
    total: f64,
}

impl Sum {
    /// Adds one value a lane.
    #[inline(always)]
    pub(crate) fn add(&mut self, values: &Block) {
        for (sum, value) in self.lanes.iter_mut().zip(values) {
            *sum += value;
        }
        self.blocks += 1;
        if self.blocks == 32 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.total += self.lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
        self.lanes = [0.0; LANES];
        self.blocks = 0;
    }

    /// The sum of all values so far.
    pub(crate) fn total(mut self) -> f64 {
        self.flush();
        self.total
    }
}

/// `e^x` within 2 ulp; infinite above 88.73, zero below −103.98, NaN for NaN.
///
/// `x` is split into `n·ln 2 + r` with |r| ≤ ½ ln 2, a polynomial (Cephes' coefficients) gives
/// `e^r`, and `2^n` is put into the exponent in two halves, so that results below the smallest
/// normal number and above the largest come out right.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it moves the integer part of a small number into the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    y * power(half) * power(n.wrapping_sub(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the standard library's `exp` in f64, over the whole range of f32 results.
    #[test]
    fn exp_is_within_two_ulp() {
        let mut worst = 0.0_f64;
        for i in -1_040_000..=888_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            if exact < f64::from(f32::MIN_POSITIVE) || exact > f64::from(f32::MAX) {
                continue;
            }
            worst = worst.max(((f64::from(exp(x)) - exact) / exact).abs());
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
    }

    #[test]
    fn exp_at_its_ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-200.0), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(100.0), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
        let tiny = f64::from(exp(-100.0));
        assert!((tiny - (-100.0_f64).exp()).abs() < 1.5e-45, "{tiny:e}");
    }

    #[test]
    fn every_length_is_walked_once() {
        for len in 0..50_usize {
            let input: Vec<f32> = (1..=len).map(|i| i as f32).collect();
            let mut grad = vec![0.0; len];
            let mut sum = Sum::default();
            for_each_block([&input], &mut grad, |[x], g| {
                sum.add(x);
                *g = *x;
            });
            assert_eq!(grad, input);
            assert_eq!(sum.total(), (len * (len + 1) / 2) as f64);
        }
    }

    /// In plain f32 this sum is off by more than 1000.
    #[test]
    fn long_sums_keep_their_digits() {
        let input = vec![0.1_f32; 1_000_000];
        let mut sum = Sum::default();
        for_each_block([&input], &mut vec![0.0; input.len()], |[x], _| sum.add(x));
        let exact = 1e6 * f64::from(0.1_f32);
        assert!((sum.total() - exact).abs() < 0.05, "{}", sum.total());
    }
}
