//! Runs through the real trait, across the boundary: training, losses, refusals, failures.

#![allow(clippy::unwrap_used)] // the lint's own exception covers test functions only

mod support;

use serde_json::json;
use std::sync::Arc;
use support::lab::{Lab, Session, adam, batch, lora, loss, nll, nll_of};
use tinsmith_plugin_api::{
    Adam, AdapterSpec, Batch, Column, ColumnData, Error, ErrorKind, Forward, Lora, LossRef,
    LossScope, LossValue, OpenRun, Outcome, ticket,
};
use tinsmith_test_support::tiny_model::TinyModel;

#[test]
fn an_adapter_learns_a_text_by_heart() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    let text = batch(&[24, 17], 1);
    let first = run.step(&text);
    for _ in 0..150 {
        run.step(&text);
    }
    let last = run.step(&text);
    assert!(last < first * 0.05, "from {first} to {last}");
    run.0.close(Outcome::Success).unwrap();
}

#[test]
fn full_parameter_training_learns_too() {
    let lab = Lab::new();
    let mut run = lab.open(AdapterSpec::Full);
    let text = batch(&[24, 17], 1);
    let first = run.step(&text);
    for _ in 0..60 {
        run.step(&text);
    }
    let last = run.step(&text);
    assert!(last < first * 0.05, "from {first} to {last}");
}

#[test]
fn a_fresh_adapter_changes_nothing_and_its_seed_decides_the_rest() {
    let lab = Lab::new();
    let text = batch(&[20], 2);
    let with_seed = |seed| {
        let AdapterSpec::Lora(plain) = lora() else { unreachable!() };
        lab.open(AdapterSpec::Lora(Lora { seed, ..plain }))
    };
    let mut runs = [with_seed(3), with_seed(3), with_seed(4)];
    let before = runs.each_mut().map(|run| run.forward(&text).unwrap().logprobs);
    assert_eq!(before[0], before[2], "B is zero at first");
    let after = runs.each_mut().map(|run| {
        run.step(&text);
        run.forward(&text).unwrap().logprobs
    });
    assert_eq!(after[0], after[1]);
    assert_ne!(after[0], after[2]);
    assert_ne!(after[0], before[0]);
}

#[test]
fn two_adapters_over_one_base_do_not_disturb_each_other() {
    let text = batch(&[24, 17], 1);
    let alone = {
        let lab = Lab::new();
        let mut run = lab.open(lora());
        (0..5).map(|_| run.step(&text)).collect::<Vec<_>>()
    };
    let lab = Lab::new();
    let (mut one, mut other) = (lab.open(lora()), lab.open(AdapterSpec::Full));
    let noise = batch(&[30], 9);
    let beside: Vec<f64> = (0..5)
        .map(|_| {
            other.step(&noise);
            one.step(&text)
        })
        .collect();
    assert_eq!(alone, beside);
}

#[test]
fn operations_may_be_submitted_ahead() {
    let lab = Lab::new();
    let text = batch(&[24, 17], 1);
    let waited: Vec<f64> = {
        let mut run = lab.open(lora());
        (0..6).map(|_| run.step(&text)).collect()
    };
    let Session(mut run) = lab.open(lora());
    let tickets: Vec<_> = (0..6)
        .map(|_| {
            let (done, forward) = ticket::<Forward>();
            run.forward_backward(Arc::clone(&text), nll(), done);
            let (done, step) = ticket();
            run.optim_step(adam(), done);
            (forward, step)
        })
        .collect();
    run.close(Outcome::Success).unwrap();
    let ahead: Vec<f64> = tickets
        .into_iter()
        .map(|(forward, step)| {
            step.wait().unwrap();
            forward.wait().unwrap().metrics["loss:sum"]
        })
        .collect();
    assert_eq!(waited, ahead);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let text = batch(&[400, 3, 500, 1, 300], 5);
    for adapter in [lora(), AdapterSpec::Full] {
        let blobs = [1, 2, 5].map(|threads| {
            let lab = Lab::with(&json!({}), threads);
            let mut run = lab.open(adapter.clone());
            for _ in 0..3 {
                run.step(&text);
            }
            let uri = run.save_state("end").uri;
            let name = if adapter == AdapterSpec::Full { "model" } else { "adapter_model" };
            lab.blob(&format!("{uri}/{name}.safetensors"))
        });
        assert_eq!(blobs[0], blobs[1]);
        assert_eq!(blobs[0], blobs[2]);
    }
}

/// Nothing strays to rayon's global pool, which has a thread for every core whatever the config says.
#[test]
fn a_trainer_computes_on_its_own_threads() {
    let lab = Lab::with(&json!({ "threads": 1 }), 4);
    let mut run = lab.open(lora());
    run.step(&batch(&[400, 300], 1));
    let saved = run.save_state("one");
    drop(run);
    lab.reopen(&saved).step(&batch(&[20], 1));
    lab.trainer.sampler(&lab.base()).unwrap();
    let global = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    assert!(global.is_ok(), "somebody has started the global pool");
}

/// A batch is longer than what goes through the model at once; however its gradient is gathered, and
/// over however many calls, it is the gradient of the whole.
#[test]
fn parts_of_a_batch_add_up() {
    let lengths = [400, 500, 300, 512, 100];
    let whole = batch(&lengths, 4);
    // The norm of the gathered gradient stands for the gradient: a step of size 0.
    let still = Adam { learning_rate: 0.0, grad_clip_norm: 0.0, ..adam() };
    let norm = |calls: &[(&Arc<Batch>, LossRef)]| {
        let mut run = Lab::new().open(lora());
        let mut sum = 0.0;
        for (batch, loss) in calls {
            sum += run.forward_backward(batch, loss).unwrap().metrics["loss:sum"];
        }
        (run.optim_step(still).unwrap()["grad_norm"], sum)
    };
    let close = |a: (f64, f64), b: (f64, f64)| {
        assert!((a.0 / b.0 - 1.0).abs() < 1e-5 && (a.1 / b.1 - 1.0).abs() < 1e-6, "{a:?} {b:?}");
    };
    let expected = norm(&[(&whole, nll())]);
    for scope in [LossScope::Group, LossScope::Batch] {
        close(norm(&[(&whole, nll_of(scope))]), expected);
    }
    let single: Vec<_> = (0..lengths.len()).map(|i| only(&whole, i)).collect();
    let calls: Vec<_> = single.iter().map(|batch| (batch, nll())).collect();
    close(norm(&calls), expected);
    let (twice, _) = norm(&[(&whole, nll()), (&whole, nll())]);
    assert!((twice / (2.0 * expected.0) - 1.0).abs() < 1e-6, "{twice} {expected:?}");
}

/// One datum of a batch, alone.
fn only(whole: &Batch, i: usize) -> Arc<Batch> {
    let range = whole.range(i);
    let weights = whole.f32("weights").unwrap()[range.clone()].to_vec();
    Arc::new(Batch {
        tokens: whole.tokens[range.clone()].to_vec(),
        targets: whole.targets[range.clone()].to_vec(),
        offsets: vec![0, range.len() as u64],
        groups: vec![0],
        columns: vec![Column { name: "weights".into(), data: ColumnData::F32(weights) }],
    })
}

#[test]
fn a_loss_of_the_batch_sees_all_of_it_at_once() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    let text = batch(&[12, 13, 14], 4);
    // Squared difference between the first and the last sequence's log-probability.
    let contrast = loss(LossScope::Batch, &[], |batch, grad| {
        assert_eq!(batch.offsets, [0, 12, 25, 39]);
        assert_eq!(batch.groups, [0, 1, 2]);
        let sum = |range: std::ops::Range<usize>| batch.logprobs[range].iter().sum::<f32>();
        let difference = sum(0..12) - sum(25..39);
        grad[..12].fill(2.0 * difference);
        grad[25..].fill(-2.0 * difference);
        let metrics = [("gap:mean".to_owned(), f64::from(difference.abs()))].into();
        Ok(LossValue { sum: f64::from(difference * difference), metrics })
    });
    let gap = |run: &mut Session| {
        let forward = run.forward_backward(&text, &contrast).unwrap();
        run.optim_step(adam()).unwrap();
        forward.metrics["gap:mean"]
    };
    let first = gap(&mut run);
    let last = (0..40).map(|_| gap(&mut run)).last().unwrap();
    assert!(last < first * 0.2, "from {first} to {last}");
}

#[test]
fn what_is_refused_changes_nothing() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    let text = batch(&[24, 17], 1);
    let expected = run.forward(&text).unwrap().logprobs;

    let mut refused = |change: fn(&mut Batch), loss: &LossRef| {
        let mut bad = (*text).clone();
        change(&mut bad);
        let e = run.forward_backward(&Arc::new(bad), loss).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::REJECTED, "{e}");
        e.to_string()
    };
    let e = refused(|b| b.tokens[3] = 320, &nll());
    assert!(e.contains("`tokens[3]` is 320") && e.contains("320 entries"), "{e}");
    let e = refused(|b| b.targets[40] = -1, &nll());
    assert!(e.contains("`targets[40]` is -1"), "{e}");
    refused(|b| b.offsets[1] = 50, &nll());
    refused(|b| b.groups.clear(), &nll());
    let e = refused(|b| b.columns.clear(), &nll());
    assert!(e.contains("`weights`"), "{e}");
    let e = refused(|_| {}, &LossRef { call: None, ..nll() });
    assert!(e.contains("`custom`"), "{e}");

    let e = run.forward_backward(&batch(&[513], 1), &nll()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::REJECTED);
    assert!(e.to_string().contains("513 tokens"), "{e}");
    let e = run.optim_step(adam()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::REJECTED, "nothing was gathered: {e}");
    run.forward_backward(&text, &nll()).unwrap();
    let e = run.optim_step(Adam { beta1: 1.0, ..adam() }).unwrap_err();
    assert_eq!((e.kind(), e.field()), (ErrorKind::REJECTED, Some("beta1")));
    // B starts at zero, and with it the gradient of A: 0 / (√0 + eps) must not be 0 / 0.
    for eps in [0.0, 1e-60] {
        let e = run.optim_step(Adam { eps, ..adam() }).unwrap_err();
        assert_eq!((e.kind(), e.field()), (ErrorKind::REJECTED, Some("eps")));
    }

    assert_eq!(run.forward(&text).unwrap().logprobs, expected);
    assert!(run.optim_step(adam()).is_ok(), "the gradient is still there");
}

#[test]
fn a_panic_in_a_loss_ends_the_run_with_an_error() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    let text = batch(&[24], 1);
    let broken = loss(LossScope::Token, &[], |_, _| panic!("a bug in the loss"));
    let e = run.forward_backward(&text, &broken).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::PANIC);
    assert!(e.to_string().contains("a bug in the loss"), "{e}");
    let e = run.forward_backward(&text, &nll()).unwrap_err();
    assert!(e.to_string().contains("earlier failure"), "{e}");
    assert!(e.hint().is_some());
    assert!(lab.open(lora()).forward(&text).is_ok(), "other runs go on");
}

#[test]
fn an_error_of_a_loss_comes_back_as_it_was() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    let broken =
        loss(LossScope::Token, &[], |_, _| Err(Error::data("no advantage").at("advantages")));
    let e = run.forward_backward(&batch(&[24], 1), &broken).unwrap_err();
    assert_eq!((e.kind(), e.field()), (ErrorKind::DATA, Some("advantages")));
    assert!(e.to_string().contains("step 1"), "{e}");
}

#[test]
fn what_is_not_finite_is_told_before_a_weight_changes() {
    let lab = Lab::new();
    let text = batch(&[24], 1);
    let infinite = |value: f64, slope: f32| {
        loss(LossScope::Token, &[], move |_, grad| {
            grad.fill(slope);
            Ok(LossValue { sum: value, ..LossValue::default() })
        })
    };
    let mut run = lab.open(lora());
    run.step(&text);
    let e = run.forward_backward(&text, &infinite(f64::NAN, 1.0)).unwrap_err();
    assert!(e.to_string().contains("step 2: the loss is NaN"), "{e}");
    assert!(e.hint().unwrap().contains("learning_rate"));

    let mut run = lab.open(lora());
    run.step(&text);
    let result = run
        .forward_backward(&text, &infinite(1.0, f32::INFINITY))
        .map(|_| ())
        .and_then(|()| run.optim_step(adam()).map(|_| ()));
    let e = result.unwrap_err();
    assert!(e.to_string().contains("step 2") && e.to_string().contains("finite"), "{e}");
    assert_ne!(e.kind(), ErrorKind::REJECTED);

    // Finite, but its square is not: AdamW would remember infinity and never move again.
    let mut run = lab.open(lora());
    run.forward_backward(&text, &infinite(1.0, 1e25)).unwrap();
    let e = run.optim_step(Adam { grad_clip_norm: 0.0, ..adam() }).unwrap_err();
    assert!(e.to_string().contains("step 1") && e.hint().is_some(), "{e}");
    let mut run = lab.open(lora());
    run.forward_backward(&text, &infinite(1.0, 1e25)).unwrap();
    run.optim_step(adam()).expect("a clipped gradient is of no size to worry about");
}

#[test]
fn missing_and_broken_base_models_are_named() {
    let lab = Lab::new();
    let open = |model: &str| {
        let from = OpenRun::Base { model: model.into(), adapter: lora() };
        lab.trainer.open(from).err().unwrap()
    };
    let e = open("/nowhere/at/all");
    assert_eq!(e.kind(), ErrorKind::NOT_FOUND);
    assert!(e.to_string().contains("/nowhere/at/all") && e.hint().is_some());

    let broken = lab.write_base("broken", &TinyModel::default());
    let weights = std::path::Path::new(&broken).join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let e = open(&broken);
    assert_eq!(e.kind(), ErrorKind::DATA, "{e}");
    assert!(e.to_string().contains("model.safetensors"), "{e}");

    let AdapterSpec::Lora(plain) = lora() else { unreachable!() };
    // The base's widest layer has 64 inputs.
    for rank in [0, 65, u32::MAX] {
        let adapter = AdapterSpec::Lora(Lora { rank, ..plain.clone() });
        let e = lab.trainer.open(OpenRun::Base { model: lab.base(), adapter }).err().unwrap();
        assert_eq!((e.kind(), e.field()), (ErrorKind::CONFIG, Some("rank")));
    }
}

#[test]
fn qwen3_and_untied_models_train_too() {
    let lab = Lab::new();
    let models = [
        TinyModel { architecture: "Qwen3ForCausalLM", ..TinyModel::default() },
        TinyModel { tied: false, ..TinyModel::default() },
    ];
    let text = batch(&[24, 17], 1);
    for (i, model) in models.iter().enumerate() {
        let path = lab.write_base(&format!("base{i}"), model);
        for adapter in [lora(), AdapterSpec::Full] {
            let from = OpenRun::Base { model: path.clone(), adapter };
            let mut run = Session(lab.trainer.open(from).unwrap());
            let first = run.step(&text);
            let last = (0..30).map(|_| run.step(&text)).last().unwrap();
            assert!(last < first * 0.7, "model {i}: from {first} to {last}");
        }
    }
}
