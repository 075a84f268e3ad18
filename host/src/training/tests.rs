//! The loop against a fake trainer: the order of operations, and what remains after each failure.

use super::{
    Ended, LossPath, Recorder, Session, Silent, StepDone, Stop, Watch, adapter_spec,
    count_computed,
    fake::{Failing, Fake, Squares},
    rewind, train, train_with_recovery,
};
use crate::{
    Result,
    config::Config,
    data::{Spool, fake::spool},
    plan::Plan,
    runs::{RunFolder, RunRecord, SCHEMA, read_metrics},
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tinsmith_plugin_api::{ErrorKind, LossHandle as _};

/// A run of ten steps over ten examples, one a batch, with a checkpoint every three.
struct Bench {
    config: Config,
    train: Spool,
    eval: Spool,
    /// Where the examples lie.
    _data: [tempfile::TempDir; 2],
    fake: Fake,
    stop: Stop,
    recover: bool,
    /// Whether the trainer knows the loss; else it is evaluated here.
    known: bool,
    output: tempfile::TempDir,
}

impl Bench {
    fn new(more: &Value) -> Self {
        let mut config = json!({
            "model": {"base_model": "m"}, "datasets": [{"path": "d.jsonl"}],
            "training": {"batch_size": 1, "submit_ahead": 1},
            "checkpoint": {"every_steps": 3},
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        let (train_dir, train) = spool(vec![vec![0.0, 1.0, 1.0]; 10]);
        let (eval_dir, eval) = spool([]);
        Self {
            config: serde_json::from_value(config).unwrap(),
            train,
            eval,
            _data: [train_dir, eval_dir],
            fake: Fake::new(true),
            stop: Stop::default(),
            recover: false,
            known: true,
            output: tempfile::tempdir().unwrap(),
        }
    }

    /// Trains from the beginning, or goes on with `record`.
    fn attempt(&self, record: Option<RunRecord>, watch: &dyn Watch) -> (Result<Ended>, RunRecord) {
        let plan = Plan::new(&self.config, &self.train, &self.eval, &["weights".into()]).unwrap();
        let name = &self.config.training.loss.name;
        let loss =
            LossPath::choose(name, Squares::new(self.known), "fake", &self.fake.can).unwrap();
        let adapter = adapter_spec(&self.config);
        let (folder, mut record) = match record {
            Some(record) => (RunFolder::find(self.output.path(), "latest").unwrap(), record),
            None => {
                let folder = RunFolder::create(self.output.path()).unwrap();
                let record = RunRecord {
                    schema: SCHEMA,
                    id: folder.id().into(),
                    base_model: "m".into(),
                    ..RunRecord::default()
                };
                (folder, record)
            }
        };
        let computed = count_computed(&folder, &mut record.progress).unwrap();
        let start = rewind(&mut record, &self.fake, adapter.clone(), watch).unwrap();
        let mut recorder = Recorder::new(folder, record, computed);
        let session = Session {
            trainer: &self.fake,
            plan: &plan,
            train: &self.train,
            eval: &self.eval,
            loss: &loss,
            base: "m",
            adapter,
            in_flight: self.config.training.submit_ahead + 1,
            eval_batch: 4,
            config: &self.config,
            stop: &self.stop,
            retry_after: Duration::ZERO,
            watch,
        };
        let ended = match self.recover {
            true => train_with_recovery(&session, &mut recorder, start),
            false => train(&session, &mut recorder, start),
        };
        (ended, recorder.record)
    }

    fn weights_of(&self, record: &RunRecord, name: &str) -> u64 {
        let entry = record.live_checkpoints().find(|c| c.name == name).unwrap();
        self.fake.state.lock().unwrap().saved[&entry.uri]
    }

    fn folder(&self) -> RunFolder {
        RunFolder::find(self.output.path(), "latest").unwrap()
    }
}

fn uninterrupted() -> u64 {
    let bench = Bench::new(&json!({}));
    let (ended, record) = bench.attempt(None, &Silent);
    assert_eq!(ended.unwrap(), Ended::Completed);
    bench.weights_of(&record, "final")
}

#[test]
fn a_save_stands_right_behind_the_optimizer_step_of_its_batch() {
    let bench = Bench::new(&json!({}));
    let (ended, record) = bench.attempt(None, &Silent);
    assert_eq!(ended.unwrap(), Ended::Completed);
    let mut expected = vec!["open base".to_owned()];
    for step in 1..=10 {
        expected.extend(["fb 1".to_owned(), "optim".to_owned()]);
        match step {
            3 | 6 | 9 => expected.push(format!("save {step:06}")),
            10 => expected.push("save final".into()),
            _ => {}
        }
    }
    expected.push("close success".into());
    assert_eq!(bench.fake.log(), expected);
    let steps: Vec<u64> = record.checkpoints.iter().map(|c| c.step).collect();
    assert_eq!(steps, [3, 6, 9, 10]);
    assert!(record.planned_saves.is_empty());
    assert_eq!((record.progress.step, record.progress.tokens), (10, 20));
    let lines = read_metrics(&bench.folder().metrics()).unwrap();
    assert_eq!(lines.iter().map(|l| l.step).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert_eq!(lines[0].figures["grad_norm"], 1.0);
    assert_eq!(lines[0].figures["trainer:step"], 9.0);
    assert!(!lines[0].figures.contains_key("bad"), "JSON has no NaN");
}

#[test]
fn submit_ahead_does_not_change_the_result() {
    let expected = uninterrupted();
    for ahead in [0, 1, 3, 7] {
        let training = json!({"batch_size": 1, "submit_ahead": ahead});
        let bench = Bench::new(&json!({"training": training}));
        let (ended, record) = bench.attempt(None, &Silent);
        assert_eq!(ended.unwrap(), Ended::Completed);
        assert_eq!(bench.weights_of(&record, "final"), expected, "submit_ahead {ahead}");
    }
}

#[test]
fn after_a_failure_at_any_operation_a_resumed_run_ends_the_same() {
    let expected = uninterrupted();
    let kinds = [
        Failing::With(ErrorKind::REJECTED),
        Failing::With(ErrorKind::IO),
        Failing::With(ErrorKind::NETWORK),
        Failing::Dropped,
    ];
    // 10 steps of two operations and 4 saves.
    for op in 0..24 {
        let how = kinds[op % kinds.len()];
        let bench = Bench::new(&json!({}));
        bench.fake.state.lock().unwrap().fail_in = Some((op, how));
        let (ended, record) = bench.attempt(None, &Silent);
        ended.unwrap_err();
        // Nothing counts that was queued behind the failure: the recorded checkpoints are those
        // whose operations all lie before operation `op`.
        let before = |step: u64| step * 2 + step / 3 + u64::from(step == 10) <= op as u64;
        let counted: Vec<u64> = record.checkpoints.iter().map(|c| c.step).collect();
        let right: Vec<u64> = [3, 6, 9, 10].into_iter().filter(|s| before(*s)).collect();
        assert_eq!(counted, right, "operation {op}, {how:?}");
        assert_eq!(bench.fake.log().last().unwrap(), "close failed");

        let (ended, record) = bench.attempt(Some(record), &Silent);
        assert_eq!(ended.unwrap(), Ended::Completed);
        assert_eq!(bench.weights_of(&record, "final"), expected, "operation {op}, {how:?}");
        // Saves that were executed behind the failure are gone.
        let live = record.live_checkpoints().count();
        assert_eq!(bench.fake.state.lock().unwrap().saved.len(), live);
        assert_eq!((record.progress.step, record.progress.tokens), (10, 20));
        assert_eq!(record.attempts.len(), 2);
    }
}

#[test]
fn keep_last_keeps_the_newest_and_the_final_one() {
    let bench = Bench::new(&json!({"checkpoint": {"every_steps": 2, "keep_last": 2}}));
    let (ended, record) = bench.attempt(None, &Silent);
    ended.unwrap();
    let live: Vec<&str> = record.live_checkpoints().map(|c| c.name.as_str()).collect();
    assert_eq!(live, ["000006", "000008", "final"]);
    assert_eq!(bench.fake.state.lock().unwrap().saved.len(), 3);
}

/// Asks to stop when a step is done.
struct StopAt(Stop, u64);

impl Watch for StopAt {
    fn step(&self, done: &StepDone) {
        if done.step == self.1 {
            self.0.ask();
        }
    }
    fn evaluated(&self, _: u64, _: f64) {}
    fn checkpoint(&self, _: &str) {}
    fn waiting(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}

#[test]
fn an_interrupted_run_has_a_checkpoint_and_ends_the_same() {
    let expected = uninterrupted();
    for at in 1..=10 {
        let mut bench = Bench::new(&json!({}));
        let (ended, record) = bench.attempt(None, &StopAt(bench.stop.clone(), at));
        let ended = ended.unwrap();
        let done = record.progress.step;
        if done < 10 {
            assert_eq!(ended, Ended::Interrupted);
        }
        assert_eq!(record.live_checkpoints().last().unwrap().step, done);
        bench.stop = Stop::default();
        let (ended, record) = bench.attempt(Some(record), &Silent);
        assert_eq!(ended.unwrap(), Ended::Completed);
        assert_eq!(bench.weights_of(&record, "final"), expected, "stopped after {at}");
        assert_eq!(record.progress.repeated_steps, 0);
    }
}

#[test]
fn a_limit_stops_before_it_is_exceeded() {
    let bench = Bench::new(&json!({"limits": {"max_tokens": 9}}));
    let (ended, record) = bench.attempt(None, &Silent);
    assert!(matches!(ended.unwrap(), Ended::Limit(why) if why.contains("max_tokens")));
    assert_eq!((record.progress.step, record.progress.tokens), (4, 8));
    assert_eq!(record.live_checkpoints().last().unwrap().step, 4);
}

#[test]
fn repeated_steps_are_counted() {
    let bench = Bench::new(&json!({}));
    // Operation 17 is the optimizer step of step 8: steps 7 is done and not saved.
    bench.fake.state.lock().unwrap().fail_in = Some((17, Failing::With(ErrorKind::NETWORK)));
    let (_, record) = bench.attempt(None, &Silent);
    assert_eq!(record.progress.step, 7);
    let (_, record) = bench.attempt(Some(record), &Silent);
    assert_eq!((record.progress.repeated_steps, record.progress.repeated_tokens), (1, 2));
    assert_eq!(record.attempts[1].from_checkpoint.as_deref(), Some("000006"));
}

#[test]
fn held_out_data_is_evaluated_before_after_and_between() {
    let mut bench = Bench::new(&json!({"eval": {"every_steps": 4}}));
    let (dir, eval) = spool(vec![vec![0.0, 1.0, 1.0]; 6]);
    (bench._data[1], bench.eval) = (dir, eval);
    let (_, record) = bench.attempt(None, &Silent);
    let log = bench.fake.log();
    // 6 examples, 4 a batch: two forward passes an evaluation; before, at 4, at 8, after.
    assert_eq!(log.iter().filter(|op| *op == "forward").count(), 8);
    assert_eq!(&log[..3], ["open base", "forward", "forward"]);
    assert!(record.evaluations.before.unwrap().nll.is_some());
    assert!(record.evaluations.after.unwrap().nll.is_some());
}

#[test]
fn the_path_of_a_loss_is_chosen_by_what_the_trainer_can() {
    let mut can = Fake::new(false).can;
    let choose = |known, can: &_| LossPath::choose("squares", Squares::new(known), "t", can);
    assert_eq!(choose(true, &can).unwrap().describe(), "native");
    assert_eq!(choose(false, &can).unwrap().describe(), "forward and weighted backward");
    can.divides_by_mask = true;
    assert!(choose(false, &can).unwrap_err().message.contains("mask"));
    can.calls_loss = true;
    assert_eq!(choose(false, &can).unwrap().describe(), "callback");
    assert!(Squares::new(false).remote().unwrap().is_some());
}

#[test]
fn a_loss_evaluated_here_becomes_weights() {
    let bench = Bench::new(&json!({}));
    let plan = Plan::new(&bench.config, &bench.train, &bench.eval, &["weights".into()]).unwrap();
    let step = plan.batch(&bench.train, 0).unwrap();
    let forward =
        tinsmith_plugin_api::Forward { logprobs: vec![-1.0, -3.0], metrics: Default::default() };
    let (value, batch) = super::weighted(&*Squares::new(false), &step, &forward).unwrap();
    // Weights are 1/2 each. −½(1 + 9) = −5; d/dlogprob = −2 · ½ · logprob = 1 and 3; negated.
    assert_eq!(value.sum, -5.0);
    assert_eq!(batch.f32("weights").unwrap(), [-1.0, -3.0]);
}

#[test]
fn a_run_whose_loss_is_evaluated_here_survives_a_failure_at_any_operation() {
    let bench = || Bench { known: false, ..Bench::new(&json!({})) };
    let whole = bench();
    let (ended, record) = whole.attempt(None, &Silent);
    assert_eq!(ended.unwrap(), Ended::Completed);
    let log = whole.fake.log();
    assert_eq!(&log[..4], ["open base", "forward", "fb 1", "optim"]);
    // 10 steps of three operations, 4 saves, opening and closing.
    assert_eq!(log.len(), 36);
    let expected = whole.weights_of(&record, "final");
    let lines = read_metrics(&whole.folder().metrics()).unwrap();
    assert!(lines.iter().all(|line| line.figures["loss:sum"] < 0.0));
    for op in 0..34 {
        let how = [Failing::With(ErrorKind::IO), Failing::Dropped][op % 2];
        let bench = bench();
        bench.fake.state.lock().unwrap().fail_in = Some((op, how));
        let (ended, record) = bench.attempt(None, &Silent);
        let e = ended.unwrap_err().to_string();
        // The operation that failed is named, not one that was queued behind it.
        let failed = bench.fake.log()[op + 1].clone();
        let named = match failed.split(' ').next().unwrap() {
            "fb" => "forward_backward",
            "optim" => "optim_step",
            "save" => "save the checkpoint",
            other => other,
        };
        assert!(e.contains(named), "operation {op}, {failed}: {e}");
        let (ended, record) = bench.attempt(Some(record), &Silent);
        assert_eq!(ended.unwrap(), Ended::Completed);
        assert_eq!(bench.weights_of(&record, "final"), expected, "operation {op}, {how:?}");
    }
}

#[test]
fn every_repetition_is_counted_also_where_a_killed_process_left_only_its_journal() {
    let fail = |bench: &Bench, op: usize| {
        bench.fake.state.lock().unwrap().fail_in = Some((op, Failing::With(ErrorKind::IO)));
    };
    let bench = Bench::new(&json!({"checkpoint": {"every_steps": null}}));
    // The optimizer step of step 8, then that of step 6, both without a checkpoint: 7, 5 and 10 steps.
    fail(&bench, 15);
    let (_, first) = bench.attempt(None, &Silent);
    fail(&bench, 11);
    let (_, second) = bench.attempt(Some(first.clone()), &Silent);
    assert_eq!((second.progress.repeated_steps, second.progress.computed_tokens), (5, 24));
    // The record as a killed process leaves it: it knows nothing of the second attempt's steps.
    let stale = RunRecord { attempts: second.attempts, ..first };
    let (ended, record) = bench.attempt(Some(stale), &Silent);
    assert_eq!(ended.unwrap(), Ended::Completed);
    assert_eq!((record.progress.repeated_steps, record.progress.repeated_tokens), (12, 24));
    assert_eq!((record.progress.tokens, record.progress.computed_tokens), (20, 44));
}

#[test]
fn tokens_that_were_computed_and_lost_count_for_the_limit() {
    let bench = Bench::new(&json!({
        "checkpoint": {"every_steps": null}, "limits": {"max_tokens": 20},
    }));
    bench.fake.state.lock().unwrap().fail_in = Some((15, Failing::With(ErrorKind::IO)));
    let (_, record) = bench.attempt(None, &Silent);
    assert_eq!(record.progress.step, 7);
    // 14 tokens are spent and lost: 6 remain, which is three steps.
    let (ended, record) = bench.attempt(Some(record), &Silent);
    assert!(matches!(ended.unwrap(), Ended::Limit(_)));
    assert_eq!(record.progress.step, 3);
}

#[test]
fn an_unwritable_record_stops_the_run_before_its_first_operation() {
    let bench = Bench::new(&json!({}));
    let folder = RunFolder::create(bench.output.path()).unwrap();
    let record = RunRecord { schema: SCHEMA, id: folder.id().into(), ..RunRecord::default() };
    // A folder where the record should be: no rename can replace it.
    std::fs::create_dir_all(Path::new(&folder.record()).join("x")).unwrap();
    let mut recorder = Recorder::new(folder, record, 0);
    assert!(recorder.opened("r", None).is_err());
}

#[test]
fn a_lost_answer_begins_again_by_itself_and_a_refusal_does_not() {
    let expected = uninterrupted();
    for op in [0, 7, 14, 23] {
        let mut bench = Bench::new(&json!({}));
        bench.recover = true;
        bench.fake.state.lock().unwrap().fail_in = Some((op, Failing::Dropped));
        let (ended, record) = bench.attempt(None, &Silent);
        assert_eq!(ended.unwrap(), Ended::Completed);
        assert_eq!(bench.weights_of(&record, "final"), expected, "lost operation {op}");
        assert_eq!(record.attempts.len(), 2);
        assert!(record.attempts[0].ended.is_some());
    }
    let mut bench = Bench::new(&json!({}));
    bench.recover = true;
    bench.fake.state.lock().unwrap().fail_always = true;
    let (ended, record) = bench.attempt(None, &Silent);
    assert_eq!(ended.unwrap_err().plugin_kind, Some(ErrorKind::LOST));
    assert_eq!(record.attempts.len(), 4, "three new beginnings, then it is told");
    let mut bench = Bench::new(&json!({}));
    bench.recover = true;
    bench.fake.state.lock().unwrap().fail_in = Some((7, Failing::With(ErrorKind::REJECTED)));
    let (ended, record) = bench.attempt(None, &Silent);
    assert!(ended.unwrap_err().to_string().contains("step 4: "));
    assert_eq!(record.attempts.len(), 1);
}
