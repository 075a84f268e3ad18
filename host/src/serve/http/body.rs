//! Bodies: read whole within a bound, decompressed within the same bound, then decoded.

use super::reply::{Refusal, text};
use crate::serve::app::App;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{io::Read, sync::Arc};

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        let Raw { bytes, .. } = Raw::from_request(request, app).await?;
        // Clients send some requests without a body.
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map(Self).map_err(|e| Refusal::wrong(e.to_string()))
    }
}

/// A body as it came, decompressed.
pub struct Raw {
    /// Of the request.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Bytes,
}

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|e| Refusal::new(e.status(), e.body_text()))?;
        let bytes = match text(&headers, header::CONTENT_ENCODING) {
            "" | "identity" => bytes,
            "zstd" => decompress(&bytes, app.settings.max_body)?,
            other => {
                let what = format!("a body compressed by `{other}`; send zstd or none");
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
            }
        };
        Ok(Self { headers, bytes })
    }
}

impl Raw {
    /// As a JSON value.
    ///
    /// # Errors
    /// A refusal for what is none.
    pub fn value(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.bytes).map_err(|e| Refusal::wrong(e.to_string()))
    }
}

/// A small body can hold a large one: reading stops at the bound.
fn decompress(bytes: &[u8], bound: usize) -> Result<Bytes, Refusal> {
    let wrong = |e: std::io::Error| Refusal::wrong(format!("the body is no zstd: {e}"));
    let mut out = Vec::new();
    let reader = zstd::stream::read::Decoder::new(bytes).map_err(wrong)?;
    reader.take(bound as u64 + 1).read_to_end(&mut out).map_err(wrong)?;
    if out.len() > bound {
        let what = format!("the body is larger than {bound} bytes; send fewer datums at once");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, what));
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zstd::encode_all(&vec![0_u8; 1 << 20][..], 1).unwrap();
        assert!(bomb.len() < 1000);
        assert_eq!(decompress(&bomb, 1 << 20).unwrap().len(), 1 << 20);
        assert!(decompress(&bomb, (1 << 20) - 1).is_err());
        assert!(decompress(b"text", 100).is_err());
    }
}
