//! Log-probabilities of other tokens than those that were drawn or given. Expected values come from the
//! training forward pass, which is asked for every token of the vocabulary as a target.

#![allow(clippy::unwrap_used)] // the lint's own exception covers test functions only

mod support;

use std::sync::Arc;
use support::lab::{Lab, Session, ask, batch, lora};
use tinsmith_plugin_api::{
    Done, DoneSink, ErrorKind, OpenRun, PromptTargets, Result, SampleRequest, Samples,
};

const VOCAB: usize = 320;

fn request() -> SampleRequest {
    SampleRequest {
        prompt: vec![72, 101, 108, 108, 111],
        max_tokens: Some(6),
        seed: Some(1),
        stop_tokens: Some(Vec::new()),
        ..SampleRequest::default()
    }
}

/// Log-probability of every token after each beginning of a text: `[len(tokens), vocab]`.
fn every_logprob(lab: &Lab, tokens: &[i32]) -> Vec<Vec<f32>> {
    let from = OpenRun::Base { model: lab.base(), adapter: lora() };
    let mut run = Session(lab.trainer.open(from).unwrap());
    let n = tokens.len();
    let mut all = (*batch(&vec![n; VOCAB], 0)).clone();
    all.tokens = tokens.repeat(VOCAB);
    all.targets = (0..VOCAB as i32).flat_map(|id| vec![id; n]).collect();
    let logprobs = run.forward(&Arc::new(all)).unwrap().logprobs;
    (0..n).map(|place| (0..VOCAB).map(|id| logprobs[id * n + place]).collect()).collect()
}

#[track_caller]
fn are_likeliest(found: &[(i32, f32)], row: &[f32], k: usize) {
    let mut ids: Vec<usize> = (0..row.len()).collect();
    ids.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    assert_eq!(found.len(), k);
    for ((id, logprob), expected) in found.iter().zip(ids) {
        assert_eq!(*id, expected as i32);
        assert!((logprob - row[expected]).abs() < 1e-4, "{logprob} instead of {}", row[expected]);
    }
}

#[test]
fn the_likeliest_tokens_at_every_place() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let request = SampleRequest {
        temperature: 0.7,
        top_p: 0.9,
        num_samples: 2,
        prompt_logprobs: true,
        topk_prompt_logprobs: 4,
        topk_sample_logprobs: 3,
        ..request()
    };
    let samples = ask(&*sampler, request.clone()).unwrap();
    let expected = every_logprob(&lab, &request.prompt);
    let top = samples.topk_prompt_logprobs.unwrap();
    assert!(top.len() == 5 && top[0].is_empty());
    for place in 1..5 {
        are_likeliest(&top[place], &expected[place - 1], 4);
    }
    for sample in &samples.sequences {
        let all = [request.prompt.as_slice(), &sample.tokens].concat();
        let expected = every_logprob(&lab, &all);
        let top = sample.topk_logprobs.as_ref().unwrap();
        assert_eq!(top.len(), 6);
        for (place, top) in top.iter().enumerate() {
            are_likeliest(top, &expected[4 + place], 3);
            // The token that was drawn has one log-probability, wherever it is told.
            let drawn = top.iter().find(|(id, _)| *id == sample.tokens[place]);
            assert!(drawn.is_none_or(|(_, logprob)| *logprob == sample.logprobs[place]));
        }
    }
    let plain = SampleRequest { topk_prompt_logprobs: 0, topk_sample_logprobs: 0, ..request };
    let plain = ask(&*sampler, plain).unwrap();
    assert_eq!(plain.topk_prompt_logprobs, None);
    assert_eq!(plain.prompt_logprobs, samples.prompt_logprobs);
    for (plain, sample) in plain.sequences.iter().zip(&samples.sequences) {
        assert_eq!((&plain.tokens, &plain.logprobs), (&sample.tokens, &sample.logprobs));
        assert_eq!(plain.topk_logprobs, None);
    }
    // More than there are: all.
    let all = SampleRequest { topk_prompt_logprobs: 1000, ..plain_request() };
    let all = ask(&*sampler, all).unwrap().topk_prompt_logprobs.unwrap();
    are_likeliest(&all[4], &expected[3], VOCAB);
}

fn plain_request() -> SampleRequest {
    SampleRequest { max_tokens: Some(0), ..request() }
}

#[test]
fn tokens_that_are_named_are_scored_where_they_are_named() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let expected = every_logprob(&lab, &request().prompt);
    // Nothing in the first row: it need not be computed.
    let ids = vec![-1, -1, 7, -1, 0, 319, -1, 200];
    let target_prompt_logprobs = Some(PromptTargets { ids: ids.clone(), width: 2 });
    let only = SampleRequest { target_prompt_logprobs, ..plain_request() };
    let samples = ask(&*sampler, only.clone()).unwrap();
    assert_eq!((samples.prompt_logprobs, samples.topk_prompt_logprobs), (None, None));
    let found = samples.target_prompt_logprobs.unwrap();
    for (cell, id) in ids.iter().enumerate() {
        match usize::try_from(*id) {
            Ok(id) => assert!((found[cell] - expected[cell / 2][id]).abs() < 1e-4, "cell {cell}"),
            Err(_) => assert_eq!(found[cell], 0.0, "cell {cell}"),
        }
    }
    // The end of the prompt, and what is named, do not narrow each other.
    let last = SampleRequest {
        prompt_logprobs: true,
        topk_prompt_logprobs: 2,
        prompt_logprobs_last_n: Some(2),
        ..only
    };
    let samples = ask(&*sampler, last).unwrap();
    assert_eq!(samples.target_prompt_logprobs.unwrap(), found);
    let own = samples.prompt_logprobs.unwrap();
    assert_eq!(own[..3], [None; 3]);
    let top = samples.topk_prompt_logprobs.unwrap();
    for place in 3..5 {
        let expected = &expected[place - 1];
        let token = request().prompt[place] as usize;
        assert!((own[place].unwrap() - expected[token]).abs() < 1e-4);
        are_likeliest(&top[place], expected, 2);
    }
    assert!(top[..3].iter().all(Vec::is_empty));
    // One token alone has nothing to be scored.
    let one = SampleRequest { prompt: vec![72], topk_prompt_logprobs: 2, ..plain_request() };
    assert_eq!(ask(&*sampler, one).unwrap().topk_prompt_logprobs, Some(vec![vec![]]));
}

#[test]
fn tokens_that_make_no_sense_are_refused() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    for (ids, width) in [
        (vec![1, 2, 3], 1),
        (vec![], 0),
        (vec![1; 4], 2),
        (vec![-1; 4], 1),
        (vec![1, 2, 3, 320], 1),
        (vec![1, 2, 3, -2], 1),
        (vec![1; 4], u32::MAX),
    ] {
        let target_prompt_logprobs = Some(PromptTargets { ids: ids.clone(), width });
        let bad = SampleRequest { target_prompt_logprobs, ..request() };
        let e = ask(&*sampler, bad).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::REJECTED, "{ids:?} of {width}: {e}");
        assert!(e.to_string().contains("target_prompt_logprobs"), "{e}");
    }
}

/// Wants nothing from the beginning.
struct Nobody(std::sync::mpsc::Sender<Result<Samples>>);

impl DoneSink<Samples> for Nobody {
    fn finish(&mut self, result: Result<Samples>) {
        self.0.send(result).unwrap();
    }

    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn what_nobody_wants_any_more_does_not_begin() {
    let lab = Lab::new();
    let sampler = lab.trainer.sampler(&lab.base()).unwrap();
    let (answers, answer) = std::sync::mpsc::channel();
    // It is not even looked at: it would be refused.
    let nonsense = SampleRequest { prompt: Vec::new(), ..request() };
    sampler.sample(nonsense, Done::new(Box::new(Nobody(answers))));
    assert_eq!(answer.recv().unwrap().unwrap_err().kind(), ErrorKind::CANCELLED);
}
