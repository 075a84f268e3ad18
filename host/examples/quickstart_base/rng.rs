//! A small seeded generator of random numbers (SplitMix64): the same corpus on every machine.

/// SplitMix64 by Steele, Lea and Flood (2014): 64 bits of state, no dependence on the platform.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator for the `stream`-th document or tensor of a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = Self(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17));
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// True with this probability in percent.
    pub fn percent(&mut self, p: usize) -> bool {
        self.below(100) < p
    }

    /// One of the words of a list written in one string, separated by `|`.
    pub fn word<'a>(&mut self, list: &'a str) -> &'a str {
        let n = list.split('|').count();
        let pick = self.below(n);
        list.split('|').nth(pick).unwrap_or_default()
    }

    /// One item of a slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }

    /// A normal variate (Irwin-Hall: twelve uniforms less six). Sums of dyadic numbers, so the
    /// result does not depend on a platform's `ln` or `cos`.
    pub fn normal(&mut self) -> f32 {
        let sum: f64 = (0..12).map(|_| (self.next() >> 40) as f64 / f64::from(1u32 << 24)).sum();
        (sum - 6.0) as f32
    }
}
