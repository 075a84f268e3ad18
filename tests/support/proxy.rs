//! An HTTP proxy that fails on purpose: what becomes of each request is drawn from a seed.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It goes its way.
    None,
    /// The connection is gone before the server sees it.
    Reset,
    /// The server does it, and the answer is lost.
    Lost,
    /// The server does it, and half of the answer arrives.
    Cut,
    /// The server does it, and the answer is late.
    Late,
    /// The server does it, and nothing comes, for longer than anybody waits.
    Stall,
    /// It arrives twice; the second answer is given.
    Twice,
    /// It never arrives, and something in front of the server says so.
    Status(u16),
    /// The server does it, and something in front of the server says that it did not.
    StatusAfter(u16),
}

impl Fault {
    /// One of all, by a number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        match number % 13 {
            0 => Self::Reset,
            1 | 2 => Self::Lost,
            3 => Self::Cut,
            4 => Self::Late,
            5 => Self::Twice,
            6 => Self::Status(429),
            7 => Self::Status(500),
            8 => Self::Status(502),
            9 => Self::Status(503),
            10 => Self::StatusAfter(502),
            11 => Self::Stall,
            _ => Self::StatusAfter(504),
        }
    }
}

type Choose = dyn Fn(u64, &str) -> Fault + Send + Sync;

/// A proxy in front of a server of this machine.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    upstream: AtomicU16,
    seen: AtomicU64,
    choose: Box<Choose>,
    /// What was done, for the one who reads a failed test.
    log: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts one. `choose` is given the number of the request, from 0, and its path.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn start(
        upstream: u16,
        choose: impl Fn(u64, &str) -> Fault + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (port, connections) = listen();
        let proxy = Arc::new(Self {
            port,
            upstream: upstream.into(),
            seen: AtomicU64::new(0),
            choose: Box::new(choose),
            log: Mutex::default(),
        });
        let serving = Arc::clone(&proxy);
        connections.each(move |stream| serving.serve(stream));
        proxy
    }

    /// The server is another one from now on.
    pub fn upstream(&self, port: u16) {
        self.upstream.store(port, Ordering::SeqCst);
    }

    /// Requests so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// What was done so far, a line a fault.
    ///
    /// # Panics
    /// If a thread of the proxy did.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(|e| panic!("{e}")).join("\n")
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut out = stream;
        while let Some(request) = message(&mut reader)? {
            let number = self.seen.fetch_add(1, Ordering::SeqCst);
            let head = String::from_utf8_lossy(&request).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let fault = (self.choose)(number, path);
            if fault != Fault::None
                && let Ok(mut log) = self.log.lock()
            {
                log.push(format!("{number} {path}: {fault:?}"));
            }
            let says = |status: u16| {
                format!("HTTP/1.1 {status} Proxy\r\ncontent-length: 3\r\n\r\nbad").into_bytes()
            };
            let answer = match fault {
                Fault::Reset => return Ok(()),
                Fault::Status(status) => says(status),
                Fault::StatusAfter(status) => {
                    self.forward(&request)?;
                    says(status)
                }
                Fault::Lost => {
                    self.forward(&request)?;
                    return Ok(());
                }
                Fault::Cut => {
                    let answer = self.forward(&request)?;
                    out.write_all(&answer[..answer.len() / 2])?;
                    return Ok(());
                }
                Fault::Stall => {
                    self.forward(&request)?;
                    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                    // Until the client goes away.
                    let _ = reader.fill_buf();
                    return Ok(());
                }
                Fault::Twice => {
                    self.forward(&request)?;
                    self.forward(&request)?
                }
                Fault::Late => {
                    let answer = self.forward(&request)?;
                    thread::sleep(Duration::from_millis(150));
                    answer
                }
                Fault::None => self.forward(&request)?,
            };
            out.write_all(&answer)?;
        }
        Ok(())
    }

    fn forward(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        forward(self.upstream.load(Ordering::SeqCst), request)
    }
}

/// Connections that come to a port.
pub(crate) struct Connections(TcpListener);

/// Takes a free port of this machine.
pub(crate) fn listen() -> (u16, Connections) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|e| panic!("listen: {e}"));
    let port = listener.local_addr().map_or(0, |address| address.port());
    (port, Connections(listener))
}

impl Connections {
    /// Serves each in a thread of its own. One that ends in the midst is what these are for.
    pub(crate) fn each(
        self,
        serve: impl Fn(&TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) {
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in self.0.incoming().flatten() {
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(&stream));
            }
        });
    }
}

/// The answer of the server at a port of this machine.
pub(crate) fn forward(port: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(request)?;
    message(&mut BufReader::new(stream))?.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// One request or answer, head and body; None at the end of the connection.
pub(crate) fn message(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let (mut all, mut length) = (Vec::new(), 0);
    loop {
        let start = all.len();
        if reader.read_until(b'\n', &mut all)? == 0 {
            return if start == 0 {
                Ok(None)
            } else {
                Err(std::io::ErrorKind::UnexpectedEof.into())
            };
        }
        let line = String::from_utf8_lossy(&all[start..]).to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let start = all.len();
    all.resize(start + length, 0);
    reader.read_exact(&mut all[start..])?;
    Ok(Some(all))
}
