//! The learning rate of every step.

use crate::config::{Curve, Schedule};
use std::f64::consts::PI;

/// The learning rate as a function of the step.
///
/// With `s` counted from 0, `W` steps of warm-up and `T` steps in all: step `s < W` has the share
/// `(s + 1) / W` of the peak; after it, with `p = (s − W) / (T − W)`, the share is
/// `floor + (1 − floor) · shape(p)`, where `shape` is `1 − p` (linear), `(1 + cos πp) / 2` (cosine),
/// 1 (constant), or 1 until the last `decay_ratio` of all steps and then linear (wsd).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningRate {
    peak: f64,
    floor: f64,
    warmup: u64,
    total: u64,
    /// First step of the decay (wsd).
    decay_from: u64,
    shape: Curve,
}

impl LearningRate {
    /// The schedule of a run of `total` steps that peaks at `peak`. The config has checked that the
    /// settings fit together.
    #[must_use]
    pub fn new(schedule: &Schedule, peak: f64, total: u64) -> Self {
        let warmup = match schedule.warmup_steps {
            0 => (schedule.warmup_ratio * total as f64).round() as u64,
            steps => steps,
        };
        let decay_from = total - ((schedule.decay_ratio * total as f64).round() as u64).min(total);
        Self {
            peak,
            floor: schedule.min_lr_ratio,
            warmup,
            total,
            decay_from: decay_from.max(warmup),
            shape: schedule.name,
        }
    }

    /// The learning rate of step `step`, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let share = match self.shape {
            Curve::Constant => return self.peak,
            Curve::Linear => 1.0 - progress(self.warmup, step, self.total),
            Curve::Cosine => (1.0 + (PI * progress(self.warmup, step, self.total)).cos()) / 2.0,
            Curve::Wsd if step < self.decay_from => 1.0,
            Curve::Wsd => 1.0 - progress(self.decay_from, step, self.total),
        };
        self.peak * (self.floor + (1.0 - self.floor) * share)
    }

    /// Steps of warm-up.
    #[must_use]
    pub fn warmup(&self) -> u64 {
        self.warmup
    }
}

/// Share of the way from `from` to `to` that lies behind `step`, within 0 and 1.
fn progress(from: u64, step: u64, to: u64) -> f64 {
    if to <= from { 1.0 } else { ((step - from) as f64 / (to - from) as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(name: Curve) -> Schedule {
        Schedule { name, ..Schedule::default() }
    }

    #[test]
    fn the_shapes_are_the_cookbooks() {
        // tinker-cookbook: linear 1 − s/T, cosine (1 + cos(πs/T)) / 2, constant 1.
        let at = |name, step| LearningRate::new(&schedule(name), 2.0, 8).at(step);
        assert_eq!(at(Curve::Linear, 0), 2.0);
        assert_eq!(at(Curve::Linear, 6), 0.5);
        assert!((at(Curve::Cosine, 4) - 1.0).abs() < 1e-12);
        assert_eq!(at(Curve::Constant, 7), 2.0);
    }

    #[test]
    fn warmup_floor_and_decay_by_hand() {
        let s = Schedule {
            warmup_steps: 4,
            min_lr_ratio: 0.1,
            decay_ratio: 0.25,
            ..schedule(Curve::Wsd)
        };
        let lr = LearningRate::new(&s, 1.0, 16);
        let got: Vec<f64> = (0..16).map(|i| lr.at(i)).collect();
        assert_eq!(&got[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!(got[11], 1.0);
        assert_eq!(got[12], 1.0);
        assert!((got[14] - (0.1 + 0.9 * 0.5)).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn never_above_the_peak_nor_below_the_floor(
            name in prop::sample::select(vec![Curve::Linear, Curve::Cosine, Curve::Constant, Curve::Wsd]),
            total in 1_u64..500, warmup in 0_u64..600, floor in 0.0_f64..1.0, decay in 0.0_f64..1.0,
        ) {
            let s = Schedule { warmup_steps: warmup, min_lr_ratio: floor, decay_ratio: decay, ..schedule(name) };
            let lr = LearningRate::new(&s, 1e-3, total);
            let mut last = f64::INFINITY;
            for step in 0..total {
                let now = lr.at(step);
                prop_assert!(now > 0.0 || floor == 0.0);
                prop_assert!(now <= 1e-3 * (1.0 + 1e-12));
                if step >= warmup {
                    prop_assert!(now >= 1e-3 * floor * (1.0 - 1e-12));
                    prop_assert!(now <= last);
                    last = now;
                }
            }
        }
    }
}
