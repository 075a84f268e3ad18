//! Names of runs, and moments.

use jiff::{Timestamp, Unit};
use std::hash::{BuildHasher, RandomState};

/// A name that sorts by time and that two processes do not share: `20261124-031502-a1b2`.
#[must_use]
pub fn new_id() -> String {
    let now = Timestamp::now();
    // The standard library seeds every `RandomState` from the system's randomness.
    let random = RandomState::new().hash_one(std::process::id());
    format!("{}-{:04x}", now.strftime("%Y%m%d-%H%M%S"), random & 0xffff)
}

/// This moment, RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now).to_string()
}

/// Seconds since an RFC 3339 moment; `None` if it is none.
#[must_use]
pub fn seconds_since(moment: &str) -> Option<f64> {
    let then: Timestamp = moment.parse().ok()?;
    Some(Timestamp::now().duration_since(then).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_documented_shape_and_moments_parse() {
        let id = new_id();
        let parts: Vec<&str> = id.split('-').collect();
        assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [8, 6, 4], "{id}");
        assert!(id.starts_with("20"));
        let age = seconds_since(&now()).unwrap();
        assert!((-1.0..60.0).contains(&age), "{age}");
        assert_eq!(seconds_since("yesterday"), None);
    }
}
