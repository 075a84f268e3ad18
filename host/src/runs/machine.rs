//! Facts about the machine that a run was trained on.

use serde::{Deserialize, Serialize};
use std::fs;

/// Where a run was trained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Version of tinsmith.
    pub tinsmith: String,
    /// Name of the machine, where the system tells.
    pub hostname: Option<String>,
    /// Operating system.
    pub os: String,
    /// Instruction set.
    pub arch: String,
    /// Model of the processor, where the system tells.
    pub cpu: Option<String>,
    /// Logical processors.
    pub cpus: u32,
    /// Threads given to the run.
    pub threads: u32,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here(threads: usize) -> Self {
        Self {
            tinsmith: env!("CARGO_PKG_VERSION").into(),
            hostname: hostname(),
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpu: cpu(),
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            threads: threads as u32,
        }
    }
}

/// The machine's name, from the kernel.
#[must_use]
pub fn hostname() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Whether a process of this machine lives; `None` where that cannot be told.
#[must_use]
pub fn lives(pid: u32) -> Option<bool> {
    let proc = std::path::Path::new("/proc");
    proc.join("self").exists().then(|| proc.join(pid.to_string()).exists())
}
