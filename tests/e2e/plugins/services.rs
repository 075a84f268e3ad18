//! What crosses in the other direction: services, stores, the host's loss, promises.

use super::support::{Home, section};
use serde_json::json;
use std::sync::Arc;
use tinsmith::{plugins::Registry, services::ServicesBuilder};
use tinsmith_plugin_api::{
    Adam, AdapterSpec, Batch, Column, ColumnData, Error, ErrorKind, EvaluateLoss, Export, FileSink,
    Level, LossBatch, LossRef, LossScope, LossValue, OpenRun, PromptTargets, Result, Run, RunId,
    SampleRequest, Save, StopReason, TicketState, testing::MemoryServices, ticket,
};

fn in_both(test: impl Fn(&str, &Registry)) {
    let home = Home::new();
    for (linkage, registry) in home.both(&["misbehaving", "hello_renderer"]) {
        test(linkage, &registry);
    }
}

fn open(registry: &Registry, host: &MemoryServices) -> Box<dyn Run> {
    let trainer = registry.trainer("misbehaving/bad", &section(json!({})), host.services());
    let base = OpenRun::Base { model: "m".to_owned(), adapter: AdapterSpec::Full };
    trainer.unwrap().open(base).unwrap()
}

fn batch() -> Arc<Batch> {
    let weights = Column { name: "weights".to_owned(), data: ColumnData::F32(vec![1.0, 0.0, 0.5]) };
    Arc::new(Batch {
        tokens: vec![1, 2, 3],
        targets: vec![2, 3, 4],
        offsets: vec![0, 1, 3],
        groups: vec![0, 7],
        columns: vec![weights],
    })
}

/// A loss of the host: the gradient is the weight times ten, and odd values cross unchanged.
struct HostLoss(Vec<String>);

impl EvaluateLoss for HostLoss {
    fn inputs(&self) -> &[String] {
        &self.0
    }

    fn scope(&self) -> LossScope {
        LossScope::Group
    }

    fn evaluate(&self, batch: &LossBatch<'_>, gradient: &mut [f32]) -> Result<LossValue> {
        assert_eq!(batch.logprobs, [-1.0, -2.0, -3.0]);
        assert_eq!((batch.offsets, batch.groups), (&[0, 1, 3][..], &[0, 7][..]));
        assert_eq!(gradient, [0.0; 3], "the gradient arrives filled with zeros");
        for (g, w) in gradient.iter_mut().zip(batch.inputs[0]) {
            *g = 10.0 * w;
        }
        let metrics = [("odd:mean".to_owned(), f64::NEG_INFINITY)].into();
        Ok(LossValue { sum: 0.1 + 0.2, metrics })
    }
}

fn loss_ref(loss: impl EvaluateLoss + 'static) -> LossRef {
    LossRef { name: "mine".to_owned(), config: json!({}), call: Some(Arc::new(loss)) }
}

#[test]
fn a_trainer_calls_the_hosts_loss_inside_its_backward_pass() {
    in_both(|linkage, registry| {
        let mut run = open(registry, &MemoryServices::new());
        assert_eq!(run.id(), RunId("bad-run".to_owned()));
        let (done, answer) = ticket();
        run.forward_backward(batch(), loss_ref(HostLoss(vec!["weights".to_owned()])), done);
        let forward = answer.wait().unwrap();
        assert_eq!(forward.logprobs, [-1.0, -2.0, -3.0], "{linkage}");
        let gradient: Vec<f64> =
            (0..3).map(|i| forward.metrics[&format!("gradient{i}:last")]).collect();
        assert_eq!(gradient, [10.0, 0.0, 5.0]);
        assert_eq!(forward.metrics["loss:sum"], 0.1 + 0.2, "bit for bit");
        assert_eq!(forward.metrics["odd:mean"], f64::NEG_INFINITY);

        let (done, answer) = ticket();
        run.forward_backward(batch(), loss_ref(HostLoss(vec!["advantages".to_owned()])), done);
        let e = answer.wait().unwrap_err();
        assert_eq!((e.kind(), e.message()), (ErrorKind::REJECTED, "no column `advantages`"));
    });
}

/// A loss from one plugin inside a trainer from another.
#[test]
fn a_plugins_loss_works_inside_another_plugins_trainer() {
    in_both(|linkage, registry| {
        let loss = registry.loss("misbehaving/bad", &section(json!({}))).unwrap();
        let mut run = open(registry, &MemoryServices::new());
        let (done, answer) = ticket();
        let call: Arc<dyn EvaluateLoss> = loss;
        let loss = LossRef { name: "bad".to_owned(), config: json!({}), call: Some(call) };
        run.forward_backward(batch(), loss, done);
        let metrics = answer.wait().unwrap().metrics;
        assert_eq!(metrics["loss:sum"], 6.0, "{linkage}");
        assert!(metrics["nothing:mean"].is_nan());
    });
}

/// A loss of the host that panics.
struct PanickingLoss;

impl EvaluateLoss for PanickingLoss {
    fn inputs(&self) -> &[String] {
        &[]
    }

    fn scope(&self) -> LossScope {
        LossScope::Token
    }

    fn evaluate(&self, _: &LossBatch<'_>, _: &mut [f32]) -> Result<LossValue> {
        panic!("the host's loss")
    }
}

#[test]
fn a_panic_of_the_hosts_loss_is_the_operations_error() {
    in_both(|linkage, registry| {
        let mut run = open(registry, &MemoryServices::new());
        let (done, answer) = ticket();
        run.forward_backward(batch(), loss_ref(PanickingLoss), done);
        let e = answer.wait().unwrap_err();
        assert_eq!(e.kind(), ErrorKind::PANIC, "{linkage}: {e}");
        assert!(e.to_string().contains("the host's loss"), "{linkage}: {e}");
    });
}

#[test]
fn promises_carry_reasons_streams_and_cancellation() {
    in_both(|linkage, registry| {
        let host = MemoryServices::new();
        let trainer =
            registry.trainer("misbehaving/bad", &section(json!({})), host.services()).unwrap();
        let sampler = trainer.sampler("m").unwrap();
        let request = SampleRequest {
            prompt: vec![5, 6, 7],
            topk_prompt_logprobs: 2,
            topk_sample_logprobs: 1,
            target_prompt_logprobs: Some(PromptTargets { ids: vec![8, -1], width: 1 }),
            ..SampleRequest::default()
        };

        let (done, answer) = ticket();
        sampler.sample(request.clone(), done);
        assert_eq!(answer.take_partial(), [7, 6, 5], "{linkage}");
        let samples = answer.wait().unwrap();
        assert_eq!(samples.sequences[0].tokens, [7, 6, 5]);
        assert_eq!(samples.sequences[0].logprobs, [f32::NEG_INFINITY; 3]);
        assert_eq!(samples.sequences[0].stop_reason, StopReason::Length);
        assert_eq!(samples.prompt_logprobs, Some(vec![None, Some(-0.5)]));
        assert_eq!(samples.sequences[0].topk_logprobs, Some(vec![vec![(0, -0.5)]; 3]));
        let likeliest = vec![vec![], vec![(0, -0.5), (1, -0.5)]];
        assert_eq!(samples.topk_prompt_logprobs, Some(likeliest));
        assert_eq!(samples.target_prompt_logprobs, Some(vec![8.0, -1.0]));

        let (done, answer) = ticket();
        answer.cancel();
        sampler.sample(request, done);
        assert_eq!(answer.wait().unwrap_err().kind(), ErrorKind::CANCELLED, "{linkage}");

        let mut run = open(registry, &host);
        let (done, answer) = ticket();
        let adam = Adam {
            learning_rate: 1.0e-4 / 3.0,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.0,
            grad_clip_norm: 0.0,
        };
        run.optim_step(adam, done);
        match answer.poll(std::time::Duration::ZERO) {
            TicketState::Ready(metrics) => {
                assert_eq!(metrics.unwrap()["lr:last"], adam.learning_rate, "bit for bit");
            }
            TicketState::Waiting(reason) => panic!("{linkage}: still waiting for {reason:?}"),
        }
        let bad = Adam { learning_rate: f64::NAN, ..adam };
        let (done, answer) = ticket();
        run.optim_step(bad, done);
        assert_eq!(answer.wait().unwrap_err().kind(), ErrorKind::REJECTED, "{linkage}");
    });
}

#[test]
fn a_plugin_writes_through_the_hosts_store() {
    in_both(|linkage, registry| {
        let host = MemoryServices::new();
        let mut run = open(registry, &host);
        let (done, answer) = ticket();
        run.save(Save::Sampler { name: "first".to_owned() }, done);
        let saved = answer.wait().unwrap();
        assert_eq!((saved.uri.as_str(), saved.bytes), ("bad:first", Some(5)), "{linkage}");
        assert_eq!(host.memory_store().keys(), ["saved/first"]);
    });
}

#[derive(Default)]
struct Files(Vec<String>);

impl FileSink for Files {
    fn start(&mut self, name: &str) -> Result<()> {
        self.0.push(format!("start {name}"));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes == b"full" {
            return Err(Error::new(ErrorKind::IO, "no space left on device"));
        }
        self.0.push(format!("write {}", String::from_utf8_lossy(bytes)));
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.0.push("finish".to_owned());
        Ok(())
    }
}

#[test]
fn exports_stream_into_the_hosts_sink_and_its_errors_come_back() {
    in_both(|linkage, registry| {
        let host = MemoryServices::new();
        let trainer =
            registry.trainer("misbehaving/bad", &section(json!({})), host.services()).unwrap();
        let mut files = Files::default();
        trainer.export("bad:one", Export::Adapter, &mut files).unwrap();
        assert_eq!(files.0, ["start adapter.bin", "write bad:one", "finish"], "{linkage}");
        let e = trainer.export("full", Export::Adapter, &mut files).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::IO);
        let one = trainer.checkpoints(Some(&RunId("r".to_owned()))).unwrap();
        assert_eq!((one[0].run.0.as_str(), one[0].bytes), ("r", Some(u64::MAX)));
        assert_eq!(one[0].public, Some(true));
        let e = trainer.set_ttl("bad:one", Some(1)).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::UNSUPPORTED, "the default of the trait");
        for public in [true, false] {
            let e = trainer.publish("bad:one", public).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::NOT_FOUND, "{linkage}: {e}");
            assert_eq!(e.to_string(), format!("`bad:one`, public: {public}"), "{linkage}");
        }
        assert_eq!(trainer.capabilities().unwrap().max_in_flight, 2);
    });
}

#[test]
fn a_trainer_that_does_not_say_otherwise_publishes_nothing() {
    for (linkage, registry) in Home::new().both(&["null_trainer"]) {
        let host = MemoryServices::new();
        let trainer = registry.trainer("null", &section(json!({})), host.services()).unwrap();
        let e = trainer.publish("null:one", true).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::UNSUPPORTED, "{linkage}: {e}");
        assert_eq!(e.to_string(), "trainer `null` publishes nothing", "{linkage}");
        assert!(e.hint().unwrap().contains("tinsmith download"), "{linkage}");
    }
}

/// Dropping a value is a call too: the plugin drops the host's objects, wherever that happens.
#[test]
fn a_destructor_of_the_host_that_panics_inside_of_a_plugins_call_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("while the host's services are dropped");
        }
    }
    in_both(|_, registry| {
        let bomb = Bomb;
        let log = Arc::new(move |_: Level, _: &str| {
            let _held = &bomb;
        });
        let services = ServicesBuilder::new().log(log).build();
        let hello = registry.renderer("hello", &section(json!({})), services).unwrap();
        // The last who holds the services is the plugin.
        drop(hello);
    });
}

/// Eight threads, one renderer, callbacks into the host for every record.
#[test]
fn a_renderer_may_be_called_from_any_thread() {
    in_both(|linkage, registry| {
        let host = MemoryServices::new();
        let hello =
            registry.renderer("hello", &section(json!({ "prefix": "Q: " })), host.services());
        let hello = hello.unwrap();
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let hello = Arc::clone(&hello);
                std::thread::spawn(move || {
                    for i in 0..50 {
                        let line = format!(r#"{{"question": "{i}?", "answer": "{thread}"}}"#);
                        let out = hello.render_batch(&[line.as_str(); 16]).unwrap();
                        let bytes: Vec<u8> = format!("Q: {i}?\n{thread}").into_bytes();
                        let expected: Vec<i32> = bytes.iter().copied().map(i32::from).collect();
                        assert_eq!(out.len(), 16);
                        assert_eq!(out.tokens, expected.repeat(16));
                    }
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().is_ok(), "{linkage}");
        }
    });
}
