//! Sampling with a KV cache, on a thread of its own.

mod choose;
mod generate;
mod prompt;
mod random;
mod row;
mod stop;

use crate::{run::caught, weights::Weights};
use generate::Generator;
use rayon::ThreadPool;
use std::sync::{
    Arc, Mutex, PoisonError,
    mpsc::{Sender, channel},
};
use tinsmith_plugin_api::{Done, Error, Result, SampleRequest, Sampler, Samples, Services};

/// Answers requests one after the other; each uses all threads.
pub(crate) struct LocalSampler {
    queue: Mutex<Sender<(SampleRequest, Done<Samples>)>>,
}

impl LocalSampler {
    /// Starts the sampler's thread. It ends with the sampler.
    pub fn start(weights: Arc<Weights>, pool: Arc<ThreadPool>, services: Services) -> Result<Self> {
        let (queue, requests) = channel::<(SampleRequest, Done<Samples>)>();
        std::thread::Builder::new()
            .name("sampler".into())
            .spawn(move || {
                let generator = Generator { weights: &weights, pool: &pool, services: &services };
                for (request, mut done) in requests {
                    // Nobody may want it any more by the time of its turn.
                    let answer = generator.check_cancelled(&done);
                    let answer =
                        answer.and_then(|()| caught(|| generator.run(&request, &mut done)));
                    done.finish(answer.map_err(|e| e.context("sample")));
                }
            })
            .map_err(|e| Error::from(e).context("start the thread of a sampler"))?;
        Ok(Self { queue: Mutex::new(queue) })
    }
}

impl Sampler for LocalSampler {
    fn sample(&self, request: SampleRequest, done: Done<Samples>) {
        // If the thread is gone, the promise is dropped here and answers `lost`.
        let _ = self.queue.lock().unwrap_or_else(PoisonError::into_inner).send((request, done));
    }
}
