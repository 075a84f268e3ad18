//! Answers as they come: tokens, text, server-sent events.

use super::{Cut, Talk, reason};
use crate::serve::{app::App, samplers::Source};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::stream;
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};
use tinsmith_plugin_api::{
    DoneSink, Error, ErrorKind, Result, SampleRequest, Samples, StopReason, StreamDecoder,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What comes of a sample.
pub enum Event {
    /// Tokens.
    Tokens(Vec<i32>),
    /// All of it.
    End(Result<Samples>),
}

struct Sink(UnboundedSender<Event>);

impl DoneSink<Samples> for Sink {
    fn finish(&mut self, result: Result<Samples>) {
        // If the client has gone away, nobody reads it.
        let _ = self.0.send(Event::End(result));
    }

    fn partial(&mut self, tokens: &[i32]) {
        let _ = self.0.send(Event::Tokens(tokens.to_vec()));
    }

    fn cancelled(&self) -> bool {
        self.0.is_closed()
    }
}

/// Samples; what comes is called off once nobody listens.
pub fn sample(app: &Arc<App>, source: Source, request: SampleRequest) -> UnboundedReceiver<Event> {
    let (events, received) = unbounded_channel();
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || app.draw(&source, request, None, Sink(events)));
    received
}

/// Waits for all of it.
///
/// # Errors
/// What the trainer answers.
pub async fn whole(mut events: UnboundedReceiver<Event>) -> Result<Samples> {
    while let Some(event) = events.recv().await {
        if let Event::End(result) = event {
            return result;
        }
    }
    Err(Error::new(ErrorKind::LOST, "the sample was dropped without an answer"))
}

struct Streaming {
    talk: Talk,
    events: UnboundedReceiver<Event>,
    decoder: Option<StreamDecoder>,
    cut: Cut,
    /// Whether anything came before the end.
    begun: bool,
    over: bool,
}

/// Server-sent events: who speaks, pieces of text, why it ended, `[DONE]`.
pub fn answer(talk: Talk, events: UnboundedReceiver<Event>) -> Response {
    let decoder = Some(talk.base.tools().services.stream_decoder());
    let cut = Cut::new(talk.stop.clone());
    let first = talk.chunk(&json!({"role": "assistant", "content": ""}), None);
    let streaming = Streaming { talk, events, decoder, cut, begun: false, over: false };
    let rest = stream::unfold(streaming, |mut streaming| async {
        let bytes = streaming.next().await?;
        Some((Ok::<_, Infallible>(bytes), streaming))
    });
    let all = stream::StreamExt::chain(stream::iter([Ok(first)]), rest);
    let mut response = Response::new(Body::from_stream(all));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

impl Streaming {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            match self.events.recv().await {
                Some(Event::Tokens(tokens)) => {
                    self.begun = true;
                    let text = self.text(&tokens);
                    if !text.is_empty() {
                        return Some(self.talk.chunk(&json!({ "content": text }), None));
                    }
                }
                Some(Event::End(Ok(samples))) => return Some(self.end(&samples)),
                Some(Event::End(Err(e))) => {
                    self.over = true;
                    let error =
                        json!({"error": {"message": e.to_string(), "type": "server_error"}});
                    return Some(event(&error));
                }
                None => self.over = true,
            }
        }
        None
    }

    /// What of these tokens is text to be shown.
    fn text(&mut self, tokens: &[i32]) -> String {
        let shown: Vec<i32> =
            tokens.iter().copied().filter(|token| !self.talk.end.contains(token)).collect();
        let decoded = self.decoder.as_mut().and_then(|decoder| decoder.push(&shown).ok());
        self.cut.push(&decoded.unwrap_or_default())
    }

    fn end(&mut self, samples: &Samples) -> Bytes {
        self.over = true;
        let mut out = Vec::new();
        let sample = samples.sequences.first();
        // A trainer need not stream.
        let mut text = match sample {
            Some(sample) if !self.begun => self.text(&sample.tokens),
            _ => String::new(),
        };
        let left = self.decoder.take().map(StreamDecoder::finish).unwrap_or_default();
        text += &self.cut.push(&left);
        text += &self.cut.finish();
        if !text.is_empty() {
            out.extend(self.talk.chunk(&json!({ "content": text }), None));
        }
        let why = sample.map_or(StopReason::Stop, |sample| sample.stop_reason);
        out.extend(self.talk.chunk(&json!({}), Some(reason(why))));
        if self.talk.usage {
            let tokens = sample.map_or(0, |sample| sample.tokens.len());
            out.extend(self.talk.used(tokens));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        out.into()
    }
}

impl Talk {
    fn used(&self, completion: usize) -> Bytes {
        event(&json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "choices": [], "usage": self.usage(completion),
        }))
    }

    fn chunk(&self, delta: &Value, finish: Option<&str>) -> Bytes {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        });
        if self.usage {
            chunk["usage"] = Value::Null;
        }
        event(&chunk)
    }
}

fn event(body: &Value) -> Bytes {
    format!("data: {body}\n\n").into()
}
