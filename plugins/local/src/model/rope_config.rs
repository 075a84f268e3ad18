//! Rotary embedding settings, in both spellings: `rope_theta` beside `rope_scaling` (until
//! transformers 4), and everything within `rope_parameters` (since 5).

use super::config::{RopeScaling, number, text};
use serde_json::Value;
use tinsmith_plugin_api::{Error, Result};

/// Theta and scaling of a parsed `config.json`.
pub(super) fn read(json: &Value) -> Result<(f32, RopeScaling)> {
    refuse_partial(json)?;
    let key = if json["rope_parameters"].is_null() { "rope_scaling" } else { "rope_parameters" };
    let section = &json[key];
    if !(section.is_null() || section.is_object()) {
        return Err(Error::data(format!("must be an object, is {section}")).at(key));
    }
    let (theta, scaling) = section_of(section).map_err(|e| e.within(key))?;
    let theta = match theta {
        Some(theta) => theta,
        None => number(json, "rope_theta")?.unwrap_or(10_000.0),
    };
    Ok((theta, scaling))
}

fn section_of(section: &Value) -> Result<(Option<f32>, RopeScaling)> {
    refuse_partial(section)?;
    // Some models have settings for each kind of layer.
    if let Some((kind, _)) =
        section.as_object().and_then(|map| map.iter().find(|(_, value)| value.is_object()))
    {
        return Err(Error::unsupported("the local trainer knows one rotation for all layers")
            .at(kind.as_str()));
    }
    Ok((number(section, "rope_theta")?, scaling(section)?))
}

fn refuse_partial(json: &Value) -> Result<()> {
    match number(json, "partial_rotary_factor")? {
        None | Some(1.0) => Ok(()),
        Some(_) => Err(Error::unsupported("the local trainer rotates whole heads only")
            .at("partial_rotary_factor")),
    }
}

fn scaling(section: &Value) -> Result<RopeScaling> {
    let kind = match text(section, "rope_type")? {
        None => text(section, "type")?,
        named => named,
    };
    let need = |key: &str| number(section, key)?.ok_or_else(|| Error::data("is missing").at(key));
    match kind {
        None if !section["factor"].is_null() => Err(Error::data("is missing").at("rope_type")),
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
