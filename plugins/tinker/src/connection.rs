//! The connection to a server: made when it is first needed, and shared by everything that is opened.

use crate::{
    alive::Alive,
    auth::Auth,
    clock::Clock,
    config::TinkerConfig,
    credentials,
    engine::Engine,
    http::{Call, Http, Response},
    poll::{self, Outcome},
    server::Server,
};
use std::{sync::Arc, time::Duration};
use tinsmith_plugin_api::{Result, Services};
use tokio::sync::Semaphore;

/// A server that was asked what it is.
#[derive(Debug)]
pub(crate) struct Connection {
    pub http: Http,
    pub server: Server,
    pub config: TinkerConfig,
    pub alive: Alive,
    /// Places for samples under way.
    pub samples: Semaphore,
}

impl Connection {
    /// Finds the credential and asks the server what it is.
    pub fn open(
        engine: &Engine,
        config: &TinkerConfig,
        clock: Clock,
        services: &Services,
    ) -> Result<Arc<Self>> {
        let base = config.base_url()?;
        let credential = credentials::find(config.api_key.as_ref(), &base, services)?;
        credentials::check_trusted(&credential, &base, config.base_url.is_some())?;
        let patience = Duration::from_secs(config.patience_seconds);
        let http = Http::new(base, Auth::new(credential), clock, patience, services.clone())?;
        let config = config.clone();
        engine.block(async move {
            let server = Server::ask(&http, &config).await?;
            let samples = Semaphore::new(server.samples);
            Ok(Arc::new(Self { http, server, config, alive: Alive::default(), samples }))
        })
    }

    /// A call that the server knows by a number of its own: repeated only where the server looks at it.
    pub fn numbered(&self, call: Call) -> Call {
        if self.server.dedupes { call } else { call.once() }
    }

    /// Calls, and waits for what was promised.
    pub async fn promised(&self, call: &Call) -> Result<(Outcome, Option<String>)> {
        let answer: Response = self.http.call(call).await?;
        let promise = poll::promise(&answer, &call.path)?;
        let model = promise.model_id.clone();
        Ok((poll::poll(&self.http, &promise, false, &|_| ()).await?, model))
    }
}
