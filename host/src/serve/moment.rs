//! Moments, as the protocol writes them: RFC 3339 in UTC.

use jiff::{SignedDuration, Timestamp};

/// So many seconds from now; the last moment there is, if that is beyond it.
pub fn after(seconds: u64) -> String {
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let then = Timestamp::now().checked_add(seconds).unwrap_or(Timestamp::MAX);
    then.to_string()
}

/// Whether a moment lies behind. What is no moment never does.
pub fn is_past(moment: &str) -> bool {
    moment.parse::<Timestamp>().is_ok_and(|then| then <= Timestamp::now())
}

/// Seconds since 1970.
pub fn epoch() -> i64 {
    Timestamp::now().as_second()
}

/// A moment by its seconds since 1970.
pub fn rfc3339(epoch: i64) -> String {
    Timestamp::from_second(epoch).unwrap_or(Timestamp::MAX).to_string()
}

/// As HTTP headers write it.
pub fn http(epoch: i64) -> String {
    let then = Timestamp::from_second(epoch).unwrap_or(Timestamp::MAX);
    then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_pass() {
        assert!(is_past(&after(0)));
        assert!(!is_past(&after(60)));
        assert!(!is_past(&after(u64::MAX)));
        assert!(!is_past("never"));
        assert_eq!(http(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
