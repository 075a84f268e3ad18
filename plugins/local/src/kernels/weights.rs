//! A base weight in the dtype in which it lies on disk, widened to f32 where it is used.

use super::simd::vectorised;
use half::{
    f16,
    slice::{HalfBitsSliceExt, HalfFloatSliceExt},
};
use rayon::prelude::*;

/// Values of a frozen tensor, row-major.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// The bits of bfloat16 numbers: the upper half of an f32.
    Bf16(&'a [u16]),
    /// The bits of IEEE half-precision numbers.
    F16(&'a [u16]),
}

impl<'a> Weights<'a> {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::Bf16(v) | Self::F16(v) => v.len(),
        }
    }

    /// True if there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values `start..start + out.len()` as f32.
    pub fn widen(&self, start: usize, out: &mut [f32]) {
        let range = start..start + out.len();
        match self {
            Self::F32(v) => out.copy_from_slice(&v[range]),
            Self::Bf16(v) => widen_bf16(&v[range], out),
            Self::F16(v) => v[range].reinterpret_cast::<f16>().convert_to_f32_slice(out),
        }
    }

    /// Index of the first value that is infinite or not a number.
    #[must_use]
    pub fn first_not_finite(&self) -> Option<usize> {
        match self {
            Self::F32(v) => first_bad(v, any_bad_f32),
            Self::Bf16(v) => first_bad(v, |v| any_bad_half(v, 0x7f80)),
            Self::F16(v) => first_bad(v, |v| any_bad_half(v, 0x7c00)),
        }
    }
}

/// Index of the first value for which `any` is true. Whole blocks are tested at once, in parallel:
/// there is nothing to find as a rule.
fn first_bad<T: Copy + Sync>(values: &[T], any: impl Fn(&[T]) -> bool + Sync) -> Option<usize> {
    const BLOCK: usize = 1 << 14;
    let block = values.par_chunks(BLOCK).position_first(&any)?;
    let start = block * BLOCK;
    values[start..].chunks(1).position(any).map(|i| start + i)
}

vectorised! {
    fn widen_bf16<'a>(bits: &'a [u16], out: &'a mut [f32]) {
        for (o, &bits) in out.iter_mut().zip(bits) {
            *o = f32::from_bits(u32::from(bits) << 16);
        }
    }
}

vectorised! {
    fn any_bad_f32<'a>(values: &'a [f32]) -> bool {
        values.iter().fold(false, |any, x| any | !x.is_finite())
    }
}

vectorised! {
    /// `exponent` has the bits of the exponent set: all of them are in an infinity or a NaN.
    fn any_bad_half<'a>(values: &'a [u16], exponent: u16) -> bool {
        values.iter().fold(false, |any, &x| any | (x & exponent == exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_formats_widen_exactly() {
        let values = [0.0, -1.5, 3.25, 0.007_812_5, -65_504.0f32];
        let bf: Vec<u16> = values.iter().map(|&v| half::bf16::from_f32(v).to_bits()).collect();
        let hf: Vec<u16> = values.iter().map(|&v| f16::from_f32(v).to_bits()).collect();
        let mut out = [0.0; 3];
        Weights::Bf16(&bf).widen(1, &mut out);
        assert_eq!(out, values[1..4]);
        Weights::F16(&hf).widen(2, &mut out);
        assert_eq!(out, values[2..5]);
    }

    #[test]
    fn the_first_bad_value_is_found() {
        let mut v = vec![1.0f32; 10_000];
        assert_eq!(Weights::F32(&v).first_not_finite(), None);
        v[9_001] = f32::INFINITY;
        v[7_002] = f32::NAN;
        assert_eq!(Weights::F32(&v).first_not_finite(), Some(7_002));
        let bits: Vec<u16> = v.iter().map(|&v| half::bf16::from_f32(v).to_bits()).collect();
        assert_eq!(Weights::Bf16(&bits).first_not_finite(), Some(7_002));
        let bits: Vec<u16> = v.iter().map(|&v| f16::from_f32(v).to_bits()).collect();
        assert_eq!(Weights::F16(&bits).first_not_finite(), Some(7_002));
    }
}
