/*!
The JSON bodies of the protocol, one type for both ends.

A client leaves out what is the default, which servers that refuse unknown fields need; a server ignores
what it does not know.
*/

mod client;
mod future;
mod model;
mod rest;
mod sample;
mod save;
mod session;
mod train;

pub use client::{ClientConfig, DynamicConfig, SdkVersion, Token};
pub use future::{
    Completion, FuturesRetrieved, FuturesTarget, Promise, RetrieveFuture, RetrieveFutures,
};
pub use model::{
    CreateModel, GetInfo, LoadWeights, LoraConfig, ModelCreated, ModelData, ModelInfo, ModelRef,
    OptimizerConfig, WeightsInfo, WeightsLoaded,
};
pub use rest::{
    Checkpoint, Checkpoints, Cursor, ExternalUrls, ServerCapabilities, SessionView, Sessions,
    SupportedModel, TinkerPathRef, TrainingRun, TrainingRuns, Ttl,
};
pub use sample::{
    Asample, CreateSamplingSession, JsonSamples, JsonSequence, JsonTop, Sampler, SamplingParams,
    SamplingSession, Stop,
};
pub use save::{
    CopyWeights, SaveExternal, SaveForSampler, SaveWeights, SavedWeights, WeightsCopied,
};
pub use session::{CreateSession, Finish, FinishReason, Heartbeat, SessionCreated};
pub use train::{
    AdamParams, Chunk, ForwardBackward, JsonDatum, JsonOutput, LossInput, ModelInput, OptimStep,
    OptimStepped,
};

/// For `skip_serializing_if`.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// For `skip_serializing_if`.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// For `default`.
fn yes() -> bool {
    true
}
