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
    time::{Duration, Instant},
};
use tinsmith_plugin_api::{
    Done, DoneSink, ErrorKind, Result, SampleRequest, Sampler, Samples, Wanted,
};
use tinsmith_tinker_wire::targets::Layout;

/// Samplers that are kept open.
const KEPT: usize = 8;

/// What a sample that nobody waits for any more is counted as.
const CALLED_OFF: &str = "sample_called_off";

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

/// A request for samples.
pub struct Asked {
    /// What is sampled from.
    pub source: Source,
    /// As the trainer is asked.
    pub request: SampleRequest,
    /// How the tokens lie that the request names, if it does.
    pub layout: Option<Layout>,
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
    pub fn sample(self: &Arc<Self>, asked: Asked, of: Option<&str>, slot: Arc<Slot>) {
        if slot.is_called_off() {
            return self.metrics.count(CALLED_OFF, true, Duration::ZERO);
        }
        let session = of.and_then(|of| of.split_once(":sample:"));
        let session = session.map(|(session, _)| session.to_owned());
        let Asked { source, request, layout } = asked;
        self.samplers.waiting.fetch_add(1, Ordering::Relaxed);
        let answer = Answer {
            app: Arc::clone(self),
            slot,
            session,
            layout,
            wanted: Wanted::from(&request),
            first_scored: request.first_scored(),
            begun: Instant::now(),
        };
        self.draw(&source, request, of, answer);
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
    layout: Option<Layout>,
    wanted: Wanted,
    first_scored: usize,
    begun: Instant,
}

impl Answer {
    /// What was asked for, and no more.
    fn checked(&self, mut samples: Samples) -> Result<Samples> {
        samples.cover(&self.wanted)?;
        // A trainer may score more of the prompt.
        let first = self.first_scored;
        if let Some(logprobs) = &mut samples.prompt_logprobs {
            logprobs.iter_mut().take(first).for_each(|logprob| *logprob = None);
        }
        if let Some(top) = &mut samples.topk_prompt_logprobs {
            top.iter_mut().take(first).for_each(Vec::clear);
        }
        Ok(samples)
    }
}

impl DoneSink<Samples> for Answer {
    fn finish(&mut self, result: Result<Samples>) {
        self.app.samplers.waiting.fetch_sub(1, Ordering::Relaxed);
        let result = result.and_then(|samples| self.checked(samples));
        let name = match &result {
            Err(e) if e.kind() == ErrorKind::CANCELLED => CALLED_OFF,
            _ => "sample",
        };
        self.app.metrics.count(name, result.is_err(), self.begun.elapsed());
        self.slot.finish(match result {
            Ok(samples) => Outcome::Samples(samples, self.layout.take()),
            Err(e) => failed(&e),
        });
    }

    fn cancelled(&self) -> bool {
        let ended =
            |id: &String| self.app.sessions.standing(id) != super::sessions::Standing::Alive;
        self.slot.is_called_off()
            || self.app.is_stopping()
            || self.session.as_ref().is_some_and(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{
        app::Settings,
        disk::Disk,
        usage::{Caps, Ledger},
    };

    /// A trainer that is older than a question says nothing of it; one that scores too much says too much.
    #[test]
    fn clients_are_told_what_they_asked_for_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            key: None,
            public_url: None,
            session_timeout: Duration::from_secs(1),
            max_body: 1,
            snapshot_steps: 1,
            nameless_weights: 1,
            retrieve_futures: false,
        };
        let disk = Disk::open(dir.path()).unwrap();
        let usage = Ledger::open(&disk.usage(), Caps::default(), Arc::new(|_, _| ())).unwrap();
        let app = App::new(settings, Vec::new(), disk, usage, Arc::new(|_, _| ())).unwrap();
        let app = Arc::new(app);
        let told = |request: &SampleRequest, samples: Samples| {
            app.samplers.waiting.fetch_add(1, Ordering::Relaxed);
            let slot = Arc::<Slot>::default();
            let mut answer = Answer {
                app: Arc::clone(&app),
                slot: Arc::clone(&slot),
                session: None,
                layout: None,
                wanted: Wanted::from(request),
                first_scored: request.first_scored(),
                begun: Instant::now(),
            };
            answer.finish(Ok(samples));
            slot.peek().unwrap()
        };
        let asked = SampleRequest {
            prompt: vec![1, 2, 3],
            prompt_logprobs: true,
            topk_prompt_logprobs: 1,
            prompt_logprobs_last_n: Some(1),
            ..SampleRequest::default()
        };
        let own = Some(vec![None, Some(-1.0), Some(-2.0)]);
        let old = Samples { prompt_logprobs: own, ..Samples::default() };
        match &*told(&asked, old.clone()) {
            Outcome::Failed(failure) => {
                assert!(failure.error.contains("topk_prompt_logprobs"), "{}", failure.error);
            }
            other => panic!("{other:?}"),
        }
        let top = vec![vec![], vec![(4, -0.5)], vec![(5, -0.25)]];
        match &*told(&asked, Samples { topk_prompt_logprobs: Some(top), ..old }) {
            Outcome::Samples(samples, _) => {
                assert_eq!(samples.prompt_logprobs, Some(vec![None, None, Some(-2.0)]));
                let last = vec![vec![], vec![], vec![(5, -0.25)]];
                assert_eq!(samples.topk_prompt_logprobs, Some(last));
            }
            other => panic!("{other:?}"),
        }
    }
}
