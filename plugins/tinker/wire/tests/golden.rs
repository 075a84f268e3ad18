//! The protobuf bodies that the official SDK 0.38.0 sent and took (bytes recorded on the wire), beside
//! what its own protobuf library decoded them to. tests/fixtures/tinker/golden.jsonl has both.

#![allow(clippy::unwrap_used)]

use base64::{Engine, engine::general_purpose::STANDARD};
use prost::Message;
use serde_json::{Map, Value, json};
use tinsmith_tinker_wire::proto::{
    Chunk, DType, Datum, ForwardBackwardOutput, ForwardBackwardRequest, ProvenanceSpan,
    SampleResponse, SequenceSpan, StopReason, Tensor, TopkLogprobs, chunk, loss_config_value,
    provenance_span, tensor,
};

const GOLDEN: &str = include_str!("../../../../tests/fixtures/tinker/golden.jsonl");

#[test]
fn every_recorded_body_decodes_to_what_the_sdk_decoded_and_comes_back() {
    let mut count = 0;
    for line in GOLDEN.lines() {
        let golden: Value = serde_json::from_str(line).unwrap();
        let name = golden["name"].as_str().unwrap();
        let mut bytes = STANDARD.decode(golden["bytes"].as_str().unwrap()).unwrap();
        if name.ends_with(".zst") {
            bytes = zstd::decode_all(&bytes[..]).unwrap();
        }
        match golden["message"].as_str().unwrap() {
            "ForwardBackwardRequest" => check(name, &bytes, &golden["json"], request),
            "ForwardBackwardOutput" => check(name, &bytes, &golden["json"], output),
            "SampleResponse" => check(name, &bytes, &golden["json"], samples),
            other => panic!("{name}: {other}"),
        }
        count += 1;
    }
    assert_eq!(count, 96);
}

fn check<M: Message + Default + PartialEq + std::fmt::Debug>(
    name: &str,
    bytes: &[u8],
    expected: &Value,
    json: fn(&M) -> Value,
) {
    let message = M::decode(bytes).unwrap();
    assert_eq!(json(&message), *expected, "{name}");
    // Bytes may differ: entries of a map come in any order, and a zero in one may be left out.
    let again = message.encode_to_vec();
    assert_eq!(M::decode(&again[..]).unwrap(), message, "{name}");
}

/// An object of the canonical JSON of protobuf, which leaves out defaults.
fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let is_default = |v: &Value| match v {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::String(s) => s.is_empty() || s == "0",
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        Value::Number(n) => n.as_f64() == Some(0.0),
    };
    let fields = fields.into_iter().filter(|(_, v)| !is_default(v));
    Value::Object(fields.map(|(k, v)| (k.to_owned(), v)).collect())
}

fn map<'a, T: 'a>(
    entries: impl IntoIterator<Item = (&'a String, &'a T)>,
    json: impl Fn(&T) -> Value,
) -> Value {
    Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), json(v))).collect::<Map<_, _>>())
}

fn list<T>(items: &[T], json: impl Fn(&T) -> Value) -> Value {
    items.iter().map(json).collect()
}

fn bytes(bytes: &[u8]) -> Value {
    STANDARD.encode(bytes).into()
}

fn integers(values: &[i64]) -> Value {
    list(values, |v| v.to_string().into())
}

fn dtype(dtype: DType) -> Value {
    match dtype {
        DType::Unspecified => Value::Null,
        DType::Float32 => "DTYPE_FLOAT32".into(),
        DType::Int64 => "DTYPE_INT64".into(),
        DType::Int32 => "DTYPE_INT32".into(),
        DType::Bfloat16 => "DTYPE_BFLOAT16".into(),
    }
}

fn request(m: &ForwardBackwardRequest) -> Value {
    object([
        ("model_id", json!(m.model_id)),
        ("seq_id", json!(m.seq_id)),
        ("data", list(&m.data, datum)),
        ("loss_fn", json!(m.loss_fn)),
        ("loss_fn_config", map(&m.loss_fn_config, |v| json!(v))),
        ("forward_only", json!(m.forward_only)),
        (
            "loss_fn_config_v2",
            map(&m.loss_fn_config_v2, |v| match v.value.as_ref().unwrap() {
                loss_config_value::Value::Number(n) => json!({"number": n}),
                loss_config_value::Value::Text(t) => json!({"text": t}),
            }),
        ),
    ])
}

fn datum(m: &Datum) -> Value {
    object([
        ("model_input", list(&m.model_input, part)),
        ("loss_fn_inputs", map(&m.loss_fn_inputs, tensor)),
        ("model_input_spans", list(&m.model_input_spans, span)),
        ("loss_fn_input_spans", list(&m.loss_fn_input_spans, span)),
    ])
}

fn part(m: &Chunk) -> Value {
    match m.chunk.as_ref().unwrap() {
        chunk::Chunk::EncodedText(text) => json!({"encoded_text": {"tokens": bytes(&text.tokens)}}),
        chunk::Chunk::Image(image) => json!({"image": object([
            ("data", bytes(&image.data)),
            ("format", json!(image.format)),
            ("expected_tokens", json!(image.expected_tokens)),
        ])}),
        chunk::Chunk::Dmel(dmel) => json!({"dmel": {"dmel": bytes(&dmel.dmel)}}),
    }
}

fn tensor(m: &Tensor) -> Value {
    let (dense, sparse) = match &m.encoding {
        Some(tensor::Encoding::Dense(values)) => (bytes(values), Value::Null),
        Some(tensor::Encoding::SparseCsr(csr)) => {
            let sparse = object([
                ("values", bytes(&csr.values)),
                ("crow_indices", bytes(&csr.crow_indices)),
                ("col_indices", bytes(&csr.col_indices)),
            ]);
            (Value::Null, sparse)
        }
        None => (Value::Null, Value::Null),
    };
    object([
        ("dense", dense),
        ("sparse_csr", sparse),
        ("dtype", dtype(m.dtype())),
        ("shape", integers(&m.shape)),
    ])
}

fn span(m: &ProvenanceSpan) -> Value {
    let tokens = |s: &SequenceSpan| {
        object([
            ("sequence_id", json!(s.sequence_id)),
            ("offset", s.offset.to_string().into()),
            ("length", s.length.to_string().into()),
        ])
    };
    match m.span.as_ref().unwrap() {
        provenance_span::Span::PromptTokens(s) => json!({"prompt_tokens": tokens(s)}),
        provenance_span::Span::SampledTokens(s) => json!({"sampled_tokens": tokens(s)}),
    }
}

fn output(m: &ForwardBackwardOutput) -> Value {
    let mut all = object([
        ("loss_fn_output_type", json!(m.loss_fn_output_type)),
        (
            "loss_fn_outputs",
            list(&m.loss_fn_outputs, |record| {
                object([
                    ("type_tag", json!(record.type_tag)),
                    (
                        "fields",
                        map(&record.fields, |field| {
                            object([
                                ("data", bytes(&field.data)),
                                ("offsets", bytes(&field.offsets)),
                                ("dtype", dtype(field.dtype())),
                                ("trailing_shape", integers(&field.trailing_shape)),
                            ])
                        }),
                    ),
                    ("num_datums", record.num_datums.to_string().into()),
                ])
            }),
        ),
    ]);
    if !m.metrics.is_empty() {
        all["metrics"] = map(&m.metrics, |v| json!(v));
    }
    all
}

fn samples(m: &SampleResponse) -> Value {
    let optional = |v: Option<Value>| v.unwrap_or(Value::Null);
    let alternatives = m.prompt_alt_tokens.as_ref().map(|alt| {
        object([
            ("tokens", optional(alt.tokens.as_ref().map(tensor))),
            ("logprobs", optional(alt.logprobs.as_ref().map(tensor))),
        ])
    });
    object([
        (
            "sequences",
            list(&m.sequences, |s| {
                object([
                    (
                        "stop_reason",
                        match s.stop_reason() {
                            StopReason::Stop => Value::Null,
                            StopReason::Length => "STOP_REASON_LENGTH".into(),
                        },
                    ),
                    ("tokens", bytes(&s.tokens)),
                    ("logprobs", optional(s.logprobs.as_deref().map(bytes))),
                    ("topk_sampled_logprobs", optional(s.topk_sampled_logprobs.as_ref().map(topk))),
                ])
            }),
        ),
        ("prompt_logprobs", optional(m.prompt_logprobs.as_deref().map(bytes))),
        ("topk_prompt_logprobs", optional(m.topk_prompt_logprobs.as_ref().map(topk))),
        ("prompt_cache_hit_tokens", json!(m.prompt_cache_hit_tokens)),
        ("target_prompt_logprobs", optional(m.target_prompt_logprobs.as_ref().map(tensor))),
        ("prompt_alt_tokens", optional(alternatives)),
    ])
}

fn topk(m: &TopkLogprobs) -> Value {
    object([
        ("token_ids", bytes(&m.token_ids)),
        ("logprobs", bytes(&m.logprobs)),
        ("k", json!(m.k)),
        ("length", json!(m.length)),
    ])
}
