//! The parameters a fresh run starts from.

use super::{ModelConfig, Tensors};
use crate::layout::{Layout, SlotKind};

/// Adapters: `A` uniform within ±1/√in (PEFT's Kaiming rule), `B` zero. Full mode: the base weights.
///
/// Each `A` has a stream of its own, drawn from the seed and the slot's place: the values of a slot
/// do not depend on the sizes of those before it.
pub(super) fn params(
    layout: &Layout,
    config: &ModelConfig,
    tensors: &Tensors,
    seed: u64,
) -> Vec<f32> {
    let mut params = vec![0.0; layout.len()];
    for (place, slot) in layout.slots().iter().enumerate() {
        let values = &mut params[slot.range.clone()];
        match slot.kind {
            SlotKind::Weight(id) => tensors.get(id.index(config)).widen(0, values),
            SlotKind::LoraB(_) => {}
            SlotKind::LoraA(_) => {
                let bound = 1.0 / (slot.shape[1] as f32).sqrt();
                let mut state = mix(seed ^ mix(place as u64 + 1));
                for value in values {
                    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let unit = (mix(state) >> 40) as f32 / (1u64 << 24) as f32;
                    *value = bound * (2.0 * unit - 1.0);
                }
            }
        }
    }
    params
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
