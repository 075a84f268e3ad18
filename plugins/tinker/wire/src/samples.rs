//! What `asample` answers, in both dialects.

use crate::{
    le,
    messages::{JsonSamples, JsonSequence, JsonTop},
    proto::{self, SampleResponse, SampledSequence, TopkLogprobs},
    targets::Layout,
};
use tinsmith_plugin_api::{Error, Result, Samples, StopReason, TopLogprobs};

/// The log-probability that stands beside id 0 where there is no token.
const NOTHING: f32 = -99_999.0;

/// Writes the binary dialect. Where a prompt token has no log-probability stands NaN. `layout` is that of
/// the tokens that the request named.
#[must_use]
pub fn to_proto(samples: &Samples, layout: Option<&Layout>) -> SampleResponse {
    let sequence = |sample: &tinsmith_plugin_api::Sampled| SampledSequence {
        stop_reason: match sample.stop_reason {
            StopReason::Stop => proto::StopReason::Stop,
            StopReason::Length => proto::StopReason::Length,
        } as i32,
        tokens: le::pack(sample.tokens.iter().copied()),
        logprobs: Some(le::pack(sample.logprobs.iter().copied())),
        topk_sampled_logprobs: sample.topk_logprobs.as_ref().map(top_to_proto),
    };
    let prompt = samples.prompt_logprobs.as_ref();
    SampleResponse {
        sequences: samples.sequences.iter().map(sequence).collect(),
        prompt_logprobs: prompt
            .map(|prompt| le::pack(prompt.iter().map(|p| p.unwrap_or(f32::NAN)))),
        topk_prompt_logprobs: samples.topk_prompt_logprobs.as_ref().map(top_to_proto),
        target_prompt_logprobs: layout
            .zip(samples.target_prompt_logprobs.as_ref())
            .map(|(layout, values)| layout.to_proto(values)),
        ..SampleResponse::default()
    }
}

fn top_to_proto(top: &TopLogprobs) -> TopkLogprobs {
    let k = top.iter().map(Vec::len).max().unwrap_or(0);
    let places = top.iter().flat_map(|place| (0..k).map(|i| place.get(i).copied()));
    let cells: Vec<(i32, f32)> = places.map(|cell| cell.unwrap_or((0, NOTHING))).collect();
    TopkLogprobs {
        token_ids: le::pack(cells.iter().map(|(token, _)| *token)),
        logprobs: le::pack(cells.iter().map(|(_, logprob)| *logprob)),
        k: k as u32,
        length: top.len() as u32,
    }
}

/// Reads the likeliest tokens of the binary dialect.
///
/// # Errors
/// `rejected` for bytes that are not `[length, k]`.
pub fn top_from_proto(top: &TopkLogprobs) -> Result<TopLogprobs> {
    let (tokens, logprobs) =
        (le::unpack::<i32>(&top.token_ids)?, le::unpack::<f32>(&top.logprobs)?);
    let (k, length) = (top.k as usize, top.length as usize);
    if k.checked_mul(length) != Some(tokens.len()) || tokens.len() != logprobs.len() {
        let (got, other) = (tokens.len(), logprobs.len());
        return Err(Error::rejected(format!(
            "{got} tokens and {other} log-probabilities for {length} places of {k}"
        )));
    }
    if k == 0 {
        return Ok(vec![Vec::new(); length]);
    }
    let pairs: Vec<(i32, f32)> = tokens.into_iter().zip(logprobs).collect();
    let there =
        |place: &[(i32, f32)]| place.iter().copied().filter(|cell| *cell != (0, NOTHING)).collect();
    Ok(pairs.chunks_exact(k).map(there).collect())
}

/// The likeliest tokens in the JSON dialect.
fn top_to_json(top: &TopLogprobs) -> JsonTop {
    top.iter().map(|place| (!place.is_empty()).then(|| place.clone())).collect()
}

/// Reads the likeliest tokens of the JSON dialect.
#[must_use]
pub fn top_from_json(top: JsonTop) -> TopLogprobs {
    top.into_iter().map(Option::unwrap_or_default).collect()
}

/// Writes the JSON dialect; `layout` as in [`to_proto`].
#[must_use]
pub fn to_json(samples: &Samples, layout: Option<&Layout>) -> JsonSamples {
    let sequence = |sample: &tinsmith_plugin_api::Sampled| JsonSequence {
        stop_reason: match sample.stop_reason {
            StopReason::Stop => "stop".into(),
            StopReason::Length => "length".into(),
        },
        tokens: sample.tokens.clone(),
        logprobs: Some(sample.logprobs.clone()),
        topk_logprobs: sample.topk_logprobs.as_ref().map(top_to_json),
    };
    JsonSamples {
        sequences: samples.sequences.iter().map(sequence).collect(),
        prompt_logprobs: samples.prompt_logprobs.clone(),
        topk_prompt_logprobs: samples.topk_prompt_logprobs.as_ref().map(top_to_json),
        target_prompt_logprobs: layout
            .zip(samples.target_prompt_logprobs.as_ref())
            .and_then(|(layout, values)| layout.to_json(values)),
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
            topk_logprobs: None,
        };
        let samples = Samples { sequences: vec![sampled(100)], ..Samples::default() };
        let hex: String =
            to_proto(&samples, None).encode_to_vec().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "0a1c120c6400000065000000660000001a0ccdccccbdcdcc4cbe9a9999be");
    }

    #[test]
    fn the_first_token_of_a_prompt_has_no_logprob() {
        let prompt_logprobs = Some(vec![None, Some(-1.5)]);
        let samples = Samples { prompt_logprobs, ..Samples::default() };
        let binary = to_proto(&samples, None).prompt_logprobs.unwrap();
        let values = le::unpack::<f32>(&binary).unwrap();
        assert!(values[0].is_nan() && values[1] == -1.5);
        let json = serde_json::to_value(to_json(&samples, None)).unwrap();
        assert_eq!(json["prompt_logprobs"].to_string(), "[null,-1.5]");
    }

    /// The official client reads id 0 with −99999 as a place without a token.
    #[test]
    fn the_likeliest_tokens_of_every_place_come_back() {
        let top: TopLogprobs = vec![vec![], vec![(7, -0.5), (0, -1.0)], vec![(3, -0.25)]];
        let sent = top_to_proto(&top);
        assert_eq!((sent.k, sent.length), (2, 3));
        assert_eq!(le::unpack::<i32>(&sent.token_ids).unwrap(), [0, 0, 7, 0, 3, 0]);
        let logprobs = le::unpack::<f32>(&sent.logprobs).unwrap();
        assert_eq!(logprobs, [-99_999.0, -99_999.0, -0.5, -1.0, -0.25, -99_999.0]);
        assert_eq!(top_from_proto(&sent).unwrap(), top);
        assert_eq!(
            serde_json::to_string(&top_to_json(&top)).unwrap(),
            "[null,[[7,-0.5],[0,-1.0]],[[3,-0.25]]]"
        );
        assert_eq!(top_from_json(top_to_json(&top)), top);
        assert!(top_from_proto(&TopkLogprobs { length: 4, ..sent }).is_err());
        assert_eq!(top_from_proto(&top_to_proto(&vec![vec![]; 2])).unwrap(), [vec![], vec![]]);
    }
}
