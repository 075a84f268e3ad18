//! Weights on paper: by runs.

/// How many tokens in a row have one weight, and that weight.
pub fn runs(weights: &[f32]) -> Vec<(usize, f32)> {
    let same = |a: &f32, b: &f32| a.to_bits() == b.to_bits();
    weights.chunk_by(same).map(|run| (run.len(), run[0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_told_by_runs() {
        assert_eq!(runs(&[0.0, 0.0, 0.5, 1.0, 1.0]), [(2, 0.0), (1, 0.5), (2, 1.0)]);
        assert!(runs(&[]).is_empty());
    }
}
