//! The order of a model's operations: by their numbers, whatever order they arrive in.
//!
//! A number that comes early waits until those before it have come. One that was refused counts as
//! come: its client goes on with the next. One that comes again changes nothing.

use std::collections::BTreeMap;

/// How far ahead of the next number one may be: what waits takes memory.
const FARTHEST: i64 = 10_000;

/// What waits, and which number is next.
#[derive(Debug)]
pub struct Order<T> {
    next: i64,
    /// None: refused.
    held: BTreeMap<i64, Option<T>>,
}

/// What became of a number.
#[derive(Debug, PartialEq, Eq)]
pub enum Placed<T> {
    /// New. These may run now, in this order: none while it waits.
    New(Vec<T>),
    /// It had come before.
    Again,
    /// No client gives such a number.
    Wrong(&'static str),
}

impl<T> Order<T> {
    /// An order whose first number is `next`.
    pub fn new(next: i64) -> Self {
        Self { next, held: BTreeMap::new() }
    }

    /// The number that is waited for.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// The highest number that has come.
    pub fn last(&self) -> i64 {
        self.held.keys().next_back().map_or(self.next - 1, |last| *last)
    }

    /// Takes an operation, or notes that the one of that number was refused. `op` is asked for only if
    /// the number is new.
    pub fn place(&mut self, seq: i64, op: impl FnOnce() -> Option<T>) -> Placed<T> {
        if seq < 1 {
            return Placed::Wrong("the first `seq_id` of a model is 1");
        }
        if seq < self.next || self.held.contains_key(&seq) {
            return Placed::Again;
        }
        if seq - self.next > FARTHEST {
            return Placed::Wrong("`seq_id` is far ahead of the last one that came");
        }
        self.held.insert(seq, op());
        let mut ready = Vec::new();
        while let Some(op) = self.held.remove(&self.next) {
            self.next += 1;
            ready.extend(op);
        }
        Placed::New(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn early_ones_wait_and_refused_ones_are_passed_over() {
        let mut order = Order::new(1);
        assert_eq!(order.place(2, || Some("b")), Placed::New(vec![]));
        assert_eq!(order.place(3, || None), Placed::New(vec![]));
        assert_eq!(order.place(4, || Some("d")), Placed::New(vec![]));
        assert_eq!(order.place(2, || Some("other")), Placed::Again);
        assert_eq!(order.place(1, || Some("a")), Placed::New(vec!["a", "b", "d"]));
        assert_eq!(order.place(1, || Some("a")), Placed::Again);
        assert_eq!(order.next(), 5);
        assert!(matches!(order.place(0, || Some("x")), Placed::Wrong(_)));
        assert!(matches!(order.place(i64::MAX, || Some("x")), Placed::Wrong(_)));
    }

    proptest! {
        /// Whatever the order of arrival and however often each comes, all run once and in order.
        #[test]
        fn every_number_runs_once_and_in_order(
            arrivals in Just((1..40_i64).chain(1..40).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let mut order = Order::new(1);
            let mut ran = Vec::new();
            for seq in arrivals {
                if let Placed::New(ready) = order.place(seq, || Some(seq)) {
                    ran.extend(ready);
                }
            }
            prop_assert_eq!(ran, (1..40).collect::<Vec<_>>());
        }
    }
}
