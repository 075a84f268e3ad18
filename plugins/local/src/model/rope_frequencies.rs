//! Rotary frequencies of a model, stretched as its config asks.

use super::{ModelConfig, RopeScaling};

/// Radians a position, `[head_dim / 2]`: θ^(−2i / head_dim), in f32 as the reference has it.
pub(super) fn frequencies(config: &ModelConfig) -> Vec<f32> {
    let pairs = config.head_dim / 2;
    let base = (0..pairs).map(|i| {
        let exponent = (2 * i) as f32 / config.head_dim as f32;
        1.0 / config.rope_theta.powf(exponent)
    });
    base.map(|frequency| stretch(frequency, config.rope_scaling)).collect()
}

fn stretch(frequency: f32, scaling: RopeScaling) -> f32 {
    match scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        RopeScaling::Llama3 { factor, low, high, original } => {
            let wavelength = 2.0 * std::f32::consts::PI / frequency;
            if wavelength > original / low {
                frequency / factor
            } else if wavelength < original / high {
                frequency
            } else {
                let blend = (original / wavelength - low) / (high - low);
                (1.0 - blend) * frequency / factor + blend * frequency
            }
        }
    }
}
