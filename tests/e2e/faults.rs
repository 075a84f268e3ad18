/*!
Runs on `tinsmith serve` behind a proxy that fails on purpose, by seeded schedules.

Where the client lives on, its adapter has the bytes of an undisturbed run, and the server has made as many
optimizer steps as the plan has: nothing was lost, and nothing applied twice. Where the client is killed and
resumed, the final checkpoint has as many steps. `TINSMITH_FAULT_SEEDS=FROM-TO` runs other schedules than
those of every day; the seed is in the message of every failure.
*/

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

#[path = "serve/client.rs"]
#[allow(dead_code, reason = "tests/e2e/serve.rs uses all of it")]
mod client;

use client::Server;
use serde_json::Value;
use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};
use tinsmith_test_support::{
    cli::Sandbox,
    proxy::{Fault, Proxy},
    tiny_run,
};

const STEPS: u64 = 6;

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The seeds of a test: `default`, or those of the environment.
fn seeds(default: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("TINSMITH_FAULT_SEEDS") else { return default };
    let (from, to) = text.split_once('-').unwrap();
    from.parse().unwrap()..to.parse().unwrap()
}

/// A run on the server behind this port.
fn sandbox(port: u16) -> Sandbox {
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let more = format!(
        "training: {{batch_size: 2, max_steps: {STEPS}}}\ncheckpoint: {{every_steps: 2}}\n"
    );
    tiny_run::write_on(&sandbox, 12, &format!("base_url: \"http://127.0.0.1:{port}\""), &more);
    // A second of the client's waits is this part of one.
    sandbox.env("TINSMITH_TINKER_CLOCK", "0.02");
    sandbox
}

fn server() -> Server {
    Server::start(&["--set", "serve.snapshot_steps=2"])
}

fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    let mut command = sandbox.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for a run, and answers what it said.
fn finish(child: Child, seed: u64, proxy: &Proxy) -> (Option<i32>, String) {
    let begin = Instant::now();
    let mut child = child;
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("seed {seed}: the run hangs\n{}", proxy.log());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The steps that the server says a run's model has made, after its last one.
fn steps_of_server(sandbox: &Sandbox) -> u64 {
    let id = tiny_run::latest(sandbox).unwrap();
    let lines = sandbox.read(&format!("out/runs/{id}/metrics.jsonl"));
    let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let steps = rows.filter_map(|row| row["trainer:step"].as_f64());
    steps.fold(0.0, f64::max) as u64
}

/// The weights of the newest run's adapter.
fn adapter(sandbox: &Sandbox) -> Vec<u8> {
    let mut files = tiny_run::adapter(sandbox).into_iter();
    files.find(|(name, _)| name == "adapter_model.safetensors").unwrap().1
}

fn undisturbed() -> Vec<u8> {
    let server = server();
    let sandbox = sandbox(server.port);
    let output = sandbox.run(&["train", "run.yaml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(steps_of_server(&sandbox), STEPS);
    adapter(&sandbox)
}

/// Every n-th request fails, by chance, and now and then all of the next few in the same way. Some servers
/// start slowly: their first requests are too early.
fn schedule(seed: u64) -> impl Fn(u64, &str) -> Fault + Send + Sync {
    move |number, path| {
        let drawn = |what: u64| Random(seed ^ what.wrapping_mul(0xD6E8_FEB8_6659_FD93)).next();
        let burst = drawn(!(number / 4));
        let download = path.contains("/files/") || path.contains("signature");
        let mut random = Random(drawn(number));
        match random.next() % (3 + seed % 5) {
            _ if download => Fault::None,
            _ if number < 4 => {
                if seed % 4 == 1 {
                    Fault::Status(503)
                } else {
                    Fault::None
                }
            }
            _ if burst % 16 == 0 => Fault::Status([429, 500, 502, 503][burst as usize / 16 % 4]),
            0 => Fault::of(random.next()),
            _ => Fault::None,
        }
    }
}

#[test]
fn a_run_that_lives_on_is_as_if_nothing_had_happened() {
    let expected = undisturbed();
    for seed in seeds(0..14) {
        let mut server = server();
        let proxy = Proxy::start(server.port, schedule(seed));
        let sandbox = sandbox(proxy.port);
        let child = start(&sandbox, &["train", "run.yaml"]);
        if seed % 3 == 0 {
            // The server dies in the midst of it, and comes back.
            let when = 8 + seed * 5 % 40;
            let begin = Instant::now();
            while proxy.seen() < when && begin.elapsed() < Duration::from_secs(30) {
                thread::sleep(Duration::from_millis(2));
            }
            server.kill();
            thread::sleep(Duration::from_millis(50));
            server.again();
            proxy.upstream(server.port);
        }
        let (code, said) = finish(child, seed, &proxy);
        assert_eq!(code, Some(0), "seed {seed}: {said}\n{}", proxy.log());
        assert!(proxy.log().lines().count() > 0, "seed {seed}: nothing failed");
        assert_eq!(steps_of_server(&sandbox), STEPS, "seed {seed}\n{}", proxy.log());
        let same = adapter(&sandbox) == expected;
        assert!(same, "seed {seed}: another adapter\n{said}\n{}", proxy.log());
    }
}

#[test]
fn a_client_that_is_killed_goes_on_from_its_checkpoint() {
    let expected = undisturbed();
    for seed in seeds(100..106) {
        let server = server();
        let proxy = Proxy::start(server.port, schedule(seed));
        let sandbox = sandbox(proxy.port);
        let mut child = start(&sandbox, &["train", "run.yaml"]);
        let when = 10 + Random(seed).next() % 40;
        let begin = Instant::now();
        while proxy.seen() < when
            && child.try_wait().unwrap().is_none()
            && begin.elapsed() < Duration::from_secs(30)
        {
            thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let args = match tiny_run::latest(&sandbox) {
            Some(_) => ["train", "--resume", "latest", "--output", "out"].to_vec(),
            // It died before there was a run.
            None => ["train", "run.yaml"].to_vec(),
        };
        let (code, said) = finish(start(&sandbox, &args), seed, &proxy);
        assert_eq!(code, Some(0), "seed {seed}: {said}\n{}", proxy.log());
        assert_eq!(steps_of_server(&sandbox), STEPS, "seed {seed}\n{}", proxy.log());
        let same = adapter(&sandbox) == expected;
        assert!(same, "seed {seed}: another adapter\n{said}\n{}", proxy.log());
    }
}

/// Every step that the server computes is paid for: the run stops before it costs more, and goes on when it
/// may.
#[test]
fn a_limit_in_dollars_ends_with_a_checkpoint() {
    let server = server();
    let sandbox = sandbox(server.port);
    let price = "limits.prices.train_per_million_tokens=1000";
    // A tenth of a cent a token, some dozens of tokens a step.
    let limited = ["train", "run.yaml", "--set", price, "--set", "limits.max_usd=0.2"];
    let shown = sandbox.show(&limited);
    assert!(shown.starts_with("exit 130\n"), "{shown}");
    assert!(shown.contains("would exceed `limits.max_usd` ($0.2)"), "{shown}");
    let record = |sandbox: &Sandbox| -> Value {
        let id = tiny_run::latest(sandbox).unwrap();
        serde_json::from_str(&sandbox.read(&format!("out/runs/{id}.json"))).unwrap()
    };
    let stopped = record(&sandbox);
    let usd = stopped["progress"]["usd"].as_f64().unwrap();
    let tokens = stopped["progress"]["computed_tokens"].as_f64().unwrap();
    assert!((usd - tokens / 1000.0).abs() < 1e-9 && usd > 0.0 && usd <= 0.2, "{usd} {tokens}");
    assert!(stopped["progress"]["step"].as_u64().unwrap() < STEPS);
    assert!(!stopped["checkpoints"].as_array().unwrap().is_empty());
    let shown = sandbox.show(&["status", "latest", "--output", "out"]);
    assert!(shown.contains(" cost $0.") && shown.contains(" of at most $0.200"), "{shown}");
    let told = |args: &[&str]| -> Value {
        let output = sandbox.run(&[args, &["--output", "out", "--format", "json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(
        told(&["status", "latest"])["cost"],
        serde_json::json!({"usd": usd, "max_usd": 0.2})
    );
    assert_eq!(told(&["status"])["usd"], usd);
    let on = ["train", "--resume", "latest", "--output", "out", "--set", "limits.max_usd=9"];
    let shown = sandbox.show(&on);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(record(&sandbox)["progress"]["step"], STEPS);
    assert!(record(&sandbox)["progress"]["usd"].as_f64().unwrap() > usd);
    let shown = sandbox.show(&["status", "latest", "--output", "out"]);
    assert!(shown.contains(" of at most $9.00"), "{shown}");
}
