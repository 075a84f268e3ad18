//! Sampling.

use super::{
    Shared,
    body::Json,
    reply::{Answer, Refusal, ok},
    sessions::require,
};
use crate::serve::{app::App, futures::failed, ids, samplers::Source, sessions::Sampling};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tinsmith_plugin_api::{Error, Result, SampleRequest};
use tinsmith_tinker_wire::{
    datum::text_of,
    messages::{Asample, CreateSamplingSession, Promise, Sampler, SamplingSession, Stop},
};

/// Samples that may wait for their turn. A client that is told to send slower does.
const WAITING: usize = 10_000;
/// Samples of one request.
const MOST_SAMPLES: u32 = 4096;

/// `POST /create_sampling_session`.
pub async fn create(State(app): Shared, Json(asked): Json<CreateSamplingSession>) -> Answer {
    require(app.sessions.standing(&asked.session_id), &asked.session_id)?;
    let id = ids::sampling(&asked.session_id, asked.sampling_session_seq_id);
    if app.sessions.sampling(&id).is_none() {
        let (base, path) = match (&asked.model_path, &asked.base_model) {
            (Some(path), _) => {
                let saved = app.checkpoints.at(path)?;
                (saved.base, Some(saved.path))
            }
            (None, Some(base)) => (app.base(base)?.name.clone(), None),
            (None, None) => return Err(Refusal::wrong("give `model_path` or `base_model`")),
        };
        let made =
            Sampling { id: id.clone(), base, path, uri: None, ephemeral: false, durable: false };
        app.sessions.change(&asked.session_id, |session| session.samplings.push(made))?;
    }
    let kind = "create_sampling_session".into();
    ok(&SamplingSession { sampling_session_id: id, kind })
}

/// `POST /join_sampling_session`: clones number their requests apart.
pub async fn join(State(app): Shared, Json(asked): Json<Value>) -> Answer {
    let id = asked["sampling_session_id"].as_str().unwrap_or_default();
    app.sessions.sampling(id).ok_or_else(|| unknown(id))?;
    let mut bytes = [0; 4];
    ids::fill(&mut bytes)?;
    ok(&json!({ "client_counter": u32::from_le_bytes(bytes) % 1_000_000 + 1 }))
}

/// `GET /samplers/ID`.
pub async fn get(State(app): Shared, Path(id): Path<String>) -> Answer {
    let (_, sampling) = app.sessions.sampling(&id).ok_or_else(|| unknown(&id))?;
    ok(&Sampler { sampler_id: id, base_model: sampling.base, model_path: sampling.path })
}

/// `POST /asample`.
pub async fn sample(State(app): Shared, Json(asked): Json<Asample>) -> Answer {
    if let Some(id) = &asked.sampling_session_id {
        let (owner, _) = app.sessions.sampling(id).ok_or_else(|| unknown(id))?;
        require(app.sessions.standing(&owner), &owner)?;
    }
    if app.samplers.waiting() >= WAITING {
        let what = "too many samples are waiting";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, what));
    }
    let owner = match (&asked.sampling_session_id, asked.seq_id) {
        (Some(id), Some(_)) => id.clone(),
        _ => format!("{}:sample:once", ids::random()?),
    };
    let request_id = ids::request(&owner, asked.seq_id.unwrap_or(0));
    let count = asked.num_samples.min(MOST_SAMPLES);
    let names = (0..count).map(|i| format!("{request_id}:{i}")).collect();
    let (slot, new) = app.futures.slot(&request_id);
    if new {
        match prepare(&app, &asked) {
            Ok((source, request)) => {
                // Opening weights may take its time, and the promise does not wait for it.
                tokio::task::spawn_blocking(move || {
                    let (of, last_n) = (asked.sampling_session_id, asked.prompt_logprobs_last_n);
                    app.sample(&source, request, last_n, of.as_deref(), slot);
                });
            }
            Err(e) => slot.finish(failed(&e)),
        }
    }
    ok(&Promise { request_id, model_id: None, sample_sequence_ids: Some(names) })
}

fn prepare(app: &Arc<App>, asked: &Asample) -> Result<(Source, SampleRequest)> {
    let source = source(app, asked)?;
    let unsupported = [
        ("topk_prompt_logprobs", asked.topk_prompt_logprobs > 0),
        ("topk_sample_logprobs", asked.topk_sample_logprobs > 0),
        ("prompt_alt_tokens_k", asked.prompt_alt_tokens_k > 0),
        ("target_prompt_logprobs", asked.target_prompt_logprobs.is_some()),
    ];
    if let Some((name, _)) = unsupported.iter().find(|(_, asked)| *asked) {
        let e = Error::unsupported("is not known here").at(*name);
        return Err(e.with_hint("leave it out"));
    }
    if !(1..=MOST_SAMPLES).contains(&asked.num_samples) {
        let e = format!("must be from 1 to {MOST_SAMPLES}, is {}", asked.num_samples);
        return Err(Error::rejected(e).at("num_samples"));
    }
    let params = &asked.sampling_params;
    // Texts end a sample besides the model's own end; tokens, or none at all, instead of it.
    let (stop_tokens, stop_strings) = match params.stop.clone() {
        None => (None, Vec::new()),
        Some(Stop::Text(text)) => (None, vec![text]),
        Some(Stop::Texts(texts)) => (None, texts),
        Some(Stop::Tokens(tokens)) => (Some(tokens), Vec::new()),
    };
    let request = SampleRequest {
        prompt: text_of(&asked.prompt).map_err(|e| e.at("prompt"))?,
        num_samples: asked.num_samples,
        max_tokens: params.max_tokens,
        temperature: params.temperature,
        top_k: params.top_k,
        top_p: params.top_p,
        seed: params.seed.map_or_else(random_seed, Ok).map(Some)?,
        stop_tokens,
        stop_strings,
        prompt_logprobs: asked.prompt_logprobs,
    };
    Ok((source, request))
}

/// Without a seed, no two requests draw the same. Some servers take no more than 63 bits.
fn random_seed() -> Result<u64> {
    let mut seed = [0; 8];
    ids::fill(&mut seed)
        .map_err(|e| Error::new(tinsmith_plugin_api::ErrorKind::OTHER, e.message))?;
    Ok(u64::from_le_bytes(seed) >> 1)
}

/// What a request samples from.
fn source(app: &App, asked: &Asample) -> Result<Source> {
    let of_path = |path: &str| {
        let saved = app.checkpoints.at(path)?;
        Ok(Source { base: saved.base, uri: Some(saved.uri) })
    };
    let of_base = |base: &str| Ok(Source { base: app.base(base)?.name.clone(), uri: None });
    if let Some(id) = &asked.sampling_session_id
        && let Some((_, sampling)) = app.sessions.sampling(id)
    {
        return match (&sampling.path, sampling.uri) {
            (Some(path), _) => of_path(path),
            (None, None) if sampling.ephemeral => {
                let e = "its weights had no name, and went with the server that held them";
                Err(Error::not_found(e).at(id).with_hint("save them again"))
            }
            (None, None) => of_base(&sampling.base),
            (None, uri) => Ok(Source { base: sampling.base, uri }),
        };
    }
    match (&asked.model_path, &asked.base_model) {
        (Some(path), _) => of_path(path),
        (None, Some(base)) => of_base(base),
        (None, None) => Err(Error::rejected("neither a sampling session nor a model is given")),
    }
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no sampling session `{id}`"))
}
