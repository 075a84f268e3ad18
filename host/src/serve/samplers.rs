//! Samplers that are open: each holds weights, so only the few that were used last are kept.

use super::{app::App, futures::Slot};
use crate::serve::{
    futures::{Outcome, failed},
    usage::Counted,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tinsmith_plugin_api::{Done, DoneSink, Result, SampleRequest, Sampler, Samples};

/// Samplers that are kept open.
const KEPT: usize = 8;

struct Open {
    base: String,
    source: String,
    sampler: Arc<dyn Sampler>,
}

/// The samplers that are open, the one used last at the end.
#[derive(Default)]
pub struct Samplers {
    open: Mutex<Vec<Open>>,
    /// Samples that were asked for and have no result yet.
    waiting: AtomicUsize,
}

impl Samplers {
    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, base: &str, source: &str) -> Option<Arc<dyn Sampler>> {
        let mut open = self.lock();
        let at = open.iter().position(|open| open.base == base && open.source == source)?;
        let found = open.remove(at);
        let sampler = Arc::clone(&found.sampler);
        open.push(found);
        Some(sampler)
    }

    fn keep(&self, base: &str, source: &str, sampler: &Arc<dyn Sampler>) {
        let mut open = self.lock();
        let (base, source) = (base.to_owned(), source.to_owned());
        open.push(Open { base, source, sampler: Arc::clone(sampler) });
        if open.len() > KEPT {
            open.remove(0);
        }
    }

    /// Samples that were asked for and have no result yet.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Closes the one of weights that are deleted; what it was asked for is still answered.
    pub fn forget(&self, base: &str, source: &str) {
        self.lock().retain(|open| open.base != base || open.source != source);
    }
}

/// What is sampled from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The base model.
    pub base: String,
    /// What the trainer calls the weights; None: the base model itself.
    pub uri: Option<String>,
}

impl App {
    /// Opens what is sampled from, which may take its time.
    ///
    /// # Errors
    /// `not_found` for a model or weights that are not there.
    pub fn sampler(&self, source: &Source) -> Result<Arc<dyn Sampler>> {
        let base = self.base(&source.base)?;
        let uri = source.uri.as_deref().unwrap_or(&base.source);
        if let Some(sampler) = self.samplers.find(&base.name, uri) {
            return Ok(sampler);
        }
        let sampler: Arc<dyn Sampler> = Arc::from(base.trainer.sampler(uri)?);
        self.samplers.keep(&base.name, uri, &sampler);
        Ok(sampler)
    }

    /// Samples into `slot`. `of` is its sampling session: when that ends, the sample is called off.
    pub fn sample(
        self: &Arc<Self>,
        source: &Source,
        request: SampleRequest,
        last_n: Option<u32>,
        of: Option<&str>,
        slot: Arc<Slot>,
    ) {
        let session = of.and_then(|of| of.split_once(":sample:"));
        let session = session.map(|(session, _)| session.to_owned());
        self.samplers.waiting.fetch_add(1, Ordering::Relaxed);
        let (app, begun) = (Arc::clone(self), Instant::now());
        let answer = Answer { app, slot, session, last_n, begun };
        self.draw(source, request, of, answer);
    }

    /// Samples into `sink`, once it may be paid for.
    pub fn draw(
        &self,
        source: &Source,
        request: SampleRequest,
        of: Option<&str>,
        mut sink: impl DoneSink<Samples> + 'static,
    ) {
        let opened = self.sampler(source);
        let claimed =
            opened.and_then(|sampler| Ok((sampler, self.claim_sample(source, &request, of)?)));
        match claimed {
            Ok((sampler, claim)) => {
                let (claim, prompt) = (Some(claim), request.prompt.len() as u64);
                let counted = Counted { claim, prompt, sink };
                sampler.sample(request, Done::new(Box::new(counted)));
            }
            Err(e) => sink.finish(Err(e)),
        }
    }
}

struct Answer {
    app: Arc<App>,
    slot: Arc<Slot>,
    session: Option<String>,
    last_n: Option<u32>,
    begun: Instant,
}

impl DoneSink<Samples> for Answer {
    fn finish(&mut self, result: Result<Samples>) {
        self.app.samplers.waiting.fetch_sub(1, Ordering::Relaxed);
        self.app.metrics.count("sample", result.is_err(), self.begun.elapsed());
        self.slot.finish(match result {
            Ok(mut samples) => {
                if let (Some(logprobs), Some(n)) = (&mut samples.prompt_logprobs, self.last_n) {
                    let unasked = logprobs.len().saturating_sub(n as usize);
                    logprobs[..unasked].fill(None);
                }
                Outcome::Samples(samples)
            }
            Err(e) => failed(&e),
        });
    }

    fn cancelled(&self) -> bool {
        let ended =
            |id: &String| self.app.sessions.standing(id) != super::sessions::Standing::Alive;
        self.app.is_stopping() || self.session.as_ref().is_some_and(ended)
    }
}
