//! The losses that the protocol names, and the per-token inputs that each reads.

/// The per-token inputs of a loss besides its targets; None for a loss that the protocol does not name.
#[must_use]
pub fn inputs(loss: &str) -> Option<&'static [&'static str]> {
    match loss {
        "cross_entropy" => Some(&["weights"]),
        "importance_sampling" | "ppo" | "cispo" | "dro" => Some(&["logprobs", "advantages"]),
        "gspo" => Some(&["logprobs", "advantages", "sequence_ratio_mask"]),
        _ => None,
    }
}
