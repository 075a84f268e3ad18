//! `Range: bytes=…`, as far as one part is asked for; several at once are answered with the whole.

/// What part of a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All of it.
    Whole,
    /// From the first byte up to, not including, the second.
    Part(u64, u64),
    /// None of what is asked for is there.
    Outside,
}

/// The part of `len` bytes that a header asks for. One that makes no sense is ignored.
pub fn of(header: &str, len: u64) -> Range {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Range::Whole;
    };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), _) if first >= len => Range::Outside,
        (Ok(first), Ok(last)) if last >= first => {
            Range::Part(first, last.saturating_add(1).min(len))
        }
        (Ok(first), Err(_)) if last.trim().is_empty() => Range::Part(first, len),
        (Err(_), Ok(0)) if first.trim().is_empty() => Range::Outside,
        (Err(_), Ok(last)) if first.trim().is_empty() && len > 0 => {
            Range::Part(len.saturating_sub(last), len)
        }
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::{Range::*, of};

    /// The examples of RFC 9110, section 14.1.2, and what makes no sense.
    #[test]
    fn parts() {
        for (header, expected) in [
            ("", Whole),
            ("bytes=0-499", Part(0, 500)),
            ("bytes=500-999", Part(500, 1000)),
            ("bytes=-500", Part(9500, 10_000)),
            ("bytes=9500-", Part(9500, 10_000)),
            ("bytes=0-", Part(0, 10_000)),
            ("bytes=9500-99999", Part(9500, 10_000)),
            ("bytes=-99999", Part(0, 10_000)),
            ("bytes=10000-", Outside),
            ("bytes=-0", Outside),
            ("bytes=5-4", Whole),
            ("bytes=0-1,5-6", Whole),
            ("bytes=a-b", Whole),
            ("lines=0-1", Whole),
        ] {
            assert_eq!(of(header, 10_000), expected, "{header}");
        }
        assert_eq!(of("bytes=0-", 0), Outside);
    }
}
