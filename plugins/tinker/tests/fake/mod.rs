//! A server for tests: it answers as a script says, and remembers what it was asked.

#![allow(dead_code)] // Each test uses a part of it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use tinsmith_plugin_api::{
    Adam, Batch, Column, ColumnData, Lora, OpenRun, Run, Services, Trainer, testing::MemoryServices,
};
use tinsmith_tinker::{Clock, Tinker, TinkerConfig};

/// The key that no text may hold.
pub const KEY: &str = "tml-5ecre7-0123456789abcdef";

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Behind `/api/v1/`, or the whole.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What is answered.
pub enum Reply {
    Json(u16, Value),
    With(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// So many bytes of a longer body, and the connection is gone.
    Cut(u16, Vec<(&'static str, String)>, Vec<u8>, usize),
    /// So many bytes of a longer body, and then nothing, for as long as the client waits.
    Hang(u16, Vec<(&'static str, String)>, Vec<u8>, usize),
    /// Nothing: the connection is gone.
    Drop,
}

pub fn ok(body: Value) -> Reply {
    Reply::Json(200, body)
}

type Script = dyn Fn(&Asked, &Fake) -> Option<Reply> + Send + Sync;

/// The server.
pub struct Fake {
    pub base: String,
    pub asked: Mutex<Vec<Asked>>,
    script: Box<Script>,
}

impl Fake {
    /// Starts one: `script` answers first, and where it says nothing, everything goes well.
    pub fn start(
        script: impl Fn(&Asked, &Self) -> Option<Reply> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let fake = Arc::new(Self { base, asked: Mutex::default(), script: Box::new(script) });
        let serving = Arc::clone(&fake);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let fake = Arc::clone(&serving);
                thread::spawn(move || fake.serve(&stream));
            }
        });
        fake
    }

    /// How often this was asked.
    pub fn count(&self, path: &str) -> usize {
        self.of(path).len()
    }

    /// What was asked at this path, in order.
    pub fn of(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| a.path == path).cloned().collect()
    }

    /// A trainer on this server whose waits are short.
    pub fn trainer(&self, more: &Value) -> (Tinker, MemoryServices) {
        let host = MemoryServices::new().with_secret("THE_KEY", KEY);
        (self.trainer_with(more, host.services()), host)
    }

    pub fn trainer_with(&self, more: &Value, services: Services) -> Tinker {
        let mut config = json!({"base_url": self.base, "api_key": {"env": "THE_KEY"}});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: TinkerConfig = serde_json::from_value(config).unwrap();
        Tinker::with_clock(config, services, Clock::scaled(0.01)).unwrap()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(asked) = read(&mut reader) {
            self.asked.lock().unwrap().push(asked.clone());
            let reply = (self.script)(&asked, self).unwrap_or_else(|| well(&asked));
            let hangs = matches!(reply, Reply::Hang(..));
            let (status, headers, body, cut) = match reply {
                Reply::Drop => return,
                Reply::Json(status, body) => {
                    (status, Vec::new(), body.to_string().into_bytes(), None)
                }
                Reply::With(status, headers, body) => (status, headers, body, None),
                Reply::Cut(status, headers, body, cut)
                | Reply::Hang(status, headers, body, cut) => (status, headers, body, Some(cut)),
            };
            let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                head += "content-type: application/json\r\n";
            }
            for (name, value) in &headers {
                head += &format!("{name}: {value}\r\n");
            }
            let mut stream = stream;
            let sent = stream.write_all((head + "\r\n").as_bytes());
            if sent.and_then(|()| stream.write_all(&body[..cut.unwrap_or(body.len())])).is_err()
                || cut.is_some()
            {
                // What was written arrives before the end does. The client goes away first if it hangs.
                let wait = if hangs { Duration::from_secs(60) } else { Duration::from_millis(20) };
                stream.set_read_timeout(Some(wait)).unwrap();
                let _ = std::io::Read::read(&mut stream, &mut [0]);
                return;
            }
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, v)| v.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let path = path.strip_prefix("/api/v1/").unwrap_or(&path).to_owned();
    Some(Asked { method, path, headers, body })
}

/// What a server says to which everything goes well. Promises are named by what they promise.
fn well(asked: &Asked) -> Reply {
    let body = asked.json();
    ok(match asked.path.as_str() {
        "client/config" => json!({"tinsmith": {"dedupes": true}}),
        "create_session" => json!({"session_id": "s1"}),
        "create_model" => json!({"request_id": "create_model"}),
        "load_weights" => json!({"request_id": "load_weights"}),
        "optim_step" => json!({"request_id": "optim_step"}),
        "save_weights" => json!({"request_id": format!("save {}", body["path"].as_str().unwrap())}),
        "save_weights_external" => json!({"request_id": "external"}),
        "forward_backward" => json!({"request_id": "pass"}),
        "retrieve_future" => match body["request_id"].as_str().unwrap() {
            "create_model" | "load_weights" => json!({"model_id": "s1:train:0"}),
            "optim_step" => json!({"metrics": {"grad_norm": 0.5}}),
            "external" => json!({"path": "tinker://s1:train:0/external_weights/tinsmith-download"}),
            "pass" => json!({
                "loss_fn_outputs": [{"logprobs": {"data": [-0.5, -1.0], "dtype": "float32", "shape": [2]}}],
                "metrics": {"loss:sum": 1.5}
            }),
            save => json!({"path": format!("tinker://s1:train:0/weights/{}", &save[5..])}),
        },
        _ => json!({}),
    })
}

/// A token that expires in so many seconds.
pub fn jwt(seconds: f64) -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let claims = json!({"iat": now - 10.0, "exp": now + seconds, "n": now});
    format!("eyJ5ecre7.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

pub fn open(trainer: &Tinker) -> Box<dyn Run> {
    let lora = Lora {
        rank: 4,
        alpha: 8.0,
        seed: 3,
        train_attn: true,
        train_mlp: true,
        train_unembed: false,
    };
    let adapter = tinsmith_plugin_api::AdapterSpec::Lora(lora);
    trainer.open(OpenRun::Base { model: "org/m".into(), adapter }).unwrap()
}

/// So many datums of two tokens.
pub fn batch(datums: usize) -> Arc<Batch> {
    let tokens = 2 * datums;
    Arc::new(Batch {
        tokens: (0..tokens as i32).collect(),
        targets: (1..=tokens as i32).collect(),
        offsets: (0..=datums as u64).map(|i| 2 * i).collect(),
        groups: (0..datums as u64).collect(),
        columns: vec![Column { name: "weights".into(), data: ColumnData::F32(vec![1.0; tokens]) }],
    })
}

pub const ADAM: Adam = Adam {
    learning_rate: 1e-3,
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-12,
    weight_decay: 0.0,
    grad_clip_norm: 0.0,
};
