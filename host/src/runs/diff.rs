/*!
What differs between two recorded runs: what was asked for, what it was asked of, and what came of it.

Settings are listed where they differ, outcomes always: that two losses are equal is worth knowing.
*/

use super::{Measured, MetricsLine, RunRecord};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The loss of a step, as metrics call it.
const LOSS: &str = "nll";

/// What differs between two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Their ids.
    pub runs: [String; 2],
    /// Trainer, base model, seed of the adapter, the folder that paths begin at, and what computed: a local
    /// run has the same bytes on the same kind of processor only.
    pub setup: Vec<Setting>,
    /// Keys of the configs, with every default: `a.b.c`, `a[0].b`.
    pub config: Vec<Setting>,
    /// What the runs were made of, by sha256 where it is bytes.
    pub fingerprints: Vec<Setting>,
    /// What became of the rows, and what was planned.
    pub plan: Vec<Setting>,
    /// What came of them, equal or not.
    pub outcome: Vec<Figure>,
    /// The losses step by step.
    pub losses: Losses,
    /// Evaluations on held-out data at the same steps.
    pub evaluations: Vec<Pair>,
}

/// A setting that differs. Null: the run has none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Of the first run.
    pub a: Value,
    /// Of the second run.
    pub b: Value,
}

/// A figure of both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its name.
    pub key: &'static str,
    /// Of the first run; null where there is none.
    pub a: Value,
    /// Of the second run.
    pub b: Value,
    /// `b − a`, of numbers.
    pub difference: Option<f64>,
}

/// A loss of both runs at the same step, in nats a trained token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Optimizer steps done.
    pub step: u64,
    /// Of the first run.
    pub a: f64,
    /// Of the second run.
    pub b: f64,
    /// `b − a`.
    pub difference: f64,
}

/// The losses at the steps at which both runs have one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Losses {
    /// The first step at which they are not the same number.
    pub apart_from: Option<u64>,
    /// The step at which they are furthest apart.
    pub furthest: Option<Pair>,
    /// All of them, in order.
    pub steps: Vec<Pair>,
}

impl Diff {
    /// Compares two runs by their records and metrics.
    #[must_use]
    pub fn of(a: (&RunRecord, &[MetricsLine]), b: (&RunRecord, &[MetricsLine])) -> Self {
        let ((a, of_a), (b, of_b)) = (a, b);
        let setup = |r: &RunRecord| {
            json!({"trainer": r.trainer, "base_model": r.base_model, "lora_seed": r.lora_seed,
                "base_dir": r.base_dir, "tinsmith": r.machine.tinsmith, "cpu": r.machine.cpu})
        };
        let plan = |r: &RunRecord| json!({"plan": r.plan, "data": r.data});
        Self {
            runs: [a.id.clone(), b.id.clone()],
            setup: settings(&setup(a), &setup(b)),
            config: settings(&a.config, &b.config),
            fingerprints: settings(&json!(a.fingerprints), &json!(b.fingerprints)),
            plan: settings(&plan(a), &plan(b)),
            outcome: outcome(a).into_iter().zip(outcome(b)).map(figure).collect(),
            losses: Losses::of(pairs(of_a, of_b, Measured::Step)),
            evaluations: pairs(of_a, of_b, Measured::Eval),
        }
    }

    /// Whether the runs were asked for the same.
    #[must_use]
    pub fn same_settings(&self) -> bool {
        [&self.setup, &self.config, &self.fingerprints, &self.plan]
            .iter()
            .all(|part| part.is_empty())
    }
}

impl Losses {
    fn of(steps: Vec<Pair>) -> Self {
        let apart_from = steps.iter().find(|pair| pair.a != pair.b).map(|pair| pair.step);
        let distance = |pair: &Pair| pair.difference.abs();
        // The earliest of those that are equally far.
        let furthest = steps.iter().rev().max_by(|x, y| distance(x).total_cmp(&distance(y)));
        Self { apart_from, furthest: furthest.filter(|pair| pair.a != pair.b).copied(), steps }
    }
}

/// What is told of a run's end, in order.
fn outcome(record: &RunRecord) -> Vec<(&'static str, Value)> {
    let (progress, evaluations) = (&record.progress, &record.evaluations);
    let nll =
        |evaluation: &Option<super::Evaluation>| json!(evaluation.as_ref().and_then(|e| e.nll));
    let after = evaluations.after.as_ref();
    vec![
        ("status", json!(record.status)),
        ("steps", json!(progress.step)),
        ("tokens", json!(progress.tokens)),
        ("trained_tokens", json!(progress.trained_tokens)),
        ("repeated_steps", json!(progress.repeated_steps)),
        ("seconds", json!(progress.seconds)),
        ("usd", json!(progress.usd)),
        ("last_loss", json!(record.last.get(LOSS))),
        ("held_out_loss_before", nll(&evaluations.before)),
        ("held_out_loss_after", nll(&evaluations.after)),
        ("answers_in_form", json!(after.and_then(|e| e.form))),
        ("facts_recalled", json!(after.and_then(|e| e.recall))),
    ]
}

fn figure(((key, a), (_, b)): ((&'static str, Value), (&'static str, Value))) -> Figure {
    let difference = a.as_f64().zip(b.as_f64()).map(|(a, b)| b - a);
    Figure { key, a, b, difference }
}

/// The losses at the steps at which both have one.
fn pairs(a: &[MetricsLine], b: &[MetricsLine], kind: Measured) -> Vec<Pair> {
    let losses = |lines: &[MetricsLine]| -> BTreeMap<u64, f64> {
        let of_kind = lines.iter().filter(|line| line.kind == kind);
        of_kind.filter_map(|line| Some((line.step, *line.figures.get(LOSS)?))).collect()
    };
    let b = losses(b);
    let both = losses(a).into_iter().filter_map(|(step, a)| Some((step, a, *b.get(&step)?)));
    both.map(|(step, a, b)| Pair { step, a, b, difference: b - a }).collect()
}

/// The leaves of two trees that differ, by their paths.
fn settings(a: &Value, b: &Value) -> Vec<Setting> {
    let (a, b) = (leaves(a), leaves(b));
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let value =
        |of: &BTreeMap<String, Value>, key: &String| of.get(key).cloned().unwrap_or_default();
    let all = keys.into_iter().map(|key| Setting {
        key: key.clone(),
        a: value(&a, key),
        b: value(&b, key),
    });
    all.filter(|setting| setting.a != setting.b).collect()
}

fn leaves(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect(value, String::new(), &mut found);
    found
}

/// Objects and lists are walked through; an empty one is a value.
fn collect(value: &Value, path: String, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(member, path, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                collect(item, format!("{path}[{i}]"), found);
            }
        }
        leaf => {
            found.insert(path, leaf.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, a: Value, b: Value) -> Setting {
        Setting { key: key.into(), a, b }
    }

    #[test]
    fn leaves_that_differ_are_named_by_their_paths() {
        let a = json!({"x": {"y": 1, "same": [1, 2]}, "l": [{"p": "a"}, {"p": "b"}], "only": true,
            "none": null, "e": {}});
        let b = json!({"x": {"y": 2, "same": [1, 2]}, "l": [{"p": "c"}], "e": {"k": 1}});
        assert_eq!(
            settings(&a, &b),
            [
                setting("e", json!({}), json!(null)),
                setting("e.k", json!(null), json!(1)),
                setting("l[0].p", json!("a"), json!("c")),
                setting("l[1].p", json!("b"), json!(null)),
                setting("only", json!(true), json!(null)),
                setting("x.y", json!(1), json!(2)),
            ]
        );
        assert!(settings(&a, &a).is_empty());
    }

    fn line(kind: Measured, step: u64, nll: f64) -> MetricsLine {
        let figures = BTreeMap::from([(LOSS.to_owned(), nll)]);
        MetricsLine { attempt: 1, step, kind, time: String::new(), figures }
    }

    #[test]
    fn losses_are_compared_at_the_steps_that_both_have() {
        use Measured::{Eval, Step};
        let a = [(1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0)].map(|(s, l)| line(Step, s, l));
        let b = [line(Step, 1, 4.0), line(Step, 2, 2.5), line(Eval, 3, 9.0), line(Step, 4, 1.5)];
        let (r, s) = (RunRecord::default(), RunRecord::default());
        let diff = Diff::of((&r, &a), (&s, &b));
        let pair = |step, a, b| Pair { step, a, b, difference: b - a };
        assert_eq!(diff.losses.steps, [pair(1, 4.0, 4.0), pair(2, 3.0, 2.5), pair(4, 1.0, 1.5)]);
        assert_eq!(diff.losses.apart_from, Some(2));
        assert_eq!(diff.losses.furthest, Some(pair(2, 3.0, 2.5)), "the first of two");
        assert!(diff.evaluations.is_empty(), "no step has one of both");
        let same = Diff::of((&r, &a), (&s, &a));
        assert_eq!((same.losses.apart_from, same.losses.furthest), (None, None));
        assert!(same.same_settings());
    }

    #[test]
    fn what_came_of_them_is_told_although_it_is_equal() {
        let mut a = RunRecord { trainer: "local".into(), ..RunRecord::default() };
        let mut b = RunRecord { trainer: "tinker".into(), ..RunRecord::default() };
        (a.progress.step, b.progress.step) = (4, 4);
        b.progress.usd = Some(0.25);
        a.last.insert(LOSS.into(), 2.0);
        b.last.insert(LOSS.into(), 1.5);
        a.fingerprints.plugins.insert("chat".into(), "1".into());
        b.fingerprints.plugins.insert("chat".into(), "2".into());
        b.plan.steps = 4;
        let diff = Diff::of((&a, &[]), (&b, &[]));
        let figure = |key| diff.outcome.iter().find(|f| f.key == key).unwrap();
        assert_eq!(figure("steps").difference, Some(0.0));
        assert_eq!((&figure("usd").a, &figure("usd").b), (&json!(null), &json!(0.25)));
        assert_eq!(figure("usd").difference, None);
        assert_eq!(figure("last_loss").difference, Some(-0.5));
        assert_eq!(diff.setup, [setting("trainer", json!("local"), json!("tinker"))]);
        assert_eq!(diff.fingerprints, [setting("plugins.chat", json!("1"), json!("2"))]);
        assert_eq!(diff.plan, [setting("plan.steps", json!(0), json!(4))]);
        assert!(!diff.same_settings());
    }
}
