use super::*;
use std::fs;
use tinsmith_plugin_api::ErrorKind;

fn quiet() -> Log {
    Arc::new(|_, _| ())
}

/// A dollar for a million tokens of each kind.
const RATES: Rates = Rates { train: Some(1e-6), prefill: Some(1e-6), sample: Some(1e-6) };

fn train(tokens: u64) -> Tokens {
    Tokens { train: tokens, ..Tokens::default() }
}

fn subject() -> Subject {
    Subject { base: "m".into(), operation: "forward_backward".into(), ..Subject::default() }
}

fn claim(ledger: &Ledger, tokens: u64) -> tinsmith_plugin_api::Result<Claim> {
    ledger.claim(subject(), train(tokens), RATES, false)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self) -> PathBuf {
        self.0.path().join("usage.jsonl")
    }

    fn open(&self, caps: Caps) -> Ledger {
        Ledger::open(&self.path(), caps, quiet()).unwrap()
    }
}

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

#[test]
fn what_is_under_way_counts_in_full_and_is_put_right() {
    let folder = folder();
    let caps = Caps { max_tokens: Some(100), max_usd: None };
    let ledger = folder.open(caps);
    let first = claim(&ledger, 60).unwrap();
    let e = claim(&ledger, 41).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::REJECTED);
    let text = e.to_string();
    assert!(
        text.contains("`limits.max_tokens` (100)") && text.contains("0 tokens spent"),
        "{text}"
    );
    assert!(text.contains("60 tokens set aside") && text.contains("take 41 tokens"), "{text}");
    first.done(train(59));
    let exact = claim(&ledger, 41).unwrap();
    exact.refused(Tokens::default());
    claim(&ledger, 1).unwrap().lost();
    assert_eq!(ledger.spent().tokens, train(60));
    // What was promised is done, whatever the limit says.
    ledger.claim(subject(), train(500), RATES, true).unwrap().done(train(500));
    assert!(claim(&ledger, 1).is_err());
}

#[test]
fn dollars_are_kept_to_the_last() {
    let folder = folder();
    let caps = Caps { max_tokens: None, max_usd: Some(1e-6 * 10.0) };
    let ledger = folder.open(caps);
    // Ten times a tenth is not quite one in binary.
    for _ in 0..10 {
        claim(&ledger, 1).unwrap().done(train(1));
    }
    let e = claim(&ledger, 1).unwrap_err().to_string();
    assert!(e.contains("`limits.max_usd` ($1.00e-5): $1.00e-5 spent"), "{e}");
    // What costs nothing is never too dear.
    assert!(claim(&ledger, 0).is_ok());
}

/// A server may be killed at any byte: what it had under way counts, and what it was about to write not.
#[test]
fn a_file_cut_off_anywhere_counts_what_was_handed_on() {
    let folder = folder();
    let ledger = folder.open(Caps::default());
    claim(&ledger, 7).unwrap().done(train(7));
    let open = claim(&ledger, 5).unwrap();
    let whole = fs::read(folder.path()).unwrap();
    let ends: Vec<usize> =
        whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    assert_eq!(ends.len(), 3);
    for cut in 0..=whole.len() {
        fs::write(folder.path(), &whole[..cut]).unwrap();
        let ledger = folder.open(Caps::default());
        let lines = ends.iter().filter(|end| **end <= cut).count();
        let expected = [0, 7, 7, 12][lines];
        assert_eq!(ledger.spent().tokens, train(expected), "cut at {cut}");
        // What comes next stands on a line of its own.
        claim(&ledger, 1).unwrap().done(train(1));
        let again = folder.open(Caps::default());
        assert_eq!(again.spent().tokens, train(expected + 1), "cut at {cut}");
    }
    drop(open);
    fs::write(folder.path(), "{oops}\n").unwrap();
    let e = Ledger::open(&folder.path(), Caps::default(), quiet()).map(drop).unwrap_err();
    assert!(e.to_string().contains("usage.jsonl") && e.hint.is_some(), "{e}");
}

/// What cannot be written down is not handed on, and counts nothing.
#[test]
fn a_disk_that_fails_refuses() {
    let folder = folder();
    let ledger = folder.open(Caps { max_tokens: Some(9), max_usd: None });
    fs::create_dir(folder.path()).unwrap();
    let e = claim(&ledger, 9).unwrap_err();
    assert_ne!(e.kind(), ErrorKind::REJECTED, "it is not the client's fault: {e}");
    fs::remove_dir(folder.path()).unwrap();
    claim(&ledger, 9).unwrap().done(train(9));
    assert_eq!(ledger.spent().tokens, train(9));
}

#[test]
fn hours_add_up() {
    let folder = folder();
    let ledger = folder.open(Caps::default());
    claim(&ledger, 7).unwrap().done(train(7));
    let sample = Tokens { prefill: 3, sample: 9, ..Tokens::default() };
    let claimed = ledger.claim(subject(), sample, RATES, false).unwrap();
    claimed.done(Tokens { sample: 2, ..sample });
    let open = claim(&ledger, 5).unwrap();
    let of = |from, until| usage(ledger.path(), Hours { from, until }, |_| RATES).unwrap();
    let all = of(0, i64::MAX);
    // One hour, or two if the clock struck meanwhile.
    let count = |kind: &str| -> u64 {
        let ours = all.iter().filter(|bucket| bucket["event_info"]["type"] == kind);
        ours.map(|bucket| bucket["event_info"]["token_count"].as_u64().unwrap()).sum()
    };
    assert_eq!(["training", "sampling_prefill", "sampling_sample"].map(count), [12, 3, 2]);
    assert_eq!(all[0]["base_model"], "m");
    assert!(of(0, 3600).is_empty());
    drop(open);
}
