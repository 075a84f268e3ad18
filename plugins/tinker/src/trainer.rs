//! The trainer: opens runs and samplers on a server.

use crate::{
    checkpoints,
    clock::Clock,
    config::TinkerConfig,
    connection::Connection,
    engine::Engine,
    export::{self, Part},
    http::Call,
    run::{self, EPHEMERAL},
    sampler::{Samplers, TinkerSampler},
    session::Session,
};
use std::sync::{Arc, Mutex, PoisonError};
use tinsmith_plugin_api::{
    Capabilities, Checkpoint, Error, Export, FileSink, ModelInfo, OpenRun, Result, Run, RunId,
    Sampler, Services, Trainer,
};
use tinsmith_tinker_wire::messages::ServerCapabilities;

/// Trains on a server that speaks the Tinker API.
pub struct Tinker {
    config: TinkerConfig,
    services: Services,
    clock: Clock,
    open: Mutex<Open>,
}

/// What is made when it is first needed.
#[derive(Default)]
struct Open {
    connected: Option<(Arc<Engine>, Arc<Connection>)>,
    /// What all samplers belong to.
    samplers: Option<Arc<Samplers>>,
}

impl std::fmt::Debug for Tinker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tinker").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Trainer for Tinker {
    const NAME: &'static str = "tinker";
    const SUMMARY: &'static str = "Trains adapters on a server that speaks the Tinker API";
    type Config = TinkerConfig;

    fn new(config: TinkerConfig, services: Services) -> Result<Self> {
        Self::with_clock(config, services, Clock::default())
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let (engine, connection) = self.connected()?;
        let asked = Arc::clone(&connection);
        let said: ServerCapabilities = engine
            .block(async move { asked.http.json(&Call::get("get_server_capabilities")).await })?;
        let models = said.supported_models.into_iter().filter(|model| model.trainable);
        let models = models.filter_map(|model| {
            Some(ModelInfo {
                name: model.model_name?,
                max_context_length: model.max_context_length,
            })
        });
        let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        let server = &connection.server;
        Ok(Capabilities {
            models: models.collect(),
            native_losses: keys(&["cross_entropy", "importance_sampling", "ppo", "cispo", "dro"]),
            lora_keys: keys(&["rank", "seed", "train_attn", "train_mlp", "train_unembed"]),
            adam_keys: keys(&[
                "learning_rate",
                "beta1",
                "beta2",
                "eps",
                "weight_decay",
                "grad_clip_norm",
            ]),
            ttl: true,
            max_in_flight: self.config.max_in_flight,
            deterministic: server.deterministic,
            divides_by_mask: server.divides_by_mask,
            exports: vec![Export::Adapter],
            ..Capabilities::default()
        })
    }

    fn open(&self, from: OpenRun) -> Result<Box<dyn Run>> {
        let (engine, connection) = self.connected()?;
        Ok(Box::new(run::open(&connection, &engine, from)?))
    }

    fn sampler(&self, source: &str) -> Result<Box<dyn Sampler>> {
        let (engine, connection) = self.connected()?;
        let samplers = self.samplers(&engine, &connection)?;
        Ok(Box::new(match source.strip_prefix(EPHEMERAL) {
            Some(id) => TinkerSampler::of(id.to_owned(), connection, samplers),
            None => TinkerSampler::open(connection, samplers, source)?,
        }))
    }

    fn checkpoints(&self, run: Option<&RunId>) -> Result<Vec<Checkpoint>> {
        let (engine, connection) = self.connected()?;
        let run = run.cloned();
        engine.block(async move { checkpoints::list(&connection, run.as_ref()).await })
    }

    fn delete(&self, uri: &str) -> Result<()> {
        let (engine, connection) = self.connected()?;
        let uri = uri.to_owned();
        engine.block(async move { checkpoints::delete(&connection, &uri).await })
    }

    fn set_ttl(&self, uri: &str, seconds: Option<u64>) -> Result<()> {
        let (engine, connection) = self.connected()?;
        let uri = uri.to_owned();
        engine.block(async move { checkpoints::set_ttl(&connection, &uri, seconds).await })
    }

    fn publish(&self, uri: &str, public: bool) -> Result<()> {
        let (engine, connection) = self.connected()?;
        let uri = uri.to_owned();
        engine.block(async move { checkpoints::publish(&connection, &uri, public).await })
    }

    fn export(&self, uri: &str, what: Export, out: &mut dyn FileSink) -> Result<()> {
        if what != Export::Adapter {
            return Err(Error::unsupported("the Tinker API gives adapters only"));
        }
        let (engine, connection) = self.connected()?;
        let (parts, mut arriving) = tokio::sync::mpsc::channel(16);
        let (ended, end) = std::sync::mpsc::sync_channel(1);
        let uri = uri.to_owned();
        engine.spawn(async move {
            let result = export::adapter(&connection, &uri, parts).await;
            // Nobody waits any more if the sink failed.
            let _ = ended.send(result);
        });
        while let Some(part) = arriving.blocking_recv() {
            match part {
                Part::Start(name) => out.start(&name)?,
                Part::Bytes(bytes) => out.write(&bytes)?,
                Part::Finish => out.finish()?,
            }
        }
        end.recv().unwrap_or_else(|_| {
            Err(Error::new(tinsmith_plugin_api::ErrorKind::LOST, "the network's thread is gone"))
        })
    }
}

impl Tinker {
    /// A trainer that waits by this clock.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn with_clock(config: TinkerConfig, services: Services, clock: Clock) -> Result<Self> {
        config.check()?;
        Ok(Self { config, services, clock, open: Mutex::default() })
    }

    fn connected(&self) -> Result<(Arc<Engine>, Arc<Connection>)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connected) = &open.connected {
            return Ok(connected.clone());
        }
        let engine = Arc::new(Engine::start()?);
        let connection = Connection::open(&engine, &self.config, self.clock, &self.services)?;
        Ok(open.connected.insert((engine, connection)).clone())
    }

    fn samplers(
        &self,
        engine: &Arc<Engine>,
        connection: &Arc<Connection>,
    ) -> Result<Arc<Samplers>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(samplers) = &open.samplers {
            return Ok(Arc::clone(samplers));
        }
        let session = engine.block(Session::create(Arc::clone(connection), None))?;
        let samplers = Samplers { session, engine: Arc::clone(engine) };
        Ok(Arc::clone(open.samplers.insert(Arc::new(samplers))))
    }
}
