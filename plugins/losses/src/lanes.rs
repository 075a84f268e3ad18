//! The arithmetic all losses share, shaped so that the compiler turns it into vector code.
//!
//! Arrays are walked in chunks that stay in the first-level cache. Within a chunk each result is one
//! plain loop without branches, calls or dependence between its turns; the standard library's `exp`
//! would be a call per value.

/// Values in a chunk.
pub(crate) const CHUNK: usize = 512;

/// Running sums in [`sum`]: enough for the widest vectors, with a few of them in flight.
const LANES: usize = 16;

/// One result of a chunk: `values[i] = value(i)`.
#[inline(always)]
pub(crate) fn fill(values: &mut [f32], value: impl Fn(usize) -> f32) {
    for (i, slot) in values.iter_mut().enumerate() {
        *slot = value(i);
    }
}

/// The sum of a chunk. Chunks are to be added up in f64: over a million tokens f32 loses digits.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f64 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for i in 0..LANES {
            lanes[i] += block[i];
        }
    }
    lanes.iter().chain(rest).map(|value| f64::from(*value)).sum()
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

    /// In plain f32 this sum is off by more than 1000.
    #[test]
    fn long_sums_keep_their_digits() {
        let values = vec![0.1_f32; 1_000_003];
        let total: f64 = values.chunks(CHUNK).map(sum).sum();
        let exact = values.len() as f64 * f64::from(0.1_f32);
        assert!((total - exact).abs() < 0.05, "{total}");
    }
}
