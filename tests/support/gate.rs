//! Something in front of a server that looks at every request: it may let it pass, changed or not, or
//! answer it itself.

use crate::proxy::{forward, listen, message};
use std::{
    io::{BufReader, Write},
    net::TcpStream,
};

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method and path, such as `POST /api/v1/client/config`.
    pub what: String,
    /// What stands in `X-API-Key`.
    pub key: Option<String>,
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn read(bytes: &[u8]) -> Self {
        let (head, body) = parts(bytes);
        let head: Vec<String> = head.lines().map(str::to_owned).collect();
        let first = head.first().map(String::as_str).unwrap_or_default();
        let what = first.rsplit_once(' ').map_or(first, |(what, _)| what).to_owned();
        let key = head.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("x-api-key").then(|| value.trim().to_owned())
        });
        Self { what, key, head, body: body.to_vec() }
    }

    /// The same with another key.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.head.retain(|line| !line.to_ascii_lowercase().starts_with("x-api-key:"));
        self.head.push(format!("x-api-key: {key}"));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n\r\n", self.head.join("\r\n")).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The server gets it.
    Pass(Request),
    /// The server gets it, and its JSON answer gets these keys besides.
    Amend(Request, serde_json::Value),
    /// This is the answer: status, further headers, body.
    Say(u16, Vec<(&'static str, String)>, String),
}

/// Listens, and answers the port. Every request is shown to `decide`.
///
/// # Panics
/// If it cannot listen.
#[must_use]
pub fn start(upstream: u16, decide: impl Fn(Request) -> Reply + Send + Sync + 'static) -> u16 {
    let (port, connections) = listen();
    connections.each(move |stream| serve(stream, upstream, &decide));
    port
}

fn serve(
    stream: &TcpStream,
    upstream: u16,
    decide: &(dyn Fn(Request) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    while let Some(bytes) = message(&mut reader)? {
        let answer = match decide(Request::read(&bytes)) {
            Reply::Pass(request) => forward(upstream, &request.bytes())?,
            Reply::Amend(request, more) => amended(&forward(upstream, &request.bytes())?, &more),
            Reply::Say(status, headers, body) => said(status, &headers, &body),
        };
        out.write_all(&answer)?;
    }
    Ok(())
}

fn amended(answer: &[u8], more: &serde_json::Value) -> Vec<u8> {
    let (_, body) = parts(answer);
    let mut body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    said(200, &[("content-type", "application/json".to_owned())], &body.to_string())
}

fn said(status: u16, headers: &[(&'static str, String)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Gate\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// Head and body of a message.
fn parts(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    (head, bytes.get(end + 4..).unwrap_or_default())
}
