//! Rotary embedding settings, in both spellings: `rope_theta` beside `rope_scaling` (until
//! transformers 4), and everything within `rope_parameters` (since 5).

use super::config::{RopeScaling, number};
use serde_json::Value;
use tinsmith_plugin_api::{Error, Result};

/// Theta and scaling of a parsed `config.json`.
pub(super) fn read(json: &Value) -> Result<(f32, RopeScaling)> {
    let (section, key) = if json["rope_parameters"].is_object() {
        (&json["rope_parameters"], "rope_parameters")
    } else {
        (&json["rope_scaling"], "rope_scaling")
    };
    let theta = match number(section, "rope_theta").map_err(|e| e.within(key))? {
        Some(theta) => theta,
        None => number(json, "rope_theta")?.unwrap_or(10_000.0),
    };
    Ok((theta, scaling(section).map_err(|e| e.within(key))?))
}

fn scaling(section: &Value) -> Result<RopeScaling> {
    let kind = section["rope_type"].as_str().or_else(|| section["type"].as_str());
    let need = |key: &str| number(section, key)?.ok_or_else(|| Error::data("is missing").at(key));
    match kind {
        None | Some("default") => Ok(RopeScaling::None),
        Some("linear") => Ok(RopeScaling::Linear { factor: need("factor")? }),
        Some("llama3") => {
            let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
            if low >= high {
                return Err(Error::data("must be below `high_freq_factor`").at("low_freq_factor"));
            }
            Ok(RopeScaling::Llama3 {
                factor: need("factor")?,
                low,
                high,
                original: need("original_max_position_embeddings")?,
            })
        }
        Some(other) => Err(Error::unsupported(format!("unknown rotary scaling `{other}`"))
            .at("rope_type")
            .with_hint("the local trainer knows default, linear and llama3")),
    }
}
