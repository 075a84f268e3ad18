//! One file from one address, on from where it broke off.

use super::{Part, Parts, gone};
use crate::{clock::Backoff, connection::Connection, http::cause};
use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use sha2::{Digest, Sha256};
use std::{fmt::Write as _, time::Duration};
use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// Tries without a byte between them.
const TRIES: u32 = 6;
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(60);
/// What our own server says of a file.
const SHA256: &str = "x-sha256";

/// A file on its way.
#[derive(Debug)]
pub(super) struct File {
    /// Bytes that have come.
    have: u64,
    hash: Sha256,
    /// What the server calls this state of the file.
    etag: Option<String>,
    tries: u32,
    backoff: Backoff,
}

impl File {
    /// Of which nothing has come.
    pub fn new() -> Self {
        let backoff = Backoff::new(Duration::from_secs(10));
        Self { have: 0, hash: Sha256::new(), etag: None, tries: 0, backoff }
    }

    /// Fetches what is missing: true when the file is whole, false when it is worth another try.
    pub async fn fetch(
        &mut self,
        connection: &Connection,
        name: &str,
        url: &str,
        out: &Parts,
    ) -> Result<bool> {
        let before = self.have;
        let broken = match self.stream(connection, name, url, out).await {
            Ok(()) => return Ok(true),
            Err(e) if matches!(e.kind(), ErrorKind::NETWORK) => e,
            Err(e) => return Err(e),
        };
        if self.have > before {
            self.tries = 0;
            self.backoff.reset();
        }
        self.tries += 1;
        if self.tries > TRIES || connection.http.services.cancelled() {
            return Err(broken);
        }
        let services = &connection.http.services;
        services.debug(format!("{broken}; going on at byte {}", self.have));
        connection.http.clock.sleep(self.backoff.next()).await;
        Ok(false)
    }

    async fn stream(
        &mut self,
        connection: &Connection,
        name: &str,
        url: &str,
        out: &Parts,
    ) -> Result<()> {
        // The address holds a signature: it is in no text.
        let network =
            |what: String| Error::new(ErrorKind::NETWORK, format!("download `{name}`: {what}"));
        let mut request = connection.http.plain(url).timeout(Duration::from_secs(3600));
        if self.have > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.have));
            if let Some(etag) = &self.etag {
                request = request.header(IF_RANGE, etag);
            }
        }
        let mut answer = within(connection, request.send()).await.map_err(&network)?;
        let status = answer.status().as_u16();
        let header = |name: &str| {
            answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
        };
        match status {
            200 => {}
            206 if self.have > 0 => {
                let from = header(CONTENT_RANGE.as_str()).and_then(|range| {
                    range.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok()
                });
                if from != Some(self.have) {
                    return Err(network("the server sends another part than asked for".into()));
                }
            }
            404 | 410 => return Err(Error::not_found(format!("download `{name}`: it is gone"))),
            status => return Err(network(format!("the server answers {status}"))),
        }
        let etag = header(ETAG.as_str());
        if self.have > 0 && status == 206 && self.etag.is_some() && etag != self.etag {
            return Err(Error::new(
                ErrorKind::IO,
                format!("`{name}` changed while it was downloaded"),
            )
            .with_hint("download it again"));
        }
        // A server that knows no ranges sends all of it again: what is here is passed over.
        let mut skip = if status == 200 { self.have } else { 0 };
        let whole =
            answer.content_length().map(|rest| rest + if status == 206 { self.have } else { 0 });
        let sha256 = header(SHA256);
        self.etag = etag;
        loop {
            let part = within(connection, answer.chunk()).await.map_err(&network)?;
            let Some(mut part) = part else { break };
            let passed = skip.min(part.len() as u64);
            skip -= passed;
            part = part.slice(passed as usize..);
            self.take(part, out).await?;
        }
        if let Some(whole) = whole.filter(|whole| *whole != self.have) {
            return Err(network(format!("{} bytes of {whole} came", self.have)));
        }
        match sha256 {
            Some(sha256) if !sha256.eq_ignore_ascii_case(&self.digest()) => Err(Error::new(
                ErrorKind::IO,
                format!("`{name}` is not what the server has: its sha256 differs"),
            )
            .with_hint("download it again")),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, part: Bytes, out: &Parts) -> Result<()> {
        if part.is_empty() {
            return Ok(());
        }
        self.have += part.len() as u64;
        self.hash.update(&part);
        out.send(Part::Bytes(part)).await.map_err(gone)
    }

    fn digest(&self) -> String {
        self.hash.clone().finalize().iter().fold(String::new(), |mut all, byte| {
            // Writing to a string does not fail.
            let _ = write!(all, "{byte:02x}");
            all
        })
    }
}

/// What comes, or why nothing comes.
async fn within<T>(
    connection: &Connection,
    coming: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, String> {
    match tokio::time::timeout(connection.http.clock.limit(SILENCE), coming).await {
        Ok(came) => came.map_err(|e| cause(&e)),
        Err(_) => Err(format!("nothing comes for {} seconds", SILENCE.as_secs())),
    }
}
