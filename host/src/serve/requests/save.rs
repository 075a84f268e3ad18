//! Checkpoints to be written.

use crate::serve::{
    ids,
    models::{Model, Op, SaveOp},
};
use tinsmith_plugin_api::{Error, Result};
use tinsmith_tinker_wire::{
    messages::{SaveExternal, SaveForSampler, SaveWeights},
    path::{Kind, TinkerPath},
};

/// The longest time until a checkpoint expires: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 3600;

/// To train on from.
pub fn weights(model: &Model, asked: SaveWeights) -> Result<Op> {
    let name = asked.path.ok_or_else(|| Error::rejected("is missing").at("path"))?;
    Ok(Op::Save(SaveOp::Named {
        path: path(model, Kind::Training, &name)?,
        ttl: ttl(asked.ttl_seconds)?,
        overwrite: asked.overwrite,
        user_metadata: asked.user_metadata,
    }))
}

/// To sample from. Sampling sessions of kind `inflight` may see later weights; here they see those they
/// were made with.
pub fn for_sampler(model: &Model, asked: SaveForSampler) -> Result<Op> {
    match asked.path {
        Some(name) => Ok(Op::Save(SaveOp::Named {
            path: path(model, Kind::Sampler, &name)?,
            ttl: ttl(asked.ttl_seconds)?,
            overwrite: false,
            user_metadata: asked.user_metadata,
        })),
        None => {
            let n = asked.sampling_session_seq_id.ok_or_else(|| {
                Error::rejected("neither a name nor a sampling session is given").at("path")
            })?;
            let sampling = ids::sampling(&model.session, n);
            Ok(Op::Save(SaveOp::Ephemeral { sampling }))
        }
    }
}

/// To take away.
pub fn external(model: &Model, asked: SaveExternal) -> Result<Op> {
    if asked.age_encryption_recipients.is_some_and(|keys| !keys.is_empty()) {
        let e = Error::unsupported("exports are not encrypted here");
        return Err(e.at("age_encryption_recipients").with_hint("leave it out"));
    }
    Ok(Op::Save(SaveOp::Named {
        path: path(model, Kind::External, &asked.path)?,
        ttl: ttl(asked.ttl_seconds)?,
        overwrite: false,
        user_metadata: None,
    }))
}

fn path(model: &Model, kind: Kind, name: &str) -> Result<TinkerPath> {
    let id = format!("{}/{name}", kind.segment());
    TinkerPath::of_checkpoint(&model.id, &id, kind).map_err(|e| e.at("path"))
}

/// Seconds until something expires, within reason.
///
/// # Errors
/// `rejected` for none at all, and for more than [`LONGEST`].
pub fn ttl(seconds: Option<u64>) -> Result<Option<u64>> {
    match seconds {
        Some(seconds) if !(1..=LONGEST).contains(&seconds) => {
            let e = Error::rejected(format!("must be from 1 second to 10 years, is {seconds}"));
            Err(e.at("ttl_seconds").with_hint("leave it out for a checkpoint that stays"))
        }
        _ => Ok(seconds),
    }
}
