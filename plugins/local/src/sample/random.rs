//! Random numbers by counter: each is a function of seed, sample and position alone, however many
//! samples are drawn side by side. Their logits still differ in the last bits by how many there are,
//! because a product of one row is summed in another order than one of several.

/// Uniform in 0..1, 53 bits. The `SplitMix64` finaliser over the three numbers, one after the other.
pub fn uniform(seed: u64, sample: u64, position: u64) -> f64 {
    let word = mix(mix(mix(seed).wrapping_add(sample)).wrapping_add(position));
    (word >> 11) as f64 / (1u64 << 53) as f64
}

/// A seed for a request that names none.
pub fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_and_neighbours_are_unrelated() {
        let n = 20_000u64;
        let draw = |i: u64| uniform(7, i % 5, i / 5);
        let mean = (0..n).map(draw).sum::<f64>() / n as f64;
        let lag = (0..n).map(|i| (draw(i) - 0.5) * (draw(i + 1) - 0.5)).sum::<f64>() / n as f64;
        // Standard errors: 0.002 and 0.0006.
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        assert!(lag.abs() < 0.003, "{lag}");
        assert!((0..n).map(draw).all(|u| (0.0..1.0).contains(&u)));
    }

    /// First output of `SplitMix64` from state 0, as published with its reference code.
    #[test]
    fn the_mixer_is_splitmix64() {
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
    }
}
