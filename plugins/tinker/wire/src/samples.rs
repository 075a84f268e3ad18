//! What `asample` answers, in both dialects.

use crate::{
    le,
    messages::{JsonSamples, JsonSequence},
    proto::{self, SampleResponse, SampledSequence},
};
use tinsmith_plugin_api::{Samples, StopReason};

/// Writes the binary dialect. Where a prompt token has no log-probability stands NaN.
#[must_use]
pub fn to_proto(samples: &Samples) -> SampleResponse {
    let sequence = |sample: &tinsmith_plugin_api::Sampled| SampledSequence {
        stop_reason: match sample.stop_reason {
            StopReason::Stop => proto::StopReason::Stop,
            StopReason::Length => proto::StopReason::Length,
        } as i32,
        tokens: le::pack(sample.tokens.iter().copied()),
        logprobs: Some(le::pack(sample.logprobs.iter().copied())),
        topk_sampled_logprobs: None,
    };
    let prompt = samples.prompt_logprobs.as_ref();
    SampleResponse {
        sequences: samples.sequences.iter().map(sequence).collect(),
        prompt_logprobs: prompt
            .map(|prompt| le::pack(prompt.iter().map(|p| p.unwrap_or(f32::NAN)))),
        ..SampleResponse::default()
    }
}

/// Writes the JSON dialect.
#[must_use]
pub fn to_json(samples: &Samples) -> JsonSamples {
    let sequence = |sample: &tinsmith_plugin_api::Sampled| JsonSequence {
        stop_reason: match sample.stop_reason {
            StopReason::Stop => "stop".into(),
            StopReason::Length => "length".into(),
        },
        tokens: sample.tokens.clone(),
        logprobs: Some(sample.logprobs.clone()),
    };
    JsonSamples {
        sequences: samples.sequences.iter().map(sequence).collect(),
        prompt_logprobs: samples.prompt_logprobs.clone(),
        kind: "sample".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use tinsmith_plugin_api::Sampled;

    /// The bytes of a sample in the golden transcript of the official client.
    #[test]
    fn a_sample_has_the_bytes_that_the_official_client_reads() {
        let sampled = |first| Sampled {
            tokens: vec![first, first + 1, 102],
            logprobs: vec![-0.1, -0.2, -0.3],
            stop_reason: StopReason::Stop,
        };
        let samples = Samples { sequences: vec![sampled(100)], prompt_logprobs: None };
        let hex: String =
            to_proto(&samples).encode_to_vec().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "0a1c120c6400000065000000660000001a0ccdccccbdcdcc4cbe9a9999be");
    }

    #[test]
    fn the_first_token_of_a_prompt_has_no_logprob() {
        let prompt_logprobs = Some(vec![None, Some(-1.5)]);
        let samples = Samples { sequences: Vec::new(), prompt_logprobs };
        let binary = to_proto(&samples).prompt_logprobs.unwrap();
        let values = le::unpack::<f32>(&binary).unwrap();
        assert!(values[0].is_nan() && values[1] == -1.5);
        let json = serde_json::to_value(to_json(&samples)).unwrap();
        assert_eq!(json["prompt_logprobs"].to_string(), "[null,-1.5]");
    }
}
