//! Trainers: Tinker's own primitives. The training loop lives once, in the host, and drives them.

use crate::{Batch, Done, LossBatch, LossScope, LossValue, Result, Sampler, Services};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Trains adapters over base models.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a trainer",
    note = "implement `Trainer` and, for what `open` returns, `Run`"
)]
pub trait Trainer: Sized + Send + Sync + 'static {
    /// The name a config file uses: `local`, `tinker`.
    const NAME: &'static str;
    /// One sentence for `plugins show`.
    const SUMMARY: &'static str = "";
    /// The plugin's part of the config section; serde is the validator.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds the trainer. Cheap: no network, no weights.
    ///
    /// # Errors
    /// [`crate::ErrorKind::CONFIG`] for settings that do not fit together.
    fn new(config: Self::Config, services: Services) -> Result<Self>;

    /// What it can do. The host refuses, before step 1, every setting that is not honoured.
    ///
    /// # Errors
    /// `network` if a service does not answer.
    fn capabilities(&self) -> Result<Capabilities>;

    /// Opens a run: a fresh adapter on a base model, or one from a checkpoint.
    ///
    /// # Errors
    /// `not_found` for a model or checkpoint that does not exist, `data` for a broken one.
    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>>;

    /// Opens a base model (directory or name) or any [`Saved::uri`] for sampling.
    ///
    /// # Errors
    /// As [`Trainer::open`].
    fn sampler(&self, source: &str) -> Result<Box<dyn Sampler>>;

    /// Complete checkpoints only: of one run, or of all.
    ///
    /// # Errors
    /// `io` or `network`.
    fn checkpoints(&self, run: Option<&RunId>) -> Result<Vec<Checkpoint>>;

    /// Deletes a checkpoint. An absent one is no error.
    ///
    /// # Errors
    /// `io` or `network`.
    fn delete(&self, uri: &str) -> Result<()>;

    /// Lets a checkpoint expire after so many seconds; `None`: never.
    ///
    /// # Errors
    /// `unsupported` unless implemented.
    fn set_ttl(&self, uri: &str, seconds: Option<u64>) -> Result<()> {
        let _ = (uri, seconds);
        Err(crate::Error::unsupported(format!("trainer `{}` has no expiry", Self::NAME)))
    }

    /// Lets everybody read a checkpoint who knows its uri, or nobody but its owner again.
    ///
    /// # Errors
    /// `unsupported` unless implemented; `not_found`, `network`.
    fn publish(&self, uri: &str, public: bool) -> Result<()> {
        let _ = (uri, public);
        Err(crate::Error::unsupported(format!("trainer `{}` publishes nothing", Self::NAME))
            .with_hint("`tinsmith download` gives the files of a checkpoint, to put where others find them"))
    }

    /// Streams the files of a checkpoint. Staging, sha256, path checks and renaming are the host's.
    ///
    /// # Errors
    /// `not_found`, `io` or `network`.
    fn export(&self, uri: &str, what: Export, out: &mut dyn FileSink) -> Result<()>;
}

/// One adapter with optimizer state and gradient accumulator.
///
/// One thread at a time, in program order, executed in that order. A call may return at once
/// (pipelined) or finish `done` first (blocking); it may block for back-pressure. No training
/// operation is ever cancelled. An answer of kind `rejected` means that nothing changed; after any
/// other error the effect is unknown and the host drops the run.
pub trait Run: Send {
    /// Written to the run record before the first operation.
    fn id(&self) -> RunId;
    /// Log-probability of every target.
    fn forward(&mut self, batch: Arc<Batch>, done: Done<Forward>);
    /// As `forward`; adds the gradient of the loss to the accumulator.
    fn forward_backward(&mut self, batch: Arc<Batch>, loss: LossRef, done: Done<Forward>);
    /// One AdamW step; then the accumulator is empty.
    fn optim_step(&mut self, adam: Adam, done: Done<Metrics>);
    /// Writes a checkpoint.
    fn save(&mut self, what: Save, done: Done<Saved>);
    /// Ends the run. Not called when the host dies.
    ///
    /// # Errors
    /// `network` if a service could not be told.
    fn close(self: Box<Self>, why: Outcome) -> Result<()>;
}

/// Receives the files of an export.
pub trait FileSink {
    /// Begins a file. Names are relative, with `/`.
    ///
    /// # Errors
    /// `rejected` for an unsafe name, `io` if it cannot be written.
    fn start(&mut self, name: &str) -> Result<()>;
    /// Adds bytes to the file begun last.
    ///
    /// # Errors
    /// `io` if they cannot be written.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Ends the file begun last.
    ///
    /// # Errors
    /// `io` if it cannot be completed.
    fn finish(&mut self) -> Result<()>;
}

/// Names a run of a trainer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a trainer can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Base models by name, where the trainer has a fixed list.
    pub models: Vec<ModelInfo>,
    /// Losses it evaluates itself.
    pub native_losses: Vec<String>,
    /// Whether it can call a loss of the host inside its backward pass.
    pub calls_loss: bool,
    /// Keys of the `lora` section that it honours.
    pub lora_keys: Vec<String>,
    /// Keys of the `optimizer` section that it honours.
    pub adam_keys: Vec<String>,
    /// Whether it can train all weights instead of an adapter.
    pub full_parameters: bool,
    /// Whether checkpoints can expire.
    pub ttl: bool,
    /// Steps that may be in flight at once. 1: the next step waits for the last.
    pub max_in_flight: u32,
    /// Whether the same operations give the same bytes.
    pub deterministic: bool,
    /// Whether the gradient is divided by the mask (some servers): weighted backward is refused.
    pub divides_by_mask: bool,
    /// What `export` can give.
    pub exports: Vec<Export>,
}

/// A base model that a trainer knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelInfo {
    /// The name to put under `model.base_model`.
    pub name: String,
    /// Longest input, in tokens.
    pub max_context_length: Option<u64>,
}

/// Where a run begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenRun {
    /// A fresh adapter on a base model.
    Base {
        /// Directory or name.
        model: String,
        /// What is trained.
        adapter: AdapterSpec,
    },
    /// A checkpoint.
    Saved {
        /// A [`Saved::uri`].
        uri: String,
        /// Whether the optimizer state is loaded too.
        optimizer: bool,
    },
}

/// Which weights are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterSpec {
    /// A low-rank adapter over a frozen base.
    Lora(Lora),
    /// All weights of the model.
    Full,
}

/// A low-rank adapter: W + (alpha / rank) · B · A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lora {
    /// Rows of A, columns of B.
    pub rank: u32,
    /// Scale numerator; the update is scaled by alpha / rank.
    pub alpha: f32,
    /// Seed of A's initial values. B starts at zero.
    pub seed: u64,
    /// Adapters on q, k, v and o projections.
    pub train_attn: bool,
    /// Adapters on gate, up and down projections.
    pub train_mlp: bool,
    /// An adapter on the output head.
    pub train_unembed: bool,
}

/// Which loss a `forward_backward` uses.
#[derive(Clone)]
pub struct LossRef {
    /// Its name.
    pub name: String,
    /// Its config, as a server is told.
    pub config: Value,
    /// The loss itself, where the trainer calls back.
    pub call: Option<Arc<dyn EvaluateLoss>>,
}

impl fmt::Debug for LossRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossRef")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("call", &self.call.is_some())
            .finish()
    }
}

/// A loss as a trainer calls it. See [`crate::Loss::evaluate`].
pub trait EvaluateLoss: Send + Sync {
    /// Columns it reads, in this order.
    fn inputs(&self) -> &[String];
    /// What it must see at once.
    fn scope(&self) -> LossScope;
    /// Value (a sum, in nats) and derivative by each log-probability, in `grad[T]`.
    ///
    /// # Errors
    /// Whatever the loss answers.
    fn evaluate(&self, batch: &LossBatch<'_>, grad: &mut [f32]) -> Result<LossValue>;
}

/// What `forward` and `forward_backward` answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forward {
    /// Log-probability of every target under the current weights, in nats: `[T]`.
    pub logprobs: Vec<f32>,
    /// Named figures; `loss:sum` is the loss.
    pub metrics: Metrics,
}

/// Named figures.
pub type Metrics = BTreeMap<String, f64>;

/// Parameters of one AdamW step; any may change from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled decay: θ ← θ · (1 − learning_rate · weight_decay) before the step.
    pub weight_decay: f64,
    /// Global L2 norm to which the accumulated gradient is clipped; 0 = off.
    pub grad_clip_norm: f64,
}

/// What `save` writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Save {
    /// A checkpoint to train on from.
    State {
        /// Unique within the run: letters, digits, `-` and `_`.
        name: String,
        /// Whether the optimizer state is written too.
        optimizer: bool,
    },
    /// Weights to sample from.
    Sampler {
        /// Unique within the run.
        name: String,
    },
    /// Weights to sample from, gone with the trainer.
    Ephemeral,
}

/// A finished checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Opaque; `open`, `sampler`, `export` and `delete` understand it.
    pub uri: String,
    /// sha256 (hex) of the manifest, where the trainer writes one.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Size, where known.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// A checkpoint as a listing shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The run it belongs to.
    pub run: RunId,
    /// Its name.
    pub name: String,
    /// See [`Saved::uri`].
    pub uri: String,
    /// Whether training can go on from it with its optimizer state.
    pub optimizer: bool,
    /// Size, where known.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// When it was made, RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    /// When it expires, RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
    /// Whether everybody may read it; None where the trainer publishes nothing.
    #[serde(default)]
    pub public: Option<bool>,
}

/// Why a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps were done.
    Success,
    /// Something failed.
    Failed,
    /// The user stopped it.
    Interrupted,
}

/// What `export` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// `adapter_config.json` and `adapter_model.safetensors` in PEFT layout.
    Adapter,
    /// A whole model directory (full-parameter runs).
    Model,
}
