//! Steps: how many, how far, how fast.

use super::{Fault, fault, rules};
use crate::config::{Config, Curve};

pub fn training(config: &Config) -> Fault {
    let training = &config.training;
    let whole = "a step trains at least one example";
    let found = rules(&[
        (
            "training.batch_size",
            f64::from(training.batch_size),
            training.batch_size > 0,
            "at least 1",
            whole,
        ),
        (
            "training.epochs",
            f64::from(training.epochs),
            training.epochs > 0,
            "at least 1",
            "use `max_steps` to stop earlier",
        ),
    ]);
    if found.is_some() {
        return found;
    }
    if training.max_steps == Some(0) {
        let hint = "`tinsmith train CONFIG --dry-run` plans without training";
        return fault("training.max_steps", "must be at least 1, not 0", hint);
    }
    None
}

pub fn optimizer(config: &Config) -> Fault {
    let o = &config.optimizer;
    let unit = |x: f64| (0.0..1.0).contains(&x);
    let least = |x: f64| x >= 0.0 && x.is_finite();
    rules(&[
        (
            "optimizer.learning_rate",
            o.learning_rate,
            o.learning_rate > 0.0 && o.learning_rate.is_finite(),
            "above 0",
            "common rates are 1e-5 to 1e-3",
        ),
        ("optimizer.beta1", o.beta1, unit(o.beta1), "from 0 to below 1", "0.9 is common"),
        (
            "optimizer.beta2",
            o.beta2,
            unit(o.beta2),
            "from 0 to below 1",
            "0.95 to 0.999 are common",
        ),
        ("optimizer.eps", o.eps, o.eps > 0.0 && o.eps.is_finite(), "above 0", "1e-8 is common"),
        (
            "optimizer.weight_decay",
            o.weight_decay,
            least(o.weight_decay),
            "at least 0",
            "0 turns it off",
        ),
        (
            "optimizer.grad_clip_norm",
            o.grad_clip_norm,
            least(o.grad_clip_norm),
            "at least 0",
            "0 turns it off",
        ),
    ])
}

pub fn schedule(config: &Config) -> Fault {
    let s = &config.schedule;
    let found = rules(&[
        (
            "schedule.warmup_ratio",
            s.warmup_ratio,
            (0.0..1.0).contains(&s.warmup_ratio),
            "from 0 to below 1",
            "0.03 warms up for 3 % of the steps; for a number of steps use `warmup_steps`",
        ),
        (
            "schedule.min_lr_ratio",
            s.min_lr_ratio,
            (0.0..=1.0).contains(&s.min_lr_ratio),
            "from 0 to 1",
            "0.1 ends at a tenth of the learning rate",
        ),
        (
            "schedule.decay_ratio",
            s.decay_ratio,
            s.decay_ratio > 0.0 && s.decay_ratio <= 1.0,
            "above 0 and at most 1",
            "0.2 falls during the last fifth of the steps",
        ),
    ]);
    if found.is_some() {
        return found;
    }
    if s.warmup_steps > 0 && s.warmup_ratio > 0.0 {
        let message = "`warmup_steps` and `warmup_ratio` are both given";
        return fault("schedule.warmup_ratio", message, "keep one of the two");
    }
    if s.name == Curve::Wsd && s.warmup_ratio + s.decay_ratio > 1.0 {
        let message = format!(
            "warm-up ({}) and decay ({}) together are longer than the run",
            s.warmup_ratio, s.decay_ratio
        );
        return fault("schedule.decay_ratio", message, "their sum must be at most 1");
    }
    None
}
