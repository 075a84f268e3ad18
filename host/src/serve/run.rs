//! Starts a server, and ends it without losing what was begun.

use super::{
    app::{App, Settings},
    base::Base,
    disk::Disk,
    http,
    usage::{Caps, Ledger},
};
use crate::{
    Error, Result,
    config::Loaded,
    runs::Lock,
    text::plural,
    training::{Stop, ToolOptions},
};
use futures_util::future::{Either, select};
use std::{
    future::IntoFuture,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tinsmith_plugin_api::{Level, Secret};
use tokio::net::TcpListener;

/// How often it is looked whether the user asked to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is looked what is due.
const TIDY: Duration = Duration::from_millis(500);
/// How long answers that are being sent may take once the server goes down.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base models: the name that clients give, and the folder or name that the trainer is told.
    pub models: Vec<(String, String)>,
    /// Address to listen on.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Folder of sessions and checkpoints.
    pub state: PathBuf,
    /// The key that clients must send.
    pub key: Option<Secret>,
    /// Where clients reach the server, if it cannot know; without a `/` at its end.
    pub public_url: Option<String>,
    /// How long a client may be silent.
    pub session_timeout: Duration,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Steps between two snapshots.
    pub snapshot_steps: u64,
    /// Weights without a name that a model keeps.
    pub nameless_weights: usize,
    /// Whether clients ask once for all results of a sampling session.
    pub retrieve_futures: bool,
}

/// A server that listens.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// The names of its models.
    pub models: Vec<String>,
    /// Its folder.
    pub state: PathBuf,
}

/// Serves until the user asks to stop. `tell` is called once, when it listens.
///
/// # Errors
/// `usage` for an address that needs a key, or a model that is not there; `failed` if the port is taken
/// or another server has the folder.
pub fn run(
    loaded: &Loaded,
    tools: &ToolOptions,
    options: Options,
    stop: &Stop,
    tell: impl FnOnce(&Listening) -> Result<()>,
) -> Result<()> {
    let address = resolve(&options)?;
    let disk = Disk::open(&options.state)?;
    let _lock = Lock::take_state(&disk.root().join("lock"))?;
    let open = |(name, folder): &(String, String)| Base::open(name, folder, loaded, &disk, tools);
    let bases = options.models.iter().map(open).collect::<Result<Vec<_>>>()?;
    let caps = Caps::of(loaded, &bases)?;
    let rates: Vec<_> = bases.iter().map(|base| base.rates).collect();
    Caps::notes(&loaded.config, &rates).iter().for_each(|note| (tools.log)(Level::Warn, note));
    let usage = Ledger::open(&disk.usage(), caps, Arc::clone(&tools.log))?;
    if let Some(standing) = usage.standing() {
        (tools.log)(Level::Info, &standing);
    }
    let settings = Settings {
        key: options.key,
        public_url: options.public_url,
        session_timeout: options.session_timeout,
        max_body: options.max_body,
        snapshot_steps: options.snapshot_steps,
        nameless_weights: options.nameless_weights,
        retrieve_futures: options.retrieve_futures,
    };
    let app = Arc::new(App::new(settings, bases, disk, usage, Arc::clone(&tools.log))?);
    app.sweep()?;
    let count = app.bring_back()?;
    if count > 0 {
        app.log(
            Level::Info,
            &format!("{} of an earlier server go on", plural(count as u64, "model")),
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(|e| Error::failed(format!("start the threads of the server: {e}")))?;
    let served = runtime.block_on(serve(&app, address, stop, tell));
    app.begin_to_stop();
    app.models.close();
    app.warn_of(app.usage.sync());
    runtime.shutdown_timeout(LAST_ANSWERS);
    served
}

async fn serve(
    app: &Arc<App>,
    address: SocketAddr,
    stop: &Stop,
    tell: impl FnOnce(&Listening) -> Result<()>,
) -> Result<()> {
    let listener = TcpListener::bind(address).await.map_err(|e| {
        Error::failed(format!("listen on {address}: {e}")).hint("choose another `--port`")
    })?;
    let address =
        listener.local_addr().map_err(|e| Error::failed(format!("listen on {address}: {e}")))?;
    let models = app.bases.iter().map(|base| base.name.clone()).collect();
    tell(&Listening { address, models, state: app.disk.root().to_owned() })?;
    let tidying = tokio::spawn(tidy(Arc::clone(app)));
    let (asked, shared) = (stop.clone(), Arc::clone(app));
    let until = async move {
        while !asked.asked() {
            tokio::time::sleep(LOOK).await;
        }
        shared.begin_to_stop();
    };
    let serving = axum::serve(listener, http::router(app)).with_graceful_shutdown(until);
    // Answers on their way are given a while, not for ever.
    let late = async {
        app.stopped().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let (serving, late) = (pin!(serving.into_future()), pin!(late));
    let ended = select(serving, late).await;
    tidying.abort();
    match ended {
        Either::Left((Err(e), _)) => Err(Error::failed(format!("serve: {e}"))),
        _ => Ok(()),
    }
}

async fn tidy(app: Arc<App>) {
    loop {
        tokio::time::sleep(TIDY).await;
        let app = Arc::clone(&app);
        // Files are deleted where waiting hurts nobody.
        let _ = tokio::task::spawn_blocking(move || app.tidy()).await;
    }
}

/// The address to listen on: without a key, none that others reach.
fn resolve(options: &Options) -> Result<SocketAddr> {
    let host = options.host.trim_matches(['[', ']']);
    let found = match host.parse::<IpAddr>() {
        Ok(ip) => Some(SocketAddr::new(ip, options.port)),
        Err(_) => (host, options.port).to_socket_addrs().ok().and_then(|mut all| all.next()),
    };
    let address = found.ok_or_else(|| {
        Error::usage(format!("`{host}` is no address of this machine"))
            .hint("write an IP address, such as 127.0.0.1, or a name that it has")
    })?;
    if options.key.is_none() && !address.ip().is_loopback() {
        return Err(Error::usage(format!(
            "without a key only this machine may be served, not {host}"
        ))
        .hint(
            "name the variable of a key: `--api-key-env NAME`, or `serve.api_key: {env: NAME}`",
        ));
    }
    Ok(address)
}
