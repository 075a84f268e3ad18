//! Waiting, which tests do faster.

use std::time::Duration;

/// How long a second is.
#[derive(Clone, Copy, Debug)]
pub struct Clock(f64);

/// Part of its time that each wait takes, in builds with debug assertions: for tests of the program.
const SCALE: &str = "TINSMITH_TINKER_CLOCK";

impl Default for Clock {
    fn default() -> Self {
        let scale = || std::env::var(SCALE).ok()?.parse().ok();
        Self(if cfg!(debug_assertions) { scale().unwrap_or(1.0) } else { 1.0 })
    }
}

impl Clock {
    /// A clock by which every wait takes this part of its time.
    #[must_use]
    pub fn scaled(part: f64) -> Self {
        Self(part)
    }

    /// So long by this clock.
    pub(crate) fn time(self, duration: Duration) -> Duration {
        duration.mul_f64(self.0)
    }

    /// How long something may take: by this clock, and not so short that a busy machine is taken for a
    /// silent one.
    pub(crate) fn limit(self, duration: Duration) -> Duration {
        self.time(duration).max(duration.min(Duration::from_secs(1)))
    }

    pub(crate) async fn sleep(self, duration: Duration) {
        tokio::time::sleep(self.time(duration)).await;
    }
}

/// Waits that grow: 0.5 s, doubled each time up to `most`, each shortened by chance by a quarter at
/// most, so that clients that failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    tries: u32,
    most: Duration,
}

impl Backoff {
    pub fn new(most: Duration) -> Self {
        Self { tries: 0, most }
    }

    pub fn next(&mut self) -> Duration {
        let grown = Duration::from_millis(500) * 2_u32.pow(self.tries.min(10));
        self.tries += 1;
        grown.min(self.most).mul_f64(1.0 - 0.25 * fastrand::f64())
    }

    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let mut low = 0.375;
        for _ in 0..40 {
            let wait = backoff.next().as_secs_f64();
            assert!(wait >= f64::min(low, 7.5) && wait <= f64::min(low / 0.75, 10.0), "{wait}");
            low *= 2.0;
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(500));
    }
}
