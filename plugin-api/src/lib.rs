/*!
The ground floor of tinsmith: the nouns that flow from a dataset to an adapter, and the four traits
that a plugin may implement.

| trait | turns | into |
|---|---|---|
| [`DatasetRenderer`] | a record of a dataset | [`Examples`]: tokens and weights |
| [`Loss`] | log-probabilities of target tokens | a value in nats and its gradient |
| [`StorageBackend`] | a key | bytes, written whole or not at all |
| [`Trainer`] | a [`Batch`] | gradients, optimizer steps, checkpoints, samples |

Authors see plain Rust: `Result`, `&str`, `Vec`, serde configs. What crosses the boundary of a
shared library is kept apart in [`abi`], and nothing outside that module knows how it crosses. The
same source is linked statically (through `inventory`) or loaded from a shared library; both ways
end in the same admission check and the same adapters, so that a plugin's unit test already crosses
the boundary it will cross in production.

There is no I/O in this crate and no async. A plugin owns its runtime, if it needs one; the host
lends it a thread and [`Services`].
*/

pub mod abi;
mod batch;
mod error;
mod examples;
mod export;
mod failpoint;
mod handles;
mod loss;
mod record;
mod renderer;
mod sampler;
mod services;
mod storage;
#[cfg(feature = "testing")]
pub mod testing;
mod ticket;
mod trainer;

pub use batch::{Batch, Column, ColumnData};
pub use error::{Error, ErrorKind, Result};
pub use examples::{ExampleRange, Examples, RecordError};
pub use handles::{LossHandle, RendererHandle, StorageHandle, TrainerHandle};
pub use loss::{Loss, LossBatch, LossInputs, LossScope, LossValue, RemoteLoss};
pub use record::Record;
pub use renderer::{DatasetRenderer, Parsed, Stop, Termination};
pub use sampler::{
    PromptTargets, SampleRequest, Sampled, Sampler, Samples, StopReason, TopLogprobs, Wanted,
};
pub use services::{
    AddedToken, Encoded, HostServices, Level, Secret, Services, Special, StreamDecoder,
    TokenizerInfo,
};
pub use storage::{StorageBackend, Upload};
pub use ticket::{Done, DoneSink, Ticket, TicketState, ticket};
pub use trainer::{
    Adam, AdapterSpec, Capabilities, Checkpoint, EvaluateLoss, Export, FileSink, Forward, Lora,
    LossRef, Metrics, ModelInfo, OpenRun, Outcome, Run, RunId, Save, Saved, Trainer,
};

/// The version of this crate, which plugin authors build against.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");

#[doc(hidden)]
pub mod __private {
    //! What `plugin!` expands to. Not for use by hand.
    pub use crate::export::default_id;
    pub use crate::failpoint::pass as failpoint;
    pub use {inventory, schemars, serde, serde_json};
}
