/*!
The protobuf messages of the protocol (package `tinker_public`), by their field numbers.

Written by hand, so that building needs no `protoc`. One schema reads all versions: older clients lack
fields, and none was renumbered. Binary payloads are little-endian, contiguous and row-major; the
entries of a map come in any order.
*/

use prost::{Enumeration, Message, Oneof};
use std::collections::BTreeMap;

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum StopReason {
    /// A stop sequence was generated.
    Stop = 0,
    /// The most tokens were generated.
    Length = 1,
}

/// The type of a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum DType {
    /// Not said.
    Unspecified = 0,
    /// 32-bit floats.
    Float32 = 1,
    /// 64-bit integers.
    Int64 = 2,
    /// 32-bit integers.
    Int32 = 3,
    /// The upper halves of 32-bit floats.
    Bfloat16 = 4,
}

/// Body of `POST /forward_backward`.
#[derive(Clone, PartialEq, Message)]
pub struct ForwardBackwardRequest {
    /// The model.
    #[prost(string, tag = "1")]
    pub model_id: String,
    /// Place in the order of the model's operations, from 1.
    #[prost(int32, tag = "2")]
    pub seq_id: i32,
    /// The datums.
    #[prost(message, repeated, tag = "3")]
    pub data: Vec<Datum>,
    /// Name of the loss.
    #[prost(string, tag = "4")]
    pub loss_fn: String,
    /// The numbers of the loss's config, for servers that do not read `loss_fn_config_v2`.
    #[prost(btree_map = "string, double", tag = "5")]
    pub loss_fn_config: BTreeMap<String, f64>,
    /// Whether no gradient is wanted.
    #[prost(bool, tag = "6")]
    pub forward_only: bool,
    /// The loss's config; counts where it is not empty.
    #[prost(btree_map = "string, message", tag = "7")]
    pub loss_fn_config_v2: BTreeMap<String, LossConfigValue>,
}

/// A value of a loss's config.
#[derive(Clone, PartialEq, Message)]
pub struct LossConfigValue {
    /// The value.
    #[prost(oneof = "loss_config_value::Value", tags = "1, 2")]
    pub value: Option<loss_config_value::Value>,
}

/// Kinds of [`LossConfigValue`].
pub mod loss_config_value {
    /// A value.
    #[derive(Clone, PartialEq, super::Oneof)]
    pub enum Value {
        /// A number.
        #[prost(double, tag = "1")]
        Number(f64),
        /// A text.
        #[prost(string, tag = "2")]
        Text(String),
    }
}

/// A model input with what the loss needs of it.
#[derive(Clone, PartialEq, Message)]
pub struct Datum {
    /// The input, in parts.
    #[prost(message, repeated, tag = "1")]
    pub model_input: Vec<Chunk>,
    /// Per-token inputs of the loss.
    #[prost(btree_map = "string, message", tag = "2")]
    pub loss_fn_inputs: BTreeMap<String, Tensor>,
    /// Where the input came from, tile by tile.
    #[prost(message, repeated, tag = "3")]
    pub model_input_spans: Vec<ProvenanceSpan>,
    /// Where the targets came from, tile by tile.
    #[prost(message, repeated, tag = "4")]
    pub loss_fn_input_spans: Vec<ProvenanceSpan>,
}

/// A part of a model input.
#[derive(Clone, PartialEq, Message)]
pub struct Chunk {
    /// The part.
    #[prost(oneof = "chunk::Chunk", tags = "1, 2, 3")]
    pub chunk: Option<chunk::Chunk>,
}

/// Kinds of [`Chunk`].
pub mod chunk {
    /// A part of a model input.
    #[derive(Clone, PartialEq, super::Oneof)]
    pub enum Chunk {
        /// Tokens.
        #[prost(message, tag = "1")]
        EncodedText(super::EncodedTextChunk),
        /// A picture.
        #[prost(message, tag = "2")]
        Image(super::ImageChunk),
        /// Audio.
        #[prost(message, tag = "3")]
        Dmel(super::DmelChunk),
    }
}

/// Tokens.
#[derive(Clone, PartialEq, Message)]
pub struct EncodedTextChunk {
    /// Ids as int32.
    #[prost(bytes = "vec", tag = "1")]
    pub tokens: Vec<u8>,
}

/// A picture.
#[derive(Clone, PartialEq, Message)]
pub struct ImageChunk {
    /// The file.
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
    /// `png` or `jpeg`.
    #[prost(string, tag = "2")]
    pub format: String,
    /// How many tokens it is believed to take.
    #[prost(int32, optional, tag = "3")]
    pub expected_tokens: Option<i32>,
    /// Dimensions to scale it to.
    #[prost(message, optional, tag = "4")]
    pub override_dimensions: Option<ImageDimensions>,
}

/// Dimensions of a picture, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct ImageDimensions {
    /// Its width.
    #[prost(uint32, tag = "1")]
    pub width: u32,
    /// Its height.
    #[prost(uint32, tag = "2")]
    pub height: u32,
}

/// Audio, as a serialized container of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct DmelChunk {
    /// The container.
    #[prost(bytes = "vec", tag = "1")]
    pub dmel: Vec<u8>,
}

/// Values with a shape.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// The values.
    #[prost(oneof = "tensor::Encoding", tags = "1, 2")]
    pub encoding: Option<tensor::Encoding>,
    /// Their type.
    #[prost(enumeration = "DType", tag = "3")]
    pub dtype: i32,
    /// The whole shape; absent: one axis.
    #[prost(int64, repeated, tag = "4")]
    pub shape: Vec<i64>,
}

/// How a [`Tensor`] lists its values.
pub mod tensor {
    /// How values are listed.
    #[derive(Clone, PartialEq, super::Oneof)]
    pub enum Encoding {
        /// All of them.
        #[prost(bytes = "vec", tag = "1")]
        Dense(Vec<u8>),
        /// Those that are not zero, of two axes.
        #[prost(message, tag = "2")]
        SparseCsr(super::SparseCsr),
    }
}

/// Values that are not zero, row by row.
#[derive(Clone, PartialEq, Message)]
pub struct SparseCsr {
    /// The values.
    #[prost(bytes = "vec", tag = "1")]
    pub values: Vec<u8>,
    /// Where each row begins, and the end of the last, as int64.
    #[prost(bytes = "vec", tag = "2")]
    pub crow_indices: Vec<u8>,
    /// The column of each value, as int64.
    #[prost(bytes = "vec", tag = "3")]
    pub col_indices: Vec<u8>,
}

/// Tokens copied from an earlier sample.
#[derive(Clone, PartialEq, Message)]
pub struct ProvenanceSpan {
    /// From its prompt or from its answer.
    #[prost(oneof = "provenance_span::Span", tags = "1, 2")]
    pub span: Option<provenance_span::Span>,
}

/// Kinds of [`ProvenanceSpan`].
pub mod provenance_span {
    /// Tokens of a sequence.
    #[derive(Clone, PartialEq, super::Oneof)]
    pub enum Span {
        /// Of its prompt.
        #[prost(message, tag = "1")]
        PromptTokens(super::SequenceSpan),
        /// Of what was sampled.
        #[prost(message, tag = "2")]
        SampledTokens(super::SequenceSpan),
    }
}

/// Tokens of a sequence.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct SequenceSpan {
    /// The sequence, as the answer to `asample` named it.
    #[prost(string, tag = "1")]
    pub sequence_id: String,
    /// The first token.
    #[prost(int64, tag = "2")]
    pub offset: i64,
    /// How many.
    #[prost(int64, tag = "3")]
    pub length: i64,
}

/// Result of `forward_backward`.
#[derive(Clone, PartialEq, Message)]
pub struct ForwardBackwardOutput {
    /// What the outputs are; clients keep what follows the last colon.
    #[prost(string, tag = "1")]
    pub loss_fn_output_type: String,
    /// The outputs of each datum, in rectangular batches.
    #[prost(message, repeated, tag = "2")]
    pub loss_fn_outputs: Vec<ArrayRecord>,
    /// Figures, named `name:reduction`.
    #[prost(btree_map = "string, double", tag = "3")]
    pub metrics: BTreeMap<String, f64>,
}

/// The outputs of datums that have the same fields.
#[derive(Clone, PartialEq, Message)]
pub struct ArrayRecord {
    /// Ignored.
    #[prost(string, tag = "1")]
    pub type_tag: String,
    /// The fields.
    #[prost(btree_map = "string, message", tag = "2")]
    pub fields: BTreeMap<String, BatchedTensor>,
    /// How many datums.
    #[prost(int64, tag = "3")]
    pub num_datums: i64,
}

/// One field of several datums, end to end.
#[derive(Clone, PartialEq, Message)]
pub struct BatchedTensor {
    /// The values.
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
    /// The byte where each datum begins, and the end of the last, as int64.
    #[prost(bytes = "vec", tag = "2")]
    pub offsets: Vec<u8>,
    /// Their type.
    #[prost(enumeration = "DType", tag = "3")]
    pub dtype: i32,
    /// The shape behind the axis of tokens.
    #[prost(int64, repeated, tag = "4")]
    pub trailing_shape: Vec<i64>,
}

/// Result of `asample`.
#[derive(Clone, PartialEq, Message)]
pub struct SampleResponse {
    /// One for each sample.
    #[prost(message, repeated, tag = "1")]
    pub sequences: Vec<SampledSequence>,
    /// Of each token of the prompt, as float32; NaN: not computed.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub prompt_logprobs: Option<Vec<u8>>,
    /// The likeliest tokens at each place of the prompt.
    #[prost(message, optional, tag = "3")]
    pub topk_prompt_logprobs: Option<TopkLogprobs>,
    /// Tokens of the prompt that were not computed anew.
    #[prost(int32, tag = "4")]
    pub prompt_cache_hit_tokens: i32,
    /// Of the tokens that the request named, at each place of the prompt.
    #[prost(message, optional, tag = "5")]
    pub target_prompt_logprobs: Option<Tensor>,
    /// Other tokens than the prompt's.
    #[prost(message, optional, tag = "6")]
    pub prompt_alt_tokens: Option<PromptAltTokens>,
}

/// Tokens that might have stood in the prompt.
#[derive(Clone, PartialEq, Message)]
pub struct PromptAltTokens {
    /// Their ids.
    #[prost(message, optional, tag = "1")]
    pub tokens: Option<Tensor>,
    /// Their log-probabilities.
    #[prost(message, optional, tag = "2")]
    pub logprobs: Option<Tensor>,
}

/// One sample.
#[derive(Clone, PartialEq, Message)]
pub struct SampledSequence {
    /// Why it ended.
    #[prost(enumeration = "StopReason", tag = "1")]
    pub stop_reason: i32,
    /// Ids as int32.
    #[prost(bytes = "vec", tag = "2")]
    pub tokens: Vec<u8>,
    /// Of each token, as float32.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub logprobs: Option<Vec<u8>>,
    /// The likeliest tokens at each place.
    #[prost(message, optional, tag = "4")]
    pub topk_sampled_logprobs: Option<TopkLogprobs>,
}

/// The likeliest tokens at several places: `[length, k]`. What is missing has id 0 and −99999.
#[derive(Clone, PartialEq, Message)]
pub struct TopkLogprobs {
    /// Ids as int32.
    #[prost(bytes = "vec", tag = "1")]
    pub token_ids: Vec<u8>,
    /// Log-probabilities as float32.
    #[prost(bytes = "vec", tag = "2")]
    pub logprobs: Vec<u8>,
    /// Tokens at each place.
    #[prost(uint32, tag = "3")]
    pub k: u32,
    /// Places.
    #[prost(uint32, tag = "4")]
    pub length: u32,
}

impl ForwardBackwardRequest {
    /// The config of the loss: `loss_fn_config_v2` where it has something, else the older numbers.
    ///
    /// # Errors
    /// `rejected` for a number that is not finite, or a value of no kind.
    pub fn config(
        &self,
    ) -> tinsmith_plugin_api::Result<serde_json::Map<String, serde_json::Value>> {
        use loss_config_value::Value as Given;
        use serde_json::{Number, Value};
        use tinsmith_plugin_api::Error;
        let number = |key: &String, value: f64| {
            let number = Number::from_f64(value).map(Value::Number);
            number.ok_or_else(|| Error::rejected(format!("{value} is no setting")).at(key))
        };
        if self.loss_fn_config_v2.is_empty() {
            let entry = |(key, value): (&String, &f64)| Ok((key.clone(), number(key, *value)?));
            return self.loss_fn_config.iter().map(entry).collect();
        }
        let entry = |(key, value): (&String, &LossConfigValue)| {
            let value = match &value.value {
                Some(Given::Number(value)) => number(key, *value)?,
                Some(Given::Text(text)) => Value::String(text.clone()),
                None => return Err(Error::rejected("has no value").at(key)),
            };
            Ok((key.clone(), value))
        };
        self.loss_fn_config_v2.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_config_counts_where_there_is_one() {
        let mut asked = ForwardBackwardRequest::default();
        asked.loss_fn_config.insert("beta".into(), 0.5);
        assert_eq!(asked.config().unwrap()["beta"], 0.5);
        let text = loss_config_value::Value::Text("x".into());
        asked.loss_fn_config_v2.insert("name".into(), LossConfigValue { value: Some(text) });
        let config = asked.config().unwrap();
        assert!(config["name"] == "x" && !config.contains_key("beta"));
        asked.loss_fn_config_v2.insert("none".into(), LossConfigValue { value: None });
        assert!(asked.config().unwrap_err().to_string().contains("none"));
    }
}
