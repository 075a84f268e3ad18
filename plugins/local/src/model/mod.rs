//! A model: weights mapped from disk, and the forward and backward passes over them.
//!
//! No autograd. The base of an adapter is frozen, so a linear layer needs only dX, dA and dB; norms,
//! rotation, SwiGLU and attention have short closed-form gradients. Nothing of vocabulary × tokens
//! size is ever held.
//!
//! Every pass runs on the rayon pool it is called in (`pool.install(|| model.forward(..))`). Work is
//! cut into tiles that depend on shapes alone, and sums run in a fixed order: results are equal bit
//! for bit at any number of threads.

mod config;
mod linear;
mod rope_config;

pub use config::{Family, ModelConfig, RopeScaling};
pub use linear::Linear;

use crate::{
    layout::Layout,
    packed::{Packed, TokenLoss},
};
use std::{path::Path, sync::Arc};
use tinsmith_plugin_api::{Error, LossValue, Result};

/// A base model. Shared by all runs and samplers over it.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
}

/// Keys and values of the tokens seen so far, of one sequence.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    len: usize,
}

impl KvCache {
    /// An empty cache for sequences of this model.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let _ = model;
        Self::default()
    }

    /// Tokens seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if no token was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Model {
    /// Opens a Hugging Face directory: `config.json` and `model.safetensors`, whole or in shards.
    ///
    /// # Errors
    /// `not_found` for a missing file or tensor, `data` for a truncated file, a wrong shape or a
    /// weight that is not finite, `unsupported` for an architecture or dtype it does not know.
    pub fn open(dir: &Path) -> Result<Arc<Self>> {
        let config = ModelConfig::from_dir(dir)?;
        Ok(Arc::new(Self { config }))
    }

    /// Its shape and constants.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The parameters a fresh run starts from. Adapters: `A` uniform within ±1/√in as PEFT draws
    /// it, from `seed`; `B` zero. Full mode: the weights themselves.
    #[must_use]
    pub fn initial_params(&self, layout: &Layout, seed: u64) -> Vec<f32> {
        let _ = seed;
        vec![0.0; layout.len()]
    }

    /// Log-probability of every target, in nats: `[T]`.
    ///
    /// # Errors
    /// `rejected` if `params` does not fit the layout, `data` if a result is not finite.
    pub fn forward(&self, layout: &Layout, params: &[f32], batch: &Packed) -> Result<Vec<f32>> {
        let _ = (layout, params, batch);
        Err(Error::unsupported("not yet"))
    }

    /// As [`Model::forward`]; adds the gradient of the loss to `grads`. A loss is a sum.
    ///
    /// # Errors
    /// As [`Model::forward`], and whatever the loss answers; `grads` is then undefined unless the
    /// kind is `rejected`.
    pub fn forward_backward(
        &self,
        layout: &Layout,
        params: &[f32],
        grads: &mut [f32],
        batch: &Packed,
        loss: &dyn TokenLoss,
    ) -> Result<(Vec<f32>, LossValue)> {
        let _ = (layout, params, grads, batch, loss);
        Err(Error::unsupported("not yet"))
    }

    /// Feeds tokens to one sequence; returns the logits after the last of them: `[vocab]`.
    ///
    /// # Errors
    /// As [`Model::decode_batch`].
    pub fn decode(
        &self,
        layout: &Layout,
        params: &[f32],
        cache: &mut KvCache,
        tokens: &[i32],
    ) -> Result<Vec<f32>> {
        self.decode_batch(layout, params, &mut [cache], &[tokens])
    }

    /// Feeds tokens to several sequences at once, each with its own cache and its own number of new
    /// tokens (at least one); returns the logits after the last token of each: `[B × vocab]`.
    ///
    /// # Errors
    /// `rejected` for a token outside the vocabulary, an empty list of tokens, or a sequence that
    /// outgrows the model's context.
    pub fn decode_batch(
        &self,
        layout: &Layout,
        params: &[f32],
        caches: &mut [&mut KvCache],
        tokens: &[&[i32]],
    ) -> Result<Vec<f32>> {
        let _ = (layout, params, caches, tokens);
        Err(Error::unsupported("not yet"))
    }
}
