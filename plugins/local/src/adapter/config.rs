//! `adapter_config.json`: written with the keys that every PEFT since 0.4 reads, and read strictly: a
//! key that would change the arithmetic and is not supported is an error.

use crate::layout::{Layout, SlotKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tinsmith_plugin_api::{Error, Lora, Result};

/// The file for an adapter.
pub fn config_json(lora: &Lora, layout: &Layout, base: &str) -> String {
    let config = json!({
        "alpha_pattern": {},
        "auto_mapping": null,
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "layers_pattern": null,
        "layers_to_transform": null,
        "lora_alpha": number(lora.alpha),
        "lora_dropout": 0.0,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": lora.rank,
        "rank_pattern": {},
        "revision": null,
        "target_modules": targets(layout),
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false,
    });
    format!("{config:#}\n")
}

/// PEFT's alpha is a whole number where it can be one.
fn number(alpha: f32) -> Value {
    if alpha.fract() == 0.0 { json!(alpha as i64) } else { json!(alpha) }
}

/// The last part of every adapted module's name: `q_proj`.
fn targets(layout: &Layout) -> BTreeSet<&str> {
    let module = |name: &'_ str| -> Option<usize> { name.rfind(".lora_A.weight") };
    layout
        .slots()
        .iter()
        .filter(|slot| matches!(slot.kind, SlotKind::LoraA(_)))
        .filter_map(|slot| {
            let path = &slot.name[..module(&slot.name)?];
            path.rsplit('.').next()
        })
        .collect()
}

/// What `adapter_config.json` of any PEFT adapter says.
#[derive(Clone, Debug, PartialEq)]
pub struct PeftConfig {
    pub lora: Lora,
    /// Where the base model lies, or its name.
    pub base: Option<String>,
}

/// Reads the file.
///
/// # Errors
/// `data` for a file that makes no sense, `unsupported` for an adapter that this trainer would
/// compute differently.
pub fn parse(text: &[u8]) -> Result<PeftConfig> {
    let json: Value = serde_json::from_slice(text)?;
    match json["peft_type"].as_str() {
        Some("LORA") => {}
        other => {
            let found = other.unwrap_or("nothing");
            return Err(Error::unsupported(format!("must be `LORA`, is {found}")).at("peft_type"));
        }
    }
    refuse_unsupported(&json)?;
    let whole =
        |key: &str| {
            json[key].as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).ok_or_else(
                || Error::data(format!("must be a whole number, is {}", json[key])).at(key),
            )
        };
    let rank = whole("r")?;
    let alpha = json["lora_alpha"]
        .as_f64()
        .ok_or_else(|| Error::data("must be a number").at("lora_alpha"))? as f32;
    // PEFT's rank-stabilised variant divides by the root of the rank.
    let alpha = if json["use_rslora"] == true { alpha * (rank as f32).sqrt() } else { alpha };
    let mut lora =
        Lora { rank, alpha, seed: 0, train_attn: false, train_mlp: false, train_unembed: false };
    let modules = json["target_modules"]
        .as_array()
        .ok_or_else(|| Error::unsupported("must be a list of modules").at("target_modules"))?;
    for module in modules {
        match module.as_str().and_then(|name| name.rsplit('.').next()) {
            Some("q_proj" | "k_proj" | "v_proj" | "o_proj") => lora.train_attn = true,
            Some("gate_proj" | "up_proj" | "down_proj") => lora.train_mlp = true,
            Some("lm_head") => lora.train_unembed = true,
            _ => {
                return Err(
                    Error::unsupported(format!("unknown module {module}")).at("target_modules")
                );
            }
        }
    }
    let base = json["base_model_name_or_path"].as_str().map(str::to_owned);
    Ok(PeftConfig { lora, base })
}

/// Keys whose value must be what "off" looks like.
fn refuse_unsupported(json: &Value) -> Result<()> {
    let off = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    let keys = [
        "alora_invocation_tokens",
        "alpha_pattern",
        "arrow_config",
        "fan_in_fan_out",
        "layer_replication",
        "lora_bias",
        "modules_to_save",
        "rank_pattern",
        "target_parameters",
        "trainable_token_indices",
        "use_bdlora",
        "use_dora",
        "use_qalora",
    ];
    for key in keys {
        if !off(&json[key]) {
            return Err(Error::unsupported(format!(
                "the local trainer cannot apply an adapter with {}",
                json[key]
            ))
            .at(key));
        }
    }
    // The others change the base's weights before training begins.
    let harmless = match &json["init_lora_weights"] {
        Value::String(how) => matches!(how.as_str(), "gaussian" | "eva" | "orthogonal"),
        _ => true,
    };
    if !harmless {
        return Err(Error::unsupported(format!(
            "an adapter that began as {} needs a base of its own",
            json["init_lora_weights"]
        ))
        .at("init_lora_weights")
        .with_hint("let PEFT convert it: `path_initial_model_for_weight_conversion`"));
    }
    match json["bias"].as_str() {
        None | Some("none") => Ok(()),
        Some(other) => Err(Error::unsupported(format!("must be `none`, is `{other}`")).at("bias")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_that_would_be_computed_differently_are_refused() {
        let with = |key: &str, value: Value| {
            let mut json = json!({
                "peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"],
                "base_model_name_or_path": "base"
            });
            json[key] = value;
            parse(json.to_string().as_bytes())
        };
        let plain = with("bias", json!("none")).unwrap();
        assert_eq!((plain.lora.rank, plain.lora.alpha), (4, 8.0));
        assert!(plain.lora.train_attn && !plain.lora.train_mlp && !plain.lora.train_unembed);
        assert_eq!(plain.base.as_deref(), Some("base"));
        assert_eq!(with("use_rslora", json!(true)).unwrap().lora.alpha, 16.0);
        for (key, value) in [
            ("peft_type", json!("LOHA")),
            ("bias", json!("all")),
            ("use_dora", json!(true)),
            ("rank_pattern", json!({"q_proj": 8})),
            ("target_modules", json!(["c_attn"])),
            ("target_modules", json!("all-linear")),
            ("r", json!(0)),
            // Initial values taken out of the base, which the adapter was then trained without.
            ("init_lora_weights", json!("pissa_niter_16")),
            ("init_lora_weights", json!("olora")),
            ("alora_invocation_tokens", json!([1, 2])),
        ] {
            assert_eq!(with(key, value).unwrap_err().field(), Some(key));
        }
    }
}
