//! Sampling through the real trait.

#![allow(clippy::unwrap_used)] // the lint's own exception covers test functions only

mod support;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use support::lab::{Lab, Session, ask, batch, lora};
use tinsmith_plugin_api::{
    Done, DoneSink, Error, ErrorKind, OpenRun, Result, SampleRequest, Sampler, Samples, StopReason,
};

/// Ten tokens, no EOS, seed 1.
fn request() -> SampleRequest {
    SampleRequest {
        prompt: vec![72, 101, 108, 108, 111],
        max_tokens: Some(10),
        seed: Some(1),
        stop_tokens: Some(Vec::new()),
        ..SampleRequest::default()
    }
}

/// Log-probabilities of the last tokens of a sequence, from a training forward pass.
fn forward_logprobs(lab: &Lab, tokens: &[i32], last: usize) -> Vec<f32> {
    let from = OpenRun::Base { model: lab.base(), adapter: lora() };
    let mut run = Session(lab.trainer.open(from).unwrap());
    let mut batch = (*batch(&[tokens.len() - 1], 0)).clone();
    batch.tokens = tokens[..tokens.len() - 1].to_vec();
    batch.targets = tokens[1..].to_vec();
    let all = run.forward(&Arc::new(batch)).unwrap().logprobs;
    all[all.len() - last..].to_vec()
}

#[track_caller]
fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-4, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn logprobs_are_those_of_the_training_forward_pass() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let request = SampleRequest {
        temperature: 0.7,
        top_k: 20,
        top_p: 0.9,
        num_samples: 3,
        prompt_logprobs: true,
        ..request()
    };
    let samples = ask(&*sampler, request.clone()).unwrap();
    for sample in &samples.sequences {
        assert_eq!(sample.stop_reason, StopReason::Length);
        assert_eq!(sample.tokens.len(), 10);
        let all = [request.prompt.as_slice(), &sample.tokens].concat();
        close(&sample.logprobs, &forward_logprobs(&lab, &all, 10));
    }
    let prompt = samples.prompt_logprobs.unwrap();
    assert_eq!(prompt[0], None);
    let prompt: Vec<f32> = prompt[1..].iter().map(|lp| lp.unwrap()).collect();
    close(&prompt, &forward_logprobs(&lab, &request.prompt, 4));
}

#[test]
fn a_seed_decides_the_samples_and_each_stands_alone() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let tokens = |num_samples, seed| -> Vec<Vec<i32>> {
        let request = SampleRequest { num_samples, seed, ..request() };
        ask(&*sampler, request).unwrap().sequences.into_iter().map(|s| s.tokens).collect()
    };
    let many = tokens(20, Some(1));
    assert_eq!(tokens(20, Some(1)), many);
    assert_eq!(tokens(3, Some(1)), many[..3], "the first three do not see the others");
    assert_ne!(many[0], many[1]);
    assert_ne!(tokens(1, Some(2))[0], many[0]);
    assert_ne!(tokens(1, None), tokens(1, None), "no seed: another one each time");
}

#[test]
fn the_number_of_threads_changes_no_sample() {
    let samples = [1, 3].map(|threads| {
        let lab = Lab::with(&serde_json::json!({ "threads": threads }), 1);
        let sampler = lab.trainer.sampler(&lab.base()).unwrap();
        let request = SampleRequest { num_samples: 18, max_tokens: Some(40), ..request() };
        ask(&*sampler, request).unwrap()
    });
    assert_eq!(samples[0], samples[1]);
}

#[test]
fn greedy_takes_the_likeliest_and_ignores_the_seed() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let greedy = |seed| {
        let request = SampleRequest { temperature: 0.0, seed: Some(seed), ..request() };
        ask(&*sampler, request).unwrap()
    };
    assert_eq!(greedy(1), greedy(2));
    let top_1 = SampleRequest { top_k: 1, ..request() };
    assert_eq!(ask(&*sampler, top_1).unwrap(), greedy(1));
}

#[test]
fn samples_end_at_tokens_texts_and_limits() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let free = ask(&*sampler, request()).unwrap().sequences.remove(0);
    let stop = free.tokens[4];
    let first = free.tokens.iter().position(|t| *t == stop).unwrap();

    let by_token = SampleRequest { stop_tokens: Some(vec![stop]), ..request() };
    let sample = ask(&*sampler, by_token).unwrap().sequences.remove(0);
    assert_eq!(sample.stop_reason, StopReason::Stop);
    assert_eq!(sample.tokens, free.tokens[..=first]);
    assert_eq!(sample.logprobs, free.logprobs[..=first]);

    let sample = ask(&*sampler, SampleRequest { max_tokens: Some(0), ..request() }).unwrap();
    assert!(sample.sequences[0].tokens.is_empty());
    assert_eq!(sample.sequences[0].stop_reason, StopReason::Length);

    // The context of the model is 512 tokens.
    let long = SampleRequest { prompt: vec![65; 509], max_tokens: None, ..request() };
    let sample = ask(&*sampler, long).unwrap().sequences.remove(0);
    assert_eq!((sample.tokens.len(), sample.stop_reason), (3, StopReason::Length));
}

#[test]
fn a_text_stops_even_across_tokens() {
    let lab = Lab::new();
    // Bytes only: the toy tokenizer of the host knows ids up to 257.
    let mut run = lab.open(lora());
    let text = batch(&[40], 7);
    for _ in 0..120 {
        run.step(&text);
    }
    let saved = run.save(tinsmith_plugin_api::Save::Ephemeral).unwrap();
    let sampler = lab.trainer.sampler(&saved.uri).unwrap();
    let request = SampleRequest {
        prompt: text.tokens[..12].to_vec(),
        max_tokens: Some(20),
        temperature: 0.0,
        ..request()
    };
    let free = ask(&*sampler, request.clone()).unwrap().sequences.remove(0).tokens;
    assert_eq!(free, text.targets[11..31], "it knows the text by heart");
    let word: String = free[5..8].iter().map(|&byte| char::from(byte as u8)).collect();
    let request = SampleRequest { stop_strings: vec!["never".into(), word], ..request };
    let sample = ask(&*sampler, request).unwrap().sequences.remove(0);
    assert_eq!((sample.tokens.as_slice(), sample.stop_reason), (&free[..8], StopReason::Stop));
}

#[test]
fn a_token_without_text_ends_nothing_and_breaks_nothing() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    // An untrained model soon samples ids that the host's toy tokenizer does not have.
    let request = SampleRequest {
        stop_strings: vec!["no such text".into()],
        max_tokens: Some(60),
        ..request()
    };
    let sample = ask(&*sampler, request).unwrap().sequences.remove(0);
    assert!(sample.tokens.iter().any(|id| *id > 257));
    assert_eq!(sample.tokens.len(), 60);
}

#[test]
fn without_stop_tokens_the_models_own_end_a_sample() {
    let lab = Lab::new();
    let eos = tinsmith_test_support::tiny_tokenizer::EOS;
    let mut run = lab.open(lora());
    let mut text = (*batch(&[12], 7)).clone();
    text.targets[11] = eos;
    let text = Arc::new(text);
    for _ in 0..80 {
        run.step(&text);
    }
    let saved = run.save(tinsmith_plugin_api::Save::Ephemeral).unwrap();
    let sampler = lab.trainer.sampler(&saved.uri).unwrap();
    let request = SampleRequest {
        prompt: text.tokens[..8].to_vec(),
        temperature: 0.0,
        stop_tokens: None,
        max_tokens: None,
        ..request()
    };
    let sample = ask(&*sampler, request).unwrap().sequences.remove(0);
    assert_eq!(sample.stop_reason, StopReason::Stop);
    assert_eq!(sample.tokens.last(), Some(&eos));
}

#[test]
fn nonsense_is_refused() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let refused = |change: fn(&mut SampleRequest)| {
        let mut bad = request();
        change(&mut bad);
        let e = ask(&*sampler, bad).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::REJECTED, "{e}");
        e.field().map(str::to_owned)
    };
    assert_eq!(refused(|r| r.prompt.clear()).as_deref(), Some("prompt"));
    assert_eq!(refused(|r| r.prompt = vec![65; 513]).as_deref(), Some("prompt"));
    assert_eq!(refused(|r| r.num_samples = 0).as_deref(), Some("num_samples"));
    assert_eq!(refused(|r| r.top_p = 1.5).as_deref(), Some("top_p"));
    assert_eq!(refused(|r| r.stop_strings = vec![String::new()]).as_deref(), Some("stop_strings"));
    assert_eq!(refused(|r| r.num_samples = u32::MAX).as_deref(), Some("num_samples"));
    refused(|r| r.prompt = vec![5, 320]);
    refused(|r| (r.prompt, r.max_tokens) = (vec![5, 320], Some(0)));
    refused(|r| r.prompt = vec![-1]);
    assert!(ask(&*sampler, request()).is_ok(), "the sampler goes on");
}

/// Collects what is streamed, and stops wanting it after some tokens.
#[derive(Clone, Default)]
struct Listener {
    streamed: Arc<Mutex<Vec<i32>>>,
    enough: Option<usize>,
    answer: Arc<Mutex<Option<Result<Samples>>>>,
    finished: Arc<AtomicBool>,
}

impl DoneSink<Samples> for Listener {
    fn finish(&mut self, result: Result<Samples>) {
        *self.answer.lock().unwrap() = Some(result);
        self.finished.store(true, Ordering::SeqCst);
    }

    fn partial(&mut self, tokens: &[i32]) {
        self.streamed.lock().unwrap().extend_from_slice(tokens);
    }

    fn cancelled(&self) -> bool {
        self.enough.is_some_and(|n| self.streamed.lock().unwrap().len() >= n)
    }
}

impl Listener {
    fn ask(&self, sampler: &dyn Sampler, request: SampleRequest) -> Result<Samples, Error> {
        sampler.sample(request, Done::new(Box::new(self.clone())));
        while !self.finished.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        self.answer.lock().unwrap().take().unwrap()
    }
}

#[test]
fn one_sample_is_streamed_and_can_be_stopped() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let listener = Listener::default();
    let samples = listener.ask(&*sampler, request()).unwrap();
    assert_eq!(*listener.streamed.lock().unwrap(), samples.sequences[0].tokens);

    let impatient = Listener { enough: Some(3), ..Listener::default() };
    let request = SampleRequest { max_tokens: None, ..request() };
    let e = impatient.ask(&*sampler, request).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::CANCELLED);
    assert_eq!(impatient.streamed.lock().unwrap().len(), 3);
}
