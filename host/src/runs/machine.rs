//! Facts about the machine that a run was trained on.

use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

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

/// Whether the process of this machine that had this id `since` seconds ago lives; `None` where that
/// cannot be told.
#[must_use]
pub fn lives(pid: u32, since: f64) -> Option<bool> {
    // Clocks are read one after the other.
    const SLACK: f64 = 5.0;
    let proc = Path::new("/proc");
    if !proc.join("self").exists() {
        return None;
    }
    if !proc.join(pid.to_string()).exists() {
        return Some(false);
    }
    // The system gives the ids of dead processes to new ones: one that is younger is another.
    Some(age(pid).is_none_or(|age| age + SLACK >= since))
}

/// How long a process has lived, in seconds.
fn age(pid: u32) -> Option<f64> {
    /// What the kernel counts in, whatever it ticks in.
    const USER_HZ: f64 = 100.0;
    let first = |text: String| text.split_whitespace().next()?.parse::<f64>().ok();
    let uptime = first(fs::read_to_string("/proc/uptime").ok()?)?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything. Behind it, from field 3 on; field 22 is the start.
    let start = stat.rsplit_once(')')?.1.split_whitespace().nth(22 - 3)?;
    Some(uptime - start.parse::<f64>().ok()? / USER_HZ)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_lives_and_an_older_one_of_its_id_does_not() {
        let us = std::process::id();
        assert_eq!(lives(us, 0.0), Some(true));
        assert_eq!(lives(us, 1e9), Some(false), "we are younger than thirty years");
        // The largest process id of Linux is 2^22.
        assert_eq!(lives(5_000_000, 0.0), Some(false));
    }
}
