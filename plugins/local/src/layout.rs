//! Which parameters are trained: one flat f32 vector with named slots.
//!
//! Parameters, their gradient and both Adam moments are four vectors of the same length, so that the
//! optimizer, the checkpoint and the clip norm need not know what a layer is. A slot says which range
//! belongs to which tensor and by what name the tensor is saved: PEFT's name for an adapter, Hugging
//! Face's for a weight. Inputs shared by several linear layers keep their `A` matrices next to each
//! other, so that one product serves q, k and v, and one serves gate and up.

use crate::model::{Linear, ModelConfig};
use std::ops::Range;
use tinsmith_plugin_api::{Error, Lora, Result};

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// `A` of an adapter, `[rank, in]`.
    LoraA(Site),
    /// `B` of an adapter, `[out, rank]`.
    LoraB(Site),
    /// A weight of the model itself.
    Weight(WeightId),
}

/// A place where an adapter may sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// A linear layer of block `layer`.
    Block {
        /// Index of the block.
        layer: usize,
        /// Which of its linear layers.
        linear: Linear,
    },
    /// The output head.
    Head,
}

/// Names a weight of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightId {
    /// Token embedding, `[vocab, hidden]`; also the head where the two are tied.
    Embedding,
    /// A linear layer of a block, `[out, in]`.
    Linear {
        /// Index of the block.
        layer: usize,
        /// Which of its linear layers.
        linear: Linear,
    },
    /// RMS norm before attention, `[1, hidden]`.
    AttnNorm(usize),
    /// RMS norm before the MLP, `[1, hidden]`.
    MlpNorm(usize),
    /// RMS norm of each query head (Qwen3), `[1, head_dim]`.
    QNorm(usize),
    /// RMS norm of each key head (Qwen3), `[1, head_dim]`.
    KNorm(usize),
    /// RMS norm before the head, `[1, hidden]`.
    FinalNorm,
    /// Output head, `[vocab, hidden]`, where it is not tied.
    Head,
}

impl WeightId {
    /// Hugging Face's name of the tensor.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Embedding => "model.embed_tokens.weight".into(),
            Self::Linear { layer, linear } => {
                format!("model.layers.{layer}.{}.weight", linear.path())
            }
            Self::AttnNorm(l) => format!("model.layers.{l}.input_layernorm.weight"),
            Self::MlpNorm(l) => format!("model.layers.{l}.post_attention_layernorm.weight"),
            Self::QNorm(l) => format!("model.layers.{l}.self_attn.q_norm.weight"),
            Self::KNorm(l) => format!("model.layers.{l}.self_attn.k_norm.weight"),
            Self::FinalNorm => "model.norm.weight".into(),
            Self::Head => "lm_head.weight".into(),
        }
    }

    /// `[rows, columns]`; a vector has one row.
    #[must_use]
    pub fn shape(self, config: &ModelConfig) -> [usize; 2] {
        match self {
            Self::Embedding | Self::Head => [config.vocab, config.hidden],
            Self::Linear { linear, .. } => config.linear_shape(linear),
            Self::AttnNorm(_) | Self::MlpNorm(_) | Self::FinalNorm => [1, config.hidden],
            Self::QNorm(_) | Self::KNorm(_) => [1, config.head_dim],
        }
    }

    /// Its place in [`WeightId::all`].
    #[must_use]
    pub fn index(self, config: &ModelConfig) -> usize {
        let norms = if config.qk_norm { 4 } else { 2 };
        let per_layer = Linear::ALL.len() + norms;
        let block = |layer: usize, place: usize| 1 + layer * per_layer + place;
        match self {
            Self::Embedding => 0,
            Self::AttnNorm(l) => block(l, 0),
            Self::Linear { layer, linear } if linear.is_attention() => {
                block(layer, 1 + linear as usize)
            }
            Self::QNorm(l) => block(l, 5),
            Self::KNorm(l) => block(l, 6),
            Self::MlpNorm(l) => block(l, 3 + norms),
            Self::Linear { layer, linear } => block(layer, norms + linear as usize),
            Self::FinalNorm => block(config.layers, 0),
            Self::Head => block(config.layers, 1),
        }
    }

    /// Whether the tensor has one dimension on disk.
    #[must_use]
    pub fn is_vector(self) -> bool {
        !matches!(self, Self::Embedding | Self::Head | Self::Linear { .. })
    }

    /// Every weight of a model, in the order in which the forward pass meets them.
    #[must_use]
    pub fn all(config: &ModelConfig) -> Vec<Self> {
        let mut ids = vec![Self::Embedding];
        for layer in 0..config.layers {
            ids.push(Self::AttnNorm(layer));
            ids.extend(Linear::ALL[..4].iter().map(|&linear| Self::Linear { layer, linear }));
            if config.qk_norm {
                ids.extend([Self::QNorm(layer), Self::KNorm(layer)]);
            }
            ids.push(Self::MlpNorm(layer));
            ids.extend(Linear::ALL[4..].iter().map(|&linear| Self::Linear { layer, linear }));
        }
        ids.push(Self::FinalNorm);
        if !config.tied {
            ids.push(Self::Head);
        }
        ids
    }
}

/// One tensor within the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// The tensor's name in a file: PEFT's for adapters, Hugging Face's for weights.
    pub name: String,
    /// `[rows, columns]`, row-major. Vectors have one row.
    pub shape: [usize; 2],
    /// Its place in the flat vector.
    pub range: Range<usize>,
    /// What it holds.
    pub kind: SlotKind,
    /// Whether the tensor has one dimension in a file (norm weights).
    pub vector: bool,
}

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Nothing: the base model as it is.
    Base,
    /// Adapters of this rank, scaled by alpha / rank, over the frozen base.
    Lora {
        /// Rows of A.
        rank: usize,
        /// alpha / rank.
        scale: f32,
    },
    /// Every weight; the parameters are the weights.
    Full,
}

/// The slots of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    mode: Mode,
    slots: Vec<Slot>,
    len: usize,
    /// Adapters of each block, by [`Linear`].
    pub(crate) sites: Vec<[Option<LoraSlots>; 7]>,
    pub(crate) head: Option<LoraSlots>,
    pub(crate) trains_blocks: bool,
}

/// Where an adapter's two matrices lie in the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoraSlots {
    pub a: Range<usize>,
    pub b: Range<usize>,
}

impl Layout {
    /// No trained parameters: the base model as it is.
    #[must_use]
    pub fn base(config: &ModelConfig) -> Self {
        Self {
            mode: Mode::Base,
            slots: Vec::new(),
            len: 0,
            sites: vec![Default::default(); config.layers],
            head: None,
            trains_blocks: false,
        }
    }

    /// Adapters as `lora` asks.
    ///
    /// # Errors
    /// `config` if the rank is 0 or above every width of the model, or if nothing is to be trained.
    pub fn lora(config: &ModelConfig, lora: &Lora) -> Result<Self> {
        if lora.rank == 0 {
            return Err(Error::config("must be at least 1").at("rank"));
        }
        let rank = lora.rank as usize;
        let widest = config.hidden.max(config.intermediate).max(config.q_width());
        if rank > widest {
            return Err(Error::config(format!("must be at most {widest}, is {rank}"))
                .at("rank")
                .with_hint("a rank beyond the model's widest layer adds nothing"));
        }
        if !lora.alpha.is_finite() {
            return Err(Error::config("must be a finite number").at("alpha"));
        }
        if !(lora.train_attn || lora.train_mlp || lora.train_unembed) {
            return Err(Error::config("the adapter would train nothing")
                .with_hint("set one of train_attn, train_mlp, train_unembed to true"));
        }
        let mut layout = Self::base(config);
        layout.mode = Mode::Lora { rank, scale: lora.alpha / lora.rank as f32 };
        layout.trains_blocks = lora.train_attn || lora.train_mlp;
        for layer in 0..config.layers {
            for group in Linear::GROUPS {
                let wanted = if group[0].is_attention() { lora.train_attn } else { lora.train_mlp };
                if wanted {
                    layout.push_adapters(config, rank, layer, group);
                }
            }
        }
        if lora.train_unembed {
            let a = layout.push_slot(
                "base_model.model.lm_head.lora_A.weight".into(),
                [rank, config.hidden],
                SlotKind::LoraA(Site::Head),
                false,
            );
            let b = layout.push_slot(
                "base_model.model.lm_head.lora_B.weight".into(),
                [config.vocab, rank],
                SlotKind::LoraB(Site::Head),
                false,
            );
            layout.head = Some(LoraSlots { a, b });
        }
        Ok(layout)
    }

    /// Every weight of the model.
    #[must_use]
    pub fn full(config: &ModelConfig) -> Self {
        let mut layout = Self::base(config);
        layout.mode = Mode::Full;
        layout.trains_blocks = true;
        for id in WeightId::all(config) {
            layout.push_slot(id.name(), id.shape(config), SlotKind::Weight(id), id.is_vector());
        }
        layout
    }

    /// What is trained.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The slots in the order of the flat vector. They cover it without gaps.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Number of trained parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if nothing is trained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// alpha / rank of the adapters; 1 where there are none.
    #[must_use]
    pub fn scale(&self) -> f32 {
        match self.mode {
            Mode::Lora { scale, .. } => scale,
            Mode::Base | Mode::Full => 1.0,
        }
    }

    /// The slot of that tensor name.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    fn push_adapters(&mut self, config: &ModelConfig, rank: usize, layer: usize, group: &[Linear]) {
        let name = |linear: Linear, matrix: &str| {
            format!("base_model.model.model.layers.{layer}.{}.{matrix}.weight", linear.path())
        };
        let mut ranges = Vec::with_capacity(group.len());
        for &linear in group {
            let [_, input] = config.linear_shape(linear);
            let kind = SlotKind::LoraA(Site::Block { layer, linear });
            ranges.push(self.push_slot(name(linear, "lora_A"), [rank, input], kind, false));
        }
        for (&linear, a) in group.iter().zip(ranges) {
            let [output, _] = config.linear_shape(linear);
            let kind = SlotKind::LoraB(Site::Block { layer, linear });
            let b = self.push_slot(name(linear, "lora_B"), [output, rank], kind, false);
            self.sites[layer][linear as usize] = Some(LoraSlots { a, b });
        }
    }

    fn push_slot(
        &mut self,
        name: String,
        shape: [usize; 2],
        kind: SlotKind,
        vector: bool,
    ) -> Range<usize> {
        let range = self.len..self.len + shape[0] * shape[1];
        self.len = range.end;
        self.slots.push(Slot { name, shape, range: range.clone(), kind, vector });
        range
    }
}
