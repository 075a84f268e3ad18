//! TLS in front of a server of this machine, with a certificate that nobody knows.

use std::sync::{
    Arc, Mutex,
    mpsc::{self, Sender},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Where TLS ends.
#[derive(Debug)]
pub struct Tls {
    /// The port of `localhost` that it listens on.
    pub port: u16,
    /// The certificate, as PEM: who knows it trusts the server.
    pub certificate: String,
    /// The protocol that was agreed upon for each connection so far.
    pub agreed: Arc<Mutex<Vec<String>>>,
}

/// Starts one that offers these protocols, such as `h2`, the preferred one first.
///
/// # Panics
/// If it cannot listen.
#[must_use]
pub fn start(upstream: u16, protocols: &[&str]) -> Tls {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .unwrap_or_else(|e| panic!("make a certificate: {e}"));
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)
        })
        .unwrap_or_else(|e| panic!("set up TLS: {e}"));
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let agreed = Arc::new(Mutex::new(Vec::new()));
    let (told, port) = mpsc::channel();
    let (acceptor, noted) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&agreed));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|e| panic!("start a runtime: {e}"));
        runtime.block_on(listen(upstream, acceptor, noted, told));
    });
    let port = port.recv().unwrap_or_else(|e| panic!("listen: {e}"));
    Tls { port, certificate: made.cert.pem(), agreed }
}

async fn listen(
    upstream: u16,
    acceptor: TlsAcceptor,
    agreed: Arc<Mutex<Vec<String>>>,
    told: Sender<u16>,
) {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else { return };
    let _ = told.send(listener.local_addr().map_or(0, |address| address.port()));
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, agreed) = (acceptor.clone(), Arc::clone(&agreed));
        tokio::spawn(async move {
            // A client that does not trust us goes away here.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let protocol = stream.get_ref().1.alpn_protocol().unwrap_or_default();
            if let Ok(mut agreed) = agreed.lock() {
                agreed.push(String::from_utf8_lossy(protocol).into_owned());
            }
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", upstream)).await {
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            }
        });
    }
}
