//! A model: weights mapped from disk, and the forward and backward passes over them.
//!
//! No autograd. The base of an adapter is frozen, so a linear layer needs only dX, dA and dB; norms,
//! rotation, SwiGLU and attention have short closed-form gradients. Nothing of vocabulary × tokens
//! size is ever held.
//!
//! Every pass runs on the rayon pool it is called in (`pool.install(|| model.forward(..))`). Work is
//! cut into tiles that depend on shapes alone, and sums run in a fixed order: results are equal bit
//! for bit at any number of threads.

mod block;
mod config;
mod decode;
mod head;
mod initial;
mod linear;
mod mapped;
mod net;
mod passes;
mod project;
mod rope_config;
mod rope_frequencies;
mod rotation;
mod tensors;
mod workspace;

pub use config::{Family, ModelConfig, RopeScaling};
pub use decode::KvCache;
pub use linear::Linear;

use crate::{
    kernels::Weights,
    layout::{Layout, WeightId},
    packed::{Packed, TokenLoss, token_ids},
};
use decode::Step;
use head::HeadRoom;
use net::Net;
use passes::Pass;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tensors::Tensors;
use tinsmith_plugin_api::{Error, LossValue, Result};
use workspace::Workspace;

/// A base model. Shared by all runs and samplers over it.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    tensors: Tensors,
    frequencies: Vec<f32>,
    /// Buffers of passes that are over, for those to come.
    idle: Mutex<Vec<(Workspace, HeadRoom)>>,
}

impl Model {
    /// Opens a Hugging Face directory: `config.json` and `model.safetensors`, whole or in shards.
    ///
    /// # Errors
    /// `not_found` for a missing file or tensor, `data` for a truncated file, a wrong shape or a
    /// weight that is not finite, `unsupported` for an architecture or dtype it does not know.
    pub fn open(dir: &Path) -> Result<Arc<Self>> {
        let config = ModelConfig::from_dir(dir)?;
        let tensors = Tensors::open(dir, &config)?;
        let frequencies = rope_frequencies::frequencies(&config);
        Ok(Arc::new(Self { config, tensors, frequencies, idle: Mutex::default() }))
    }

    /// Its shape and constants.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// A weight of the base by Hugging Face's name, and its shape `[rows, columns]`. A tied head has
    /// the embedding's.
    pub(crate) fn weight(&self, name: &str) -> Option<(Weights<'_>, [usize; 2])> {
        let tied = self.config.tied && name == WeightId::Head.name();
        let ids = WeightId::all(&self.config);
        let id = ids.into_iter().find(|id| id.name() == name);
        let id = id.or_else(|| tied.then_some(WeightId::Embedding))?;
        Some((self.tensors.get(id.index(&self.config)), id.shape(&self.config)))
    }

    /// The parameters a fresh run starts from. Adapters: `A` uniform within ±1/√in as PEFT draws
    /// it, from `seed`; `B` zero. Full mode: the weights themselves.
    #[must_use]
    pub fn initial_params(&self, layout: &Layout, seed: u64) -> Vec<f32> {
        initial::params(layout, &self.config, &self.tensors, seed)
    }

    /// Log-probability of every target, in nats: `[T]`.
    ///
    /// # Errors
    /// `rejected` if `params` does not fit the layout; `other` if a result is not finite.
    pub fn forward(&self, layout: &Layout, params: &[f32], batch: &Packed) -> Result<Vec<f32>> {
        let net = self.net(layout, params)?;
        self.with_workspace(|work, room| {
            Pass::new(net, batch, &self.frequencies, work, room).forward()
        })
    }

    /// As [`Model::forward`], of the tokens from `first` on; those before it have 0. Shows `see` the
    /// number of each token, its logits (`[vocab]`) and their logsumexp.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn forward_seeing(
        &self,
        layout: &Layout,
        params: &[f32],
        batch: &Packed,
        first: usize,
        see: &mut dyn FnMut(usize, &[f32], f32),
    ) -> Result<Vec<f32>> {
        let net = self.net(layout, params)?;
        self.with_workspace(|work, room| {
            Pass::new(net, batch, &self.frequencies, work, room).forward_seeing(first, see)
        })
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
        let net = self.net(layout, params)?;
        if grads.len() != layout.len() {
            return Err(lengths("gradients", grads.len(), layout));
        }
        self.with_workspace(|work, room| {
            Pass::new(net, batch, &self.frequencies, work, room).forward_backward(grads, loss)
        })
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
    /// tokens (at least one); returns the logits after the last token of each: `[B · vocab]`.
    ///
    /// # Errors
    /// `rejected` for a token outside the vocabulary, an empty list of tokens, or a sequence that
    /// outgrows the model's context; nothing is changed then.
    pub fn decode_batch(
        &self,
        layout: &Layout,
        params: &[f32],
        caches: &mut [&mut KvCache],
        tokens: &[&[i32]],
    ) -> Result<Vec<f32>> {
        let net = self.net(layout, params)?;
        if caches.len() != tokens.len() {
            return Err(Error::rejected(format!(
                "{} caches for {} sequences",
                caches.len(),
                tokens.len()
            )));
        }
        let mut ids = Vec::with_capacity(tokens.len());
        for (cache, tokens) in caches.iter().zip(tokens) {
            if tokens.is_empty() {
                return Err(Error::rejected("no token to decode"));
            }
            let len = cache.len() + tokens.len();
            if len > self.config.max_positions {
                return Err(Error::rejected(format!(
                    "a sequence of {len} tokens does not fit the model's context of {}",
                    self.config.max_positions
                )));
            }
            ids.push(token_ids(tokens, "tokens", &self.config)?);
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let step = Step::new(caches, &ids);
        self.with_workspace(|work, _| Ok(step.run(net, &self.frequencies, caches, work)))
    }

    fn net<'a>(&'a self, layout: &'a Layout, params: &'a [f32]) -> Result<Net<'a>> {
        if params.len() != layout.len() {
            return Err(lengths("parameters", params.len(), layout));
        }
        Ok(Net { config: &self.config, tensors: &self.tensors, layout, params })
    }

    /// Lends the buffers of an earlier pass, or new ones.
    fn with_workspace<T>(
        &self,
        f: impl FnOnce(&mut Workspace, &mut HeadRoom) -> Result<T>,
    ) -> Result<T> {
        // A panic elsewhere cannot leave the list half-changed.
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut work, mut room) = idle().pop().unwrap_or_default();
        let result = f(&mut work, &mut room);
        idle().push((work, room));
        result
    }
}

fn lengths(what: &str, len: usize, layout: &Layout) -> Error {
    Error::rejected(format!("{len} {what} for a layout of {}", layout.len()))
}
