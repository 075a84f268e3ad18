/*!
The API of chat completions that many programs speak: a base model, or a checkpoint by its path, answers
messages. The renderer that training uses makes the prompt and reads the answer.
*/

mod asked;
mod cut;
mod logprobs;
mod stream;

use super::{
    Shared,
    body::Json,
    reply::{Answer, ok, reply},
};
use crate::serve::{app::App, base::Base, ids, moment, samplers::Source};
use crate::training::text_of;
use asked::Asked;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use cut::Cut;
use serde_json::{Value, json};
use std::sync::Arc;
use tinsmith_plugin_api::{Error, ErrorKind, Result, Samples, StopReason};
use tinsmith_tinker_wire::answer::told;

/// `GET /v1/models`: base models, and checkpoints to sample from.
pub async fn models(State(app): Shared) -> Answer {
    let entry =
        |id: &str| json!({"id": id, "object": "model", "created": 0, "owned_by": "tinsmith"});
    let mut data: Vec<Value> = app.bases.iter().map(|base| entry(&base.name)).collect();
    let checkpoints = app.checkpoints.list(None);
    data.extend(checkpoints.iter().filter(|c| c.kind == "sampler").map(|c| entry(&c.path)));
    ok(&json!({"object": "list", "data": data}))
}

/// What an answer is given with.
pub struct Talk {
    /// `chatcmpl-…`.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// As the client named it.
    pub model: String,
    /// The base model.
    pub base: Arc<Base>,
    /// Texts that end the answer, which they are no part of.
    pub stop: Vec<String>,
    /// Tokens that end it.
    pub end: Vec<i32>,
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Whether the log-probabilities of the answer's tokens are wanted.
    pub logprobs: bool,
    /// Whether a streamed answer ends with what was used.
    pub usage: bool,
}

/// `POST /v1/chat/completions`.
pub async fn complete(State(app): Shared, Json(asked): Json<Asked>) -> Response {
    match begin(&app, asked).await {
        Ok(response) => response,
        Err(e) => refused(&e),
    }
}

async fn begin(app: &Arc<App>, asked: Asked) -> Result<Response> {
    asked.check()?;
    let source = source(app, &asked.model)?;
    let base = app.base(&source.base)?;
    let (streamed, model) = (asked.stream, asked.model.clone());
    let (logprobs, usage) = (asked.logprobs.unwrap_or(false), asked.wants_usage());
    let random = |e: crate::Error| Error::new(ErrorKind::OTHER, e.message);
    let id = format!("chatcmpl-{}", ids::random().map_err(random)?);
    let (stop, end, request) = asked.request(base.tools())?;
    let (created, prompt) = (moment::epoch(), request.prompt.len());
    let talk = Talk { id, created, model, base, stop, end, prompt, logprobs, usage };
    let events = stream::sample(app, source, request);
    if streamed {
        return Ok(stream::answer(talk, events));
    }
    let samples = stream::whole(events).await?;
    Ok(reply(StatusCode::OK, &talk.answer(&samples)?))
}

/// A base model by its name, or a checkpoint by its path.
fn source(app: &App, model: &str) -> Result<Source> {
    if model.starts_with("tinker://") {
        let saved = app.checkpoints.at(model)?;
        return Ok(Source { base: saved.base, uri: Some(saved.uri) });
    }
    Ok(Source { base: app.base(model)?.name.clone(), uri: None })
}

impl Talk {
    fn answer(&self, samples: &Samples) -> Result<Value> {
        let tools = self.base.tools();
        let mut choices = Vec::new();
        for (index, sample) in samples.sequences.iter().enumerate() {
            let text = text_of(tools.renderer.as_ref(), &tools.services, &sample.tokens)
                .map_err(|e| Error::new(ErrorKind::OTHER, e.to_string()))?;
            let mut cut = Cut::new(self.stop.clone());
            let text = cut.push(&text) + &cut.finish();
            choices.push(json!({
                "index": index,
                "message": {"role": "assistant", "content": text},
                "logprobs": match self.logprobs {
                    true => logprobs::of(sample, &tools.services)?,
                    false => Value::Null,
                },
                "finish_reason": reason(sample.stop_reason),
            }));
        }
        let completion: usize = samples.sequences.iter().map(|sample| sample.tokens.len()).sum();
        Ok(json!({
            "id": self.id, "object": "chat.completion", "created": self.created,
            "model": self.model, "choices": choices, "usage": self.usage(completion),
        }))
    }

    fn usage(&self, completion: usize) -> Value {
        let (prompt, total) = (self.prompt, self.prompt + completion);
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total})
    }
}

fn reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stop => "stop",
        StopReason::Length => "length",
    }
}

/// An error as clients of this API read it.
fn refused(e: &Error) -> Response {
    let (status, kind) = match e.kind() {
        ErrorKind::NOT_FOUND => (StatusCode::NOT_FOUND, "invalid_request_error"),
        ErrorKind::REJECTED | ErrorKind::CONFIG | ErrorKind::DATA | ErrorKind::UNSUPPORTED => {
            (StatusCode::BAD_REQUEST, "invalid_request_error")
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    };
    let body = json!({"error": {"message": told(e), "type": kind, "code": null}});
    reply(status, &body).into_response()
}
