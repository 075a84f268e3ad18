//! Who may come in.
//!
//! With a key, whoever sends it. Without one only this machine is listened to; but a page in a browser
//! on it may come from anywhere, so its requests are refused: they name their origin, or a host that
//! is none of this machine's names.

use super::reply::{Refusal, text};
use crate::serve::app::App;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

/// Compares the key.
pub async fn check_key(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if let Some(key) = &app.settings.key
        && !request.uri().path().ends_with("/healthz")
    {
        let bearer = text(headers, header::AUTHORIZATION).strip_prefix("Bearer ");
        let given = headers.get("x-api-key").and_then(|value| value.to_str().ok()).or(bearer);
        let Some(given) = given else {
            let what = "a key is needed: send it as `X-API-Key`";
            return Refusal::new(StatusCode::UNAUTHORIZED, what).into_response();
        };
        if !app.signer.same(key, given) {
            return Refusal::new(StatusCode::UNAUTHORIZED, "the key is wrong").into_response();
        }
    }
    next.run(request).await
}

/// Refuses pages of elsewhere where no key would.
pub async fn check_origin(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    // HTTP/2 names the host in the address alone.
    if !request.headers().contains_key(header::HOST)
        && let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    let headers = request.headers();
    let host = text(headers, header::HOST);
    let origin = text(headers, header::ORIGIN);
    let origin = origin.split_once("://").map_or(origin, |(_, host)| host);
    let ours = |name: &str| name.is_empty() || is_loopback(name);
    if app.settings.key.is_none() && !(ours(host) && ours(origin)) {
        let what = "without a key only this machine is answered, by the names it has itself";
        return Refusal::new(StatusCode::FORBIDDEN, what).into_response();
    }
    next.run(request).await
}

/// Whether a host, with or without a port, means this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn names_of_this_machine() {
        for host in ["localhost", "LocalHost:1", "127.0.0.1:80", "127.8.9.1", "[::1]:80", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "0.0.0.0", "10.0.0.1:80", "localhost.evil.org", "127.0.0.1.evil.org", "::"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
