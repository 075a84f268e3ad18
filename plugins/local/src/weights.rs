//! The weights a run trains or a sampler reads: a shared base, and parameters of its own.

use crate::{base::Base, layout::Layout};
use std::sync::Arc;
use tinsmith_plugin_api::{AdapterSpec, Result};

/// A base model with an adapter, with weights of its own, or bare.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The base model.
    pub base: Arc<Base>,
    /// What is trained; none for a bare base model.
    pub adapter: Option<AdapterSpec>,
    /// Where each tensor lies in `params`.
    pub layout: Arc<Layout>,
    /// Every trained parameter.
    pub params: Vec<f32>,
}

impl Weights {
    /// The base model as it is.
    #[must_use]
    pub fn bare(base: Arc<Base>) -> Self {
        let layout = Arc::new(Layout::base(base.model.config()));
        Self { base, adapter: None, layout, params: Vec::new() }
    }

    /// What a fresh run starts from.
    ///
    /// # Errors
    /// `config` for an adapter that makes no sense.
    pub fn fresh(base: Arc<Base>, adapter: AdapterSpec) -> Result<Self> {
        let layout = layout(&base, &adapter)?;
        let seed = match &adapter {
            AdapterSpec::Lora(lora) => lora.seed,
            AdapterSpec::Full => 0,
        };
        let params = base.model.initial_params(&layout, seed);
        Ok(Self { base, adapter: Some(adapter), layout: Arc::new(layout), params })
    }
}

/// The layout of an adapter over a base.
///
/// # Errors
/// `config` for an adapter that makes no sense.
pub fn layout(base: &Base, adapter: &AdapterSpec) -> Result<Layout> {
    match adapter {
        AdapterSpec::Lora(lora) => Layout::lora(base.model.config(), lora),
        AdapterSpec::Full => Ok(Layout::full(base.model.config())),
    }
}
