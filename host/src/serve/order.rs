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

    /// Whether a number is new.
    ///
    /// # Errors
    /// Why no client gives it.
    pub fn is_new(&self, seq: i64) -> Result<bool, &'static str> {
        if seq < 1 {
            return Err("the first `seq_id` of a model is 1");
        }
        if seq < self.next || self.held.contains_key(&seq) {
            return Ok(false);
        }
        if seq - self.next > FARTHEST {
            return Err("`seq_id` is far ahead of the last one that came");
        }
        Ok(true)
    }

    /// Takes an operation whose number is new, or notes that the one of that number was refused. Answers
    /// those that may run now, in this order.
    pub fn place(&mut self, seq: i64, op: Option<T>) -> Vec<T> {
        self.held.insert(seq, op);
        let mut ready = Vec::new();
        while let Some(op) = self.held.remove(&self.next) {
            self.next += 1;
            ready.extend(op);
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn early_ones_wait_and_refused_ones_are_passed_over() {
        let mut order = Order::new(1);
        assert!(order.place(2, Some("b")).is_empty());
        assert!(order.place(3, None).is_empty());
        assert!(order.place(4, Some("d")).is_empty());
        assert_eq!((order.is_new(2), order.is_new(1), order.last()), (Ok(false), Ok(true), 4));
        assert_eq!(order.place(1, Some("a")), ["a", "b", "d"]);
        assert_eq!((order.is_new(1), order.next(), order.last()), (Ok(false), 5, 4));
        for wrong in [0, -4, i64::MIN, i64::MAX] {
            assert!(order.is_new(wrong).is_err(), "{wrong}");
        }
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
                if order.is_new(seq) == Ok(true) {
                    ran.extend(order.place(seq, Some(seq)));
                }
            }
            prop_assert_eq!(ran, (1..40).collect::<Vec<_>>());
        }
    }
}
