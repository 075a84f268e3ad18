//! Files of checkpoints, by signed addresses, whole or in part.

use super::{
    Shared, range,
    reply::{Answer, Refusal, text},
};
use crate::serve::{app::App, export};
use axum::{
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::stream;
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};
use tinsmith_tinker_wire::API;

/// Bytes that are read at once.
const BLOCK: u64 = 256 << 10;

/// The address of a file, which holds until then. The host is the one that the client used, unless the
/// server knows how others reach it.
pub fn address(
    app: &App,
    headers: &HeaderMap,
    checkpoint: &str,
    file: &export::File,
    until: i64,
) -> String {
    let path = format!("{API}/files/{checkpoint}/{}", file.name);
    let query = app.signer.query(&path, until);
    if let Some(public) = &app.settings.public_url {
        return format!("{public}{path}?{query}");
    }
    let scheme = match text(headers, header::HeaderName::from_static("x-forwarded-proto")) {
        "https" => "https",
        _ => "http",
    };
    let host = match text(headers, header::HOST) {
        "" => "localhost",
        host => host,
    };
    format!("{scheme}://{host}{path}?{query}")
}

/// What makes an address good.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Signature {
    expires: i64,
    signature: String,
}

/// `GET /files/CHECKPOINT/NAME`.
pub async fn get(
    State(app): Shared,
    Path((checkpoint, name)): Path<(String, String)>,
    Query(signature): Query<Signature>,
    headers: HeaderMap,
) -> Answer {
    let path = format!("{API}/files/{checkpoint}/{name}");
    if !app.signer.holds(&path, signature.expires, &signature.signature) {
        let what = "the address does not hold any more; ask for a new one";
        return Err(Refusal::new(StatusCode::FORBIDDEN, what));
    }
    let (path, facts) = export::find(&app, &checkpoint, &name)
        .ok_or_else(|| Refusal::not_found("the file is not there any more"))?;
    let etag = format!("\"{}\"", facts.sha256);
    if text(&headers, header::IF_NONE_MATCH) == etag {
        return built(Response::builder().status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    // A part of another file than the one that was begun is of no use.
    let same = matches!(text(&headers, header::IF_RANGE), "" | "*")
        || text(&headers, header::IF_RANGE) == etag;
    let wanted = text(&headers, header::RANGE);
    let range = range::of(if same { wanted } else { "" }, facts.bytes);
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, &etag)
        .header("x-sha256", &facts.sha256);
    let (start, end) = match range {
        range::Range::Whole => (0, facts.bytes),
        range::Range::Part(start, end) => {
            let content = format!("bytes {start}-{}/{}", end - 1, facts.bytes);
            response =
                response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, content);
            (start, end)
        }
        range::Range::Outside => {
            let content = format!("bytes */{}", facts.bytes);
            let response = response
                .status(StatusCode::RANGE_NOT_SATISFIABLE)
                .header(header::CONTENT_RANGE, content);
            return built(response, Body::empty());
        }
    };
    let mut file =
        File::open(&path).map_err(|e| Refusal::from(crate::Error::io("read", &path, &e)))?;
    file.seek(SeekFrom::Start(start))
        .map_err(|e| Refusal::from(crate::Error::io("read", &path, &e)))?;
    response = response.header(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    built(response, Body::from_stream(stream::try_unfold((file, end - start), next)))
}

/// The next block of a file, read where waiting hurts nobody.
async fn next((mut file, left): (File, u64)) -> io::Result<Option<(Bytes, (File, u64))>> {
    if left == 0 {
        return Ok(None);
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut block = vec![0; BLOCK.min(left) as usize];
        file.read_exact(&mut block)?;
        let left = left - block.len() as u64;
        Ok(Some((Bytes::from(block), (file, left))))
    });
    read.await.map_err(io::Error::other)?
}

fn built(response: axum::http::response::Builder, body: Body) -> Answer {
    response.body(body).map_err(|e| Refusal::from(crate::Error::failed(e.to_string())))
}
