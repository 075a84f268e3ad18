//! Answers one sampling request.

use super::{
    choose::Rule,
    prompt::Scores,
    random,
    row::Row,
    stop::{Stops, Watch},
};
use crate::{model::KvCache, packed::token_ids, weights::Weights};
use rayon::ThreadPool;
use tinsmith_plugin_api::{
    Done, Error, ErrorKind, Result, SampleRequest, Sampled, Samples, Services, StopReason,
    TopLogprobs,
};

/// Samples that are drawn side by side; more are drawn in groups, for the memory of their caches.
const SIDE_BY_SIDE: usize = 16;

/// Most samples of one request: what is asked for is kept in memory until all are drawn.
const MOST_SAMPLES: u32 = 1 << 16;

/// What a sampler works with.
pub struct Generator<'a> {
    pub weights: &'a Weights,
    pub pool: &'a ThreadPool,
    pub services: &'a Services,
}

/// One sample on its way.
struct Stream {
    /// Which of the request's samples it is.
    index: u64,
    cache: KvCache,
    watch: Watch,
    tokens: Vec<i32>,
    logprobs: Vec<f32>,
    /// The likeliest tokens at each place, as many as `top` says.
    ranked: TopLogprobs,
    top: usize,
    ended: Option<StopReason>,
}

impl Generator<'_> {
    /// Answers a request, streaming where there is only one sample.
    pub fn run(&self, request: &SampleRequest, done: &mut Done<Samples>) -> Result<Samples> {
        let config = self.weights.base.model.config();
        let rule = Rule::new(request)?;
        let stops = Stops::new(request, &config.eos_token_ids)?;
        let room = self.check(request)?;
        let limit = request.max_tokens.map_or(room, |most| room.min(most as usize));
        let seed = request.seed.unwrap_or_else(random::fresh_seed);
        let top = request.topk_sample_logprobs as usize;
        let Scores { own, top: ranked, targets } = self.scores(request)?;

        let mut prompt_cache = KvCache::new();
        let first = if limit == 0 {
            Vec::new()
        } else {
            self.decode(&mut [&mut prompt_cache], &[&request.prompt])?
        };
        let mut sequences = Vec::new();
        let samples: Vec<u64> = (0..u64::from(request.num_samples)).collect();
        for group in samples.chunks(SIDE_BY_SIDE) {
            let mut streams: Vec<Stream> =
                group.iter().map(|&index| self.stream(index, &prompt_cache, &stops, top)).collect();
            let mut logits = first.repeat(if limit == 0 { 0 } else { streams.len() });
            for position in 0..limit {
                self.check_cancelled(done)?;
                let mut rows = logits.chunks_exact(config.vocab);
                for stream in streams.iter_mut().filter(|s| s.ended.is_none()) {
                    let row = Row::new(rows.next().unwrap_or_default())?;
                    let uniform = random::uniform(seed, stream.index, position as u64);
                    stream.push(rule.choose(&row, uniform), &row, &stops)?;
                }
                if let [only] = streams.as_slice()
                    && request.num_samples == 1
                {
                    done.partial(&only.tokens[position..]);
                }
                if position + 1 == limit || streams.iter().all(|s| s.ended.is_some()) {
                    break;
                }
                logits = self.advance(&mut streams)?;
            }
            sequences.extend(streams.into_iter().map(Stream::finish));
        }
        Ok(Samples {
            sequences,
            prompt_logprobs: own,
            topk_prompt_logprobs: ranked,
            target_prompt_logprobs: targets,
        })
    }

    /// Refuses what cannot be answered; answers how many tokens fit after the prompt.
    fn check(&self, request: &SampleRequest) -> Result<usize> {
        let config = self.weights.base.model.config();
        let context = config.max_positions;
        token_ids(&request.prompt, "prompt", config)?;
        let samples = request.num_samples;
        if !(1..=MOST_SAMPLES).contains(&samples) {
            let limits = format!("must be from 1 to {MOST_SAMPLES}, is {samples}");
            return Err(Error::rejected(limits).at("num_samples"));
        }
        if request.prompt.is_empty() {
            return Err(Error::rejected("holds no tokens").at("prompt"));
        }
        context.checked_sub(request.prompt.len()).ok_or_else(|| {
            Error::rejected(format!(
                "has {} tokens, the model's context is {context}",
                request.prompt.len()
            ))
            .at("prompt")
        })
    }

    /// Refuses to go on with what nobody wants any more.
    pub fn check_cancelled(&self, done: &Done<Samples>) -> Result<()> {
        if done.cancelled() || self.services.cancelled() {
            return Err(Error::new(ErrorKind::CANCELLED, "sampling was stopped"));
        }
        Ok(())
    }

    fn stream(&self, index: u64, prompt: &KvCache, stops: &Stops, top: usize) -> Stream {
        Stream {
            index,
            cache: prompt.clone(),
            watch: stops.watch(self.services),
            tokens: Vec::new(),
            logprobs: Vec::new(),
            ranked: Vec::new(),
            top,
            ended: None,
        }
    }

    /// Feeds each running sample the token it chose last.
    fn advance(&self, streams: &mut [Stream]) -> Result<Vec<f32>> {
        let running = streams.iter_mut().filter(|stream| stream.ended.is_none());
        let (mut caches, tokens): (Vec<&mut KvCache>, Vec<&[i32]>) = running
            .map(|stream| {
                let last = stream.tokens.len().saturating_sub(1);
                (&mut stream.cache, &stream.tokens[last..])
            })
            .unzip();
        self.decode(&mut caches, &tokens)
    }

    fn decode(&self, caches: &mut [&mut KvCache], tokens: &[&[i32]]) -> Result<Vec<f32>> {
        let Weights { base, layout, params, .. } = self.weights;
        self.pool.install(|| base.model.decode_batch(layout, params, caches, tokens))
    }
}

impl Stream {
    fn push(&mut self, token: usize, row: &Row<'_>, stops: &Stops) -> Result<()> {
        self.logprobs.push(row.logprob(token));
        if self.top > 0 {
            self.ranked.push(row.top(self.top));
        }
        let token = token as i32;
        self.tokens.push(token);
        if self.watch.ends(stops, token)? {
            self.ended = Some(StopReason::Stop);
        }
        Ok(())
    }

    fn finish(self) -> Sampled {
        Sampled {
            tokens: self.tokens,
            logprobs: self.logprobs,
            stop_reason: self.ended.unwrap_or(StopReason::Length),
            topk_logprobs: (self.top > 0).then_some(self.ranked),
        }
    }
}
