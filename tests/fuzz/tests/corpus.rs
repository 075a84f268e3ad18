//! Every input of the corpus, without a finding.

#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use tinsmith_fuzz::{corpus, one};

#[test]
fn the_corpus_gives_no_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus.hex");
    let inputs = corpus::read(&path).unwrap();
    assert!(inputs.len() > 100, "a corpus of {} inputs", inputs.len());
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = || one(input);
                    if let Err(panic) = std::panic::catch_unwind(run) {
                        // The input is what a person needs to look at it.
                        eprintln!("input: {}", tinsmith::text::hex(input));
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    });
}

/// Inputs that are short, or nothing at all, mean something too.
#[test]
fn every_short_input_means_something() {
    one(b"");
    (0..=255).step_by(5).for_each(|byte| one(&[byte, byte, byte, byte]));
}
