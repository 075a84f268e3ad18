//! Sends calls.

use super::{Call, lost, refused, unreachable};
use crate::{
    auth::Auth,
    clock::{Backoff, Clock},
};
use bytes::Bytes;
use reqwest::{
    Url,
    header::{
        ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
        WWW_AUTHENTICATE,
    },
};
use serde::de::DeserializeOwned;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tinsmith_plugin_api::{Error, ErrorKind, Result, Secret, Services};
use tinsmith_tinker_wire::{API, JSON, PROTOBUF, answer::present, messages::Token};

/// Bytes of an answer at most.
const MOST_BYTES: usize = 1 << 30;
/// Seconds between two tries while the account has no funds.
pub(crate) const NO_FUNDS_PAUSE: Duration = Duration::from_secs(5);
/// Seconds for which a lack of funds is waited out at most, whatever the server says: a year.
const LONGEST_FUNDS_WAIT: u64 = 365 * 24 * 3600;
/// What a user may wonder about is told once it has lasted so long.
pub(crate) const TOLD_AFTER: Duration = Duration::from_secs(10);
/// Longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A body, ready to be sent as often as it must.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub kind: &'static str,
    pub compressed: bool,
    pub bytes: Bytes,
}

impl Body {
    pub fn json(body: &impl serde::Serialize) -> Self {
        // Our own messages have string keys and no other surprises.
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        Self { kind: JSON, compressed: false, bytes: bytes.into() }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub status: u16,
    pub kind: String,
    pub body: Bytes,
    /// Where else to look.
    pub location: Option<String>,
    retry_after: Option<Duration>,
    invalid_token: bool,
}

impl Response {
    pub fn is_proto(&self) -> bool {
        self.kind.starts_with(PROTOBUF)
    }

    /// Whether an error was said by the API and not by something in front of it.
    pub fn is_from_api(&self) -> bool {
        let detail = serde_json::from_slice::<serde_json::Value>(&self.body).unwrap_or_default();
        detail.get("detail").is_some_and(|text| *text != "Not Found")
    }

    pub fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let read = serde_json::from_slice(&self.body).map(present);
        read.and_then(serde_json::from_value).map_err(|e| {
            Error::new(
                ErrorKind::NETWORK,
                format!("the answer to `{path}` is not what it should be: {e}"),
            )
            .with_hint("this may be no Tinker server: see `trainer.base_url`")
        })
    }
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    pub base: String,
    auth: Auth,
    /// Whether the key is exchanged for a token.
    exchanges: AtomicBool,
    /// Whether the server answers within a minute that there is no result yet.
    prompt: AtomicBool,
    pub clock: Clock,
    pub patience: Duration,
    /// Seconds for which a lack of funds is waited out.
    funds_patience: AtomicU64,
    pub services: Services,
}

impl Http {
    pub fn new(
        base: String,
        auth: Auth,
        clock: Clock,
        patience: Duration,
        services: Services,
    ) -> Result<Self> {
        // The provider of this process, or of this shared library: one that is set is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("tinsmith/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_keepalive(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| {
                Error::new(ErrorKind::OTHER, format!("set up HTTP: {}", e.without_url()))
            })?;
        let funds_patience = AtomicU64::new(3600);
        let (exchanges, prompt) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self {
            client,
            base,
            auth,
            exchanges,
            prompt,
            clock,
            patience,
            funds_patience,
            services,
        })
    }

    /// From now on, the key is exchanged for a token.
    pub fn exchange_keys(&self) {
        self.exchanges.store(true, Ordering::Relaxed);
    }

    /// From now on, a result that is not there is expected to be told so within a minute.
    pub fn is_prompt(&self) {
        self.prompt.store(true, Ordering::Relaxed);
    }

    /// How long an answer may take that waits for a result: some servers hold it back for five minutes.
    pub fn result_timeout(&self) -> Duration {
        Duration::from_secs(if self.prompt.load(Ordering::Relaxed) { 75 } else { 330 })
    }

    /// From now on, a lack of funds is waited out for so many seconds.
    pub fn wait_for_funds(&self, seconds: u64) {
        self.funds_patience.store(seconds.min(LONGEST_FUNDS_WAIT), Ordering::Relaxed);
    }

    /// Whether funds that have been lacking since then are waited for on.
    pub fn waits_for_funds(&self, since: Instant) -> bool {
        let patience = Duration::from_secs(self.funds_patience.load(Ordering::Relaxed));
        since.elapsed() < self.clock.time(patience)
    }

    /// Sends a call without credentials to any address: a download.
    pub fn plain(&self, url: &str) -> reqwest::RequestBuilder {
        self.client.get(upgraded(url, &self.base))
    }

    /// Calls and reads the JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        self.call(call).await?.read(&call.path)
    }

    /// Calls until there is an answer of status 2xx, as far as repeating is safe.
    pub async fn call(&self, call: &Call) -> Result<Response> {
        let begin = Instant::now();
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let mut told = false;
        loop {
            let mut reached = true;
            let (error, wait) = match self.once(call).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) => {
                    let error = refused(&self.base, &call.path, &answer);
                    match answer.status {
                        402 if self.waits_for_funds(begin) && !self.services.cancelled() => {
                            if !told {
                                self.services.warn(format!("{error}; waiting for funds"));
                            }
                            told = true;
                            self.clock.sleep(NO_FUNDS_PAUSE).await;
                            continue;
                        }
                        429 => (error, answer.retry_after),
                        408 | 409 | 425 | 500.. if call.repeatable => (error, answer.retry_after),
                        408 | 425 | 500.. => return Err(lost(&error)),
                        _ => return Err(error),
                    }
                }
                Err(Sent::Refused(e)) => return Err(e),
                Err(Sent::Transport(e)) => {
                    let error = unreachable(&self.base, &e);
                    reached = !e.is_connect();
                    if !call.repeatable && !e.is_connect() {
                        return Err(lost(&error));
                    }
                    (error, None)
                }
            };
            let patience = call.patience.unwrap_or(self.patience);
            let patience = if reached { patience } else { call.reach.unwrap_or(patience) };
            if begin.elapsed() >= self.clock.time(patience) || self.services.cancelled() {
                return Err(error.with_kind(ErrorKind::NETWORK));
            }
            self.services.debug(format!("{error}; trying again"));
            if !told && begin.elapsed() >= self.clock.time(TOLD_AFTER) {
                told = true;
                let seconds = patience.as_secs();
                self.services.warn(format!("{error}; trying again, for {seconds} seconds in all"));
            }
            self.clock.sleep(wait.unwrap_or_else(|| backoff.next())).await;
        }
    }

    /// Sends a call once, or twice where the server says that the token does not hold any more.
    pub async fn once(&self, call: &Call) -> Result<Response, Sent> {
        let key = self.key(None).await?;
        let answer = self.send(call, key.as_ref()).await?;
        if answer.status == 401 && answer.invalid_token && self.exchanges.load(Ordering::Relaxed) {
            let key = self.key(key.as_ref()).await?;
            return self.send(call, key.as_ref()).await;
        }
        Ok(answer)
    }

    async fn key(&self, rejected: Option<&Secret>) -> Result<Option<Secret>, Sent> {
        if !self.exchanges.load(Ordering::Relaxed) {
            return self.auth.raw().await.map_err(Sent::Refused);
        }
        let mut kept = self.auth.token().await;
        if let Some(token) = kept.fresh(rejected) {
            return Ok(Some(token));
        }
        let made = self.exchange().await;
        kept.renew(made, rejected).map(Some).map_err(Sent::Refused)
    }

    /// A new token for the key.
    async fn exchange(&self) -> Result<Secret> {
        let raw = self.auth.raw().await?;
        let call = Call::post("auth/token", &serde_json::json!({}));
        let answer = self.send(&call, raw.as_ref()).await.map_err(|e| e.error(&self.base))?;
        match answer.status {
            200..300 => Ok(Secret::new(answer.read::<Token>(&call.path)?.jwt)),
            _ => Err(refused(&self.base, &call.path, &answer)),
        }
    }

    async fn send(&self, call: &Call, key: Option<&Secret>) -> Result<Response, Sent> {
        let url = format!("{}{API}/{}", self.base, call.path);
        let timeout = self.clock.limit(call.timeout);
        let mut request = self.client.request(call.method.clone(), url).timeout(timeout);
        request = request.header(ACCEPT, call.accept);
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key.reveal()).map_err(|_| {
                Sent::Refused(Error::config("the key holds what no header can hold"))
            })?;
            value.set_sensitive(true);
            request = request.header("x-api-key", value);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, body.kind).body(body.bytes.clone());
            if body.compressed {
                request = request.header(CONTENT_ENCODING, "zstd");
            }
        }
        let begin = Instant::now();
        let mut answer = request.send().await.map_err(Sent::Transport)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body =
            Vec::with_capacity(answer.content_length().unwrap_or(0).min(1 << 24) as usize);
        while let Some(part) = answer.chunk().await.map_err(Sent::Transport)? {
            if body.len() + part.len() > MOST_BYTES {
                let e = Error::new(ErrorKind::NETWORK, "the server's answer does not end");
                return Err(Sent::Refused(e));
            }
            body.extend_from_slice(&part);
        }
        let (method, path, millis) = (&call.method, &call.path, begin.elapsed().as_millis());
        self.services
            .debug(format!("{method} {path}: {status}, {} bytes, {millis} ms", body.len()));
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = text(CONTENT_TYPE.as_str()).to_ascii_lowercase();
        if let Some(key) = key.filter(|_| !kind.starts_with(PROTOBUF)) {
            body = without(body, key);
        }
        Ok(Response {
            status,
            kind,
            body: body.into(),
            location: Some(text("location").to_owned()).filter(|location| !location.is_empty()),
            retry_after: retry_after(&headers),
            invalid_token: text(WWW_AUTHENTICATE.as_str()).contains("error=\"invalid_token\""),
        })
    }
}

/// A server behind something that speaks TLS for it may not know, and name itself by plain HTTP.
fn upgraded(url: &str, base: &str) -> String {
    let (Ok(mut to), Ok(base)) = (Url::parse(url), Url::parse(base)) else { return url.into() };
    let same = to.host_str() == base.host_str() && to.port() == base.port();
    if same && (to.scheme(), base.scheme()) == ("http", "https") && to.set_scheme("https").is_ok() {
        return to.into();
    }
    url.into()
}

/// A server may quote what it was sent, and what it says is shown and written down.
fn without(body: Vec<u8>, key: &Secret) -> Vec<u8> {
    let key = key.reveal().as_bytes();
    let (mut clean, mut rest) = (Vec::new(), body.as_slice());
    while let Some(at) = memchr::memmem::find(rest, key) {
        clean.extend_from_slice(&rest[..at]);
        clean.extend_from_slice(b"[key]");
        rest = &rest[at + key.len()..];
    }
    if clean.is_empty() {
        return body;
    }
    clean.extend_from_slice(rest);
    clean
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It was not sent.
    Refused(Error),
    /// It was sent, perhaps, and its answer did not arrive.
    Transport(reqwest::Error),
}

impl Sent {
    pub fn error(self, base: &str) -> Error {
        match self {
            Self::Refused(e) => e,
            Self::Transport(e) => unreachable(base, &e),
        }
    }
}

/// How long the server asks to wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds =
        number("retry-after-ms").map(|ms| ms / 1e3).or_else(|| number(RETRY_AFTER.as_str()))?;
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    (!wait.is_zero() && wait <= LONGEST_WAIT).then_some(wait)
}
