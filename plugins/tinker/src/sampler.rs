//! Samples from a base model or a checkpoint.

use crate::{
    connection::Connection,
    engine::Engine,
    http::Call,
    poll::{self, Outcome, poll},
    session::Session,
};
use futures_util::future::{Either, select};
use prost::Message;
use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tinsmith_plugin_api::{
    ColumnData, Done, Error, ErrorKind, Outcome as Ending, Result, SampleRequest, Sampled, Sampler,
    Samples, StopReason, TopLogprobs, Wanted,
};
use tinsmith_tinker_wire::{
    le,
    messages::{
        Asample, Chunk, CreateSamplingSession, JsonSamples, ModelInput, Promise, SamplingParams,
        SamplingSession, Stop,
    },
    proto, samples, targets,
    tensor::Tensor,
};

/// How often it is looked whether a sample is wanted still.
const LOOK: Duration = Duration::from_millis(200);

/// The session that all samplers of a trainer belong to. It ends with the last who needs it: a sampler
/// may outlive its trainer.
pub(crate) struct Samplers {
    pub session: Arc<Session>,
    pub engine: Arc<Engine>,
}

impl Drop for Samplers {
    fn drop(&mut self) {
        let session = Arc::clone(&self.session);
        if self.engine.is_here() {
            // A server that does not hear it hears the silence.
            self.engine.spawn(async move { session.end_here().await });
        } else if let Err(e) = session.end(&self.engine, Ending::Success) {
            session.note(&format!("the session of the samplers is not ended: {e}"));
        }
    }
}

/// A sampling session.
pub(crate) struct TinkerSampler {
    id: String,
    connection: Arc<Connection>,
    samplers: Arc<Samplers>,
    next: AtomicI64,
}

impl TinkerSampler {
    /// Opens a sampling session on a base model, or on a checkpoint by its path.
    pub fn open(
        connection: Arc<Connection>,
        samplers: Arc<Samplers>,
        source: &str,
    ) -> Result<Self> {
        let is_path = source.starts_with("tinker://");
        let create = CreateSamplingSession {
            session_id: samplers.session.id.clone(),
            sampling_session_seq_id: samplers.session.next_sampler(),
            base_model: (!is_path).then(|| source.to_owned()),
            model_path: is_path.then(|| source.to_owned()),
        };
        let http = Arc::clone(&connection);
        let made: SamplingSession = samplers.engine.block(async move {
            http.http.json(&Call::post("create_sampling_session", &create)).await
        })?;
        Ok(Self::of(made.sampling_session_id, connection, samplers))
    }

    /// A sampling session that there is.
    pub fn of(id: String, connection: Arc<Connection>, samplers: Arc<Samplers>) -> Self {
        Self { id, connection, samplers, next: AtomicI64::new(0) }
    }
}

impl Sampler for TinkerSampler {
    fn sample(&self, request: SampleRequest, done: Done<Samples>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let wanted = Wanted::from(&request);
        let body = match asample(&self.id, number, request) {
            Ok(body) => body,
            Err(e) => return done.finish(Err(e)),
        };
        let connection = Arc::clone(&self.connection);
        self.samplers.engine.spawn(async move {
            // It is never closed, so that there is always a place in the end.
            let _place = connection.samples.acquire().await;
            // Drawing twice harms nobody: it may be sent again, unless the server wants it otherwise.
            let call = Call::post("asample", &body);
            let call = if connection.server.samples_again { call } else { call.once() };
            let promise = match connection.http.call(&call).await {
                Ok(answer) => poll::promise(&answer, &call.path),
                Err(e) => Err(e),
            };
            let promise = match promise {
                Ok(promise) => promise,
                Err(e) => return done.finish(Err(e)),
            };
            let done = Mutex::new(done);
            let result = {
                let lock = || done.lock().unwrap_or_else(PoisonError::into_inner);
                let say = |reason: &str| lock().waiting(reason);
                let waiting = pin!(poll(&connection.http, &promise, true, &say));
                let unwanted = pin!(async {
                    while !lock().cancelled() {
                        connection.http.clock.sleep(LOOK).await;
                    }
                });
                match select(waiting, unwanted).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => Err(call_off(&connection, &promise).await),
                }
            };
            let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
            done.finish(result.and_then(samples_of).and_then(|samples| {
                // Older servers do not know all that can be asked for, and say nothing of it.
                samples.cover(&wanted).map(|()| samples)
            }));
        });
    }
}

/// Tells the server that nobody wants a sample any more. One that does not know the call goes on, and
/// nobody reads what it draws.
async fn call_off(connection: &Connection, promise: &Promise) -> Error {
    let body = serde_json::json!({ "request_id": promise.request_id });
    if let Err(e) = connection.http.call(&Call::post("cancel_future", &body).patience(1)).await {
        connection.http.services.debug(format!("{e}; the sample was not called off"));
    }
    Error::new(ErrorKind::CANCELLED, "sampling was stopped")
}

/// The request on the wire. It has one list of what ends a sample: tokens, or texts.
fn asample(session: &str, number: i64, request: SampleRequest) -> Result<Asample> {
    let stop = match (request.stop_tokens, request.stop_strings) {
        (None, texts) if texts.is_empty() => None,
        (None, texts) => Some(Stop::Texts(texts)),
        (Some(tokens), texts) if texts.is_empty() => Some(Stop::Tokens(tokens)),
        (Some(tokens), texts) if tokens.is_empty() => Some(Stop::Texts(texts)),
        (Some(_), _) => {
            return Err(Error::rejected(
                "the Tinker API ends a sample by tokens or by texts, not by both",
            )
            .with_hint("leave one of them out"));
        }
    };
    let rows = request.prompt.len().saturating_sub(1);
    let targets = request.target_prompt_logprobs.as_ref();
    let target_prompt_logprobs = targets.map(|t| targets::write(t, rows)).transpose()?;
    Ok(Asample {
        num_samples: request.num_samples,
        prompt: ModelInput { chunks: vec![Chunk::text(request.prompt)] },
        sampling_params: SamplingParams {
            max_tokens: request.max_tokens,
            seed: request.seed,
            stop,
            temperature: request.temperature,
            // Both say "all"; the wire has one of them.
            top_k: if request.top_k == 0 { -1 } else { request.top_k },
            top_p: request.top_p,
        },
        sampling_session_id: Some(session.to_owned()),
        seq_id: Some(number),
        base_model: None,
        model_path: None,
        prompt_logprobs: request.prompt_logprobs,
        topk_prompt_logprobs: request.topk_prompt_logprobs,
        topk_sample_logprobs: request.topk_sample_logprobs,
        prompt_alt_tokens_k: 0,
        target_prompt_logprobs,
        prompt_logprobs_last_n: request.prompt_logprobs_last_n,
    })
}

fn samples_of(result: Outcome) -> Result<Samples> {
    match result {
        Outcome::Proto(bytes) => {
            let sent = proto::SampleResponse::decode(bytes).map_err(|e| garbled(&e.to_string()))?;
            binary(&sent).map_err(|e| garbled(e.message()))
        }
        json => of_json(poll::json(json, "asample")?).map_err(|e| garbled(e.message())),
    }
}

fn garbled(why: &str) -> Error {
    Error::new(ErrorKind::NETWORK, format!("the server's samples are garbled: {why}"))
}

fn binary(sent: &proto::SampleResponse) -> Result<Samples> {
    let sequence = |s: &proto::SampledSequence| {
        Ok(Sampled {
            tokens: le::unpack(&s.tokens)?,
            logprobs: le::unpack(s.logprobs.as_deref().unwrap_or_default())?,
            stop_reason: match s.stop_reason() {
                proto::StopReason::Stop => StopReason::Stop,
                proto::StopReason::Length => StopReason::Length,
            },
            topk_logprobs: top(s.topk_sampled_logprobs.as_ref())?,
        })
    };
    let of_prompt = |bytes: &Vec<u8>| {
        let values: Vec<f32> = le::unpack(bytes)?;
        Ok::<_, Error>(values.into_iter().map(|v| (!v.is_nan()).then_some(v)).collect())
    };
    Ok(Samples {
        sequences: sent.sequences.iter().map(sequence).collect::<Result<_>>()?,
        prompt_logprobs: sent.prompt_logprobs.as_ref().map(of_prompt).transpose()?,
        topk_prompt_logprobs: top(sent.topk_prompt_logprobs.as_ref())?,
        target_prompt_logprobs: match &sent.target_prompt_logprobs {
            Some(tensor) => Some(floats(Tensor::from_proto(tensor)?)?),
            None => None,
        },
    })
}

fn top(sent: Option<&proto::TopkLogprobs>) -> Result<Option<TopLogprobs>> {
    sent.map(samples::top_from_proto).transpose()
}

/// Values of a tensor, dense: what was not asked for is 0.
fn floats(tensor: Tensor) -> Result<Vec<f32>> {
    match tensor.data {
        ColumnData::F32(values) => Ok(values),
        ColumnData::I64(_) => Err(Error::rejected("log-probabilities are no integers")),
    }
}

fn of_json(sent: JsonSamples) -> Result<Samples> {
    let sequences = sent.sequences.into_iter().map(|s| Sampled {
        tokens: s.tokens,
        logprobs: s.logprobs.unwrap_or_default(),
        stop_reason: if s.stop_reason == "length" { StopReason::Length } else { StopReason::Stop },
        topk_logprobs: s.topk_logprobs.map(samples::top_from_json),
    });
    Ok(Samples {
        sequences: sequences.collect(),
        prompt_logprobs: sent.prompt_logprobs,
        topk_prompt_logprobs: sent.topk_prompt_logprobs.map(samples::top_from_json),
        target_prompt_logprobs: match sent.target_prompt_logprobs {
            Some(tensor) => Some(floats(tensor.read()?)?),
            None => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_sample_is_one_list() {
        let stop = |tokens: Option<Vec<i32>>, texts: &[&str]| {
            let request = SampleRequest {
                stop_tokens: tokens,
                stop_strings: texts.iter().map(|t| (*t).to_owned()).collect(),
                ..SampleRequest::default()
            };
            asample("s", 0, request).map(|a| serde_json::to_value(a.sampling_params.stop).unwrap())
        };
        use serde_json::json;
        assert_eq!(stop(None, &[]).unwrap(), json!(null));
        assert_eq!(stop(Some(vec![]), &[]).unwrap(), json!([]), "nothing ends it");
        assert_eq!(stop(Some(vec![7]), &[]).unwrap(), json!([7]));
        assert_eq!(stop(None, &["\n"]).unwrap(), json!(["\n"]));
        assert_eq!(stop(Some(vec![]), &["\n"]).unwrap(), json!(["\n"]));
        assert!(stop(Some(vec![7]), &["\n"]).unwrap_err().hint().is_some());
    }

    #[test]
    fn what_was_not_computed_is_none() {
        let sent = proto::SampleResponse {
            prompt_logprobs: Some(le::pack([f32::NAN, -1.5].into_iter())),
            ..proto::SampleResponse::default()
        };
        assert_eq!(binary(&sent).unwrap().prompt_logprobs, Some(vec![None, Some(-1.5)]));
    }
}
