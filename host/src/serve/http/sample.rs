//! Samples are asked for.

use super::{
    Shared,
    body::Json,
    reply::{Answer, Refusal, ok},
    sampling::unknown,
    sessions::require,
};
use crate::serve::{
    app::App,
    futures::failed,
    ids,
    inbox::CLONE,
    samplers::{Asked, Source},
};
use axum::{extract::State, http::StatusCode};
use std::sync::Arc;
use tinsmith_plugin_api::{Error, Result, SampleRequest};
use tinsmith_tinker_wire::{
    datum::text_of,
    messages::{Asample, Promise, Stop},
    targets,
};

/// Samples that may wait for their turn. A client that is told to send slower does.
const WAITING: usize = 10_000;
/// Samples of one request.
const MOST_SAMPLES: u32 = 4096;
/// Log-probabilities of a prompt, or of the samples of a request, besides those of their own tokens: they
/// are held in memory until the client has read them.
const MOST_LOGPROBS: u64 = 1 << 24;

/// `POST /asample`.
pub async fn sample(State(app): Shared, Json(asked): Json<Asample>) -> Answer {
    let of = asked.sampling_session_id.clone();
    if let Some(id) = &of {
        let (owner, _) = app.sessions.sampling(id).ok_or_else(|| unknown(id))?;
        require(app.sessions.standing(&owner), &owner)?;
    }
    if app.samplers.waiting() >= WAITING {
        let what = "too many samples are waiting";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, what));
    }
    let (owner, inbox) = match (&of, asked.seq_id) {
        (Some(id), Some(seq)) => (id.clone(), app.inbox(id, seq.div_euclid(CLONE))),
        _ => (format!("{}:sample:once", ids::random()?), None),
    };
    let request_id = ids::request(&owner, asked.seq_id.unwrap_or(0));
    let count = asked.num_samples.min(MOST_SAMPLES);
    let names = (0..count).map(|i| format!("{request_id}:{i}")).collect();
    let (slot, new) = app.futures.slot_told(&request_id, inbox);
    if new {
        match prepare(&app, asked) {
            Ok(asked) => {
                // Opening weights may take its time, and the promise does not wait for it.
                tokio::task::spawn_blocking(move || app.sample(asked, of.as_deref(), slot));
            }
            Err(e) => slot.finish(failed(&e)),
        }
    }
    ok(&Promise { request_id, model_id: None, sample_sequence_ids: Some(names) })
}

fn prepare(app: &Arc<App>, asked: Asample) -> Result<Asked> {
    let source = source(app, &asked)?;
    if asked.prompt_alt_tokens_k > 0 {
        let e = Error::unsupported("is not known here").at("prompt_alt_tokens_k");
        return Err(e.with_hint("leave it out"));
    }
    if !(1..=MOST_SAMPLES).contains(&asked.num_samples) {
        let e = format!("must be from 1 to {MOST_SAMPLES}, is {}", asked.num_samples);
        return Err(Error::rejected(e).at("num_samples"));
    }
    let params = asked.sampling_params;
    // Texts end a sample besides the model's own end; tokens, or none at all, instead of it.
    let (stop_tokens, stop_strings) = match params.stop {
        None => (None, Vec::new()),
        Some(Stop::Text(text)) => (None, vec![text]),
        Some(Stop::Texts(texts)) => (None, texts),
        Some(Stop::Tokens(tokens)) => (Some(tokens), Vec::new()),
    };
    let targets = asked.target_prompt_logprobs.as_ref().map(targets::read).transpose();
    let (targets, layout) = targets.map_err(|e| e.within("target_prompt_logprobs"))?.unzip();
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
        topk_prompt_logprobs: asked.topk_prompt_logprobs,
        topk_sample_logprobs: asked.topk_sample_logprobs,
        prompt_logprobs_last_n: asked.prompt_logprobs_last_n,
        target_prompt_logprobs: targets,
    };
    check(&request, app.base(&source.base)?.context)?;
    Ok(Asked { source, request, layout })
}

/// Refuses a request for more log-probabilities than one server should hold, and for those of more tokens
/// than the prompt has.
fn check(request: &SampleRequest, context: Option<u64>) -> Result<()> {
    let prompt = request.prompt.len() as u64;
    if let Some(n) = request.prompt_logprobs_last_n {
        let scores = request.prompt_logprobs || request.topk_prompt_logprobs > 0;
        if !scores || !(1..prompt.max(2)).contains(&u64::from(n)) {
            let e = "must be from 1 to one less than the prompt's tokens, with `prompt_logprobs`";
            return Err(Error::rejected(format!("{e}; is {n}")).at("prompt_logprobs_last_n"));
        }
    }
    let drawn = request.max_tokens.map_or(context.unwrap_or(1 << 20), u64::from);
    let drawn = drawn.saturating_mul(request.num_samples.into());
    let asked = [
        ("topk_prompt_logprobs", request.topk_prompt_logprobs, prompt),
        ("topk_sample_logprobs", request.topk_sample_logprobs, drawn),
    ];
    for (name, k, places) in asked {
        let all = places.saturating_mul(k.into());
        if all > MOST_LOGPROBS {
            let e = format!("{k} at each of {places} places are more than {MOST_LOGPROBS}");
            return Err(Error::rejected(e).at(name).with_hint("ask for fewer"));
        }
    }
    Ok(())
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
            (None, None) if sampling.evicted => {
                let most = app.settings.nameless_weights;
                let e = format!(
                    "its weights had no name, and made room for newer ones: a model keeps {most}"
                );
                let hint = "save them with a name, or raise `serve.nameless_weights`";
                Err(Error::not_found(e).at(id).with_hint(hint))
            }
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
