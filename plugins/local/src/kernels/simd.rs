//! Plain loops, compiled for the vector units of the CPU at hand.
//!
//! `vectorised!` wraps a function so that its body is compiled
//! for AVX-512, AVX2 or NEON as well, and `pulp` picks one at run time. Everything the body calls must
//! be inlined into it (`#[inline(always)]`), or it is compiled without those instructions and a fused
//! multiply-add becomes a call of a library. Sums run over a fixed number of lanes, so that their
//! order does not depend on the width of the registers.

/// Lanes of a sum: two AVX-512 registers, enough to hide the latency of an addition.
const LANES: usize = 32;

/// Defines a function whose body runs with the widest vector instructions of this CPU.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$life:lifetime>(
        $($arg:ident: $type:ty),* $(,)?
    ) $(-> $output:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$life>($($arg: $type),*) $(-> $output)? {
            struct Arguments<$life> {
                $($arg: $type,)*
                life: std::marker::PhantomData<&$life ()>,
            }
            impl<$life> pulp::WithSimd for Arguments<$life> {
                type Output = $crate::kernels::simd::vectorised!(@output $($output)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
                    let Self { $($arg,)* life: _ } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Arguments { $($arg,)* life: std::marker::PhantomData })
        }
    };
    (@output) => { () };
    (@output $output:ty) => { $output };
}
pub(crate) use vectorised;

/// e^x with a relative error below 2e-7. Outside of −87.3 … 88.3 it answers for the nearer end.
///
/// x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r by its Taylor series to r⁷ (the next term is below 6e-9);
/// 2ⁿ by building its bits.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    /// 1.5 · 2²³: adding it rounds to a whole number and leaves that number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 = HIGH + LOW; HIGH has few enough bits that n · HIGH is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.3, 88.3);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = r.mul_add(p, c);
    }
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// Σ f(aᵢ, bᵢ) in a fixed order. The slices have the same length.
#[inline(always)]
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] = f(a[i], b[i], lanes[i]);
        }
    }
    let mut tail = 0.0;
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        tail = f(a, b, tail);
    }
    fold(lanes, |a, b| a + b) + tail
}

/// Σ aᵢ·bᵢ.
#[inline(always)]
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum2(a, b, f32::mul_add)
}

/// Σ aᵢ·bᵢ·cᵢ.
#[inline(always)]
#[must_use]
pub fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let ((a_chunks, a_rest), (b_chunks, b_rest), (c_chunks, c_rest)) =
        (a.as_chunks::<LANES>(), b.as_chunks::<LANES>(), c.as_chunks::<LANES>());
    for ((a, b), c) in a_chunks.iter().zip(b_chunks).zip(c_chunks) {
        for i in 0..LANES {
            lanes[i] = (a[i] * b[i]).mul_add(c[i], lanes[i]);
        }
    }
    let mut tail = 0.0f32;
    for ((&a, &b), &c) in a_rest.iter().zip(b_rest).zip(c_rest) {
        tail = (a * b).mul_add(c, tail);
    }
    fold(lanes, |a, b| a + b) + tail
}

/// The largest value; −∞ for an empty slice. NaN is passed over.
#[inline(always)]
#[must_use]
pub fn max(a: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = a.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    }
    rest.iter().fold(fold(lanes, f32::max), |a, &b| a.max(b))
}

/// Replaces each `aᵢ` by e^(aᵢ·scale − shift) and returns their sum.
#[inline(always)]
pub fn exp_in_place(a: &mut [f32], scale: f32, shift: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = a.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            chunk[i] = exp(chunk[i].mul_add(scale, -shift));
            lanes[i] += chunk[i];
        }
    }
    let mut tail = 0.0;
    for a in rest {
        *a = exp(a.mul_add(scale, -shift));
        tail += *a;
    }
    fold(lanes, |a, b| a + b) + tail
}

/// Σ e^(aᵢ − shift), leaving `a` as it is.
#[inline(always)]
#[must_use]
pub fn exp_sum(a: &[f32], shift: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = a.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += exp(chunk[i] - shift);
        }
    }
    fold(lanes, |a, b| a + b) + rest.iter().map(|&a| exp(a - shift)).sum::<f32>()
}

#[inline(always)]
fn fold(lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = f(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_library_over_its_whole_range() {
        let mut worst = 0.0f64;
        for i in 0..=1_755_000u32 {
            let x = -87.2 + i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        assert!(worst < 2e-7, "relative error {worst}");
    }

    #[test]
    fn exp_is_exact_at_zero_finite_at_the_ends_and_keeps_nan() {
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
        assert!(exp(f32::INFINITY).is_finite());
        assert!(exp(f32::NAN).is_nan());
    }

    vectorised! {
        fn sums<'a>(a: &'a [f32], ones: &'a [f32]) -> [f32; 4] {
            let zeros: Vec<f32> = a.iter().map(|_| 0.0).collect();
            [dot(a, ones), dot3(a, ones, ones), exp_sum(&zeros, 0.0), max(a)]
        }
    }

    #[test]
    fn sums_see_every_element() {
        for n in [0, 1, 31, 32, 33, 100] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let ones = vec![1.0; n];
            let expected = (n * n.saturating_sub(1) / 2) as f32;
            let largest = if n == 0 { f32::NEG_INFINITY } else { n as f32 - 1.0 };
            assert_eq!(sums(&a, &ones), [expected, expected, n as f32, largest]);
        }
    }
}
