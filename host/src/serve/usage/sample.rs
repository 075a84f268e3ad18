//! What samples cost: the prompt, once, and what is sampled, which is known when it is there.

use super::{Claim, Subject, Tokens};
use crate::serve::{app::App, samplers::Source};
use tinsmith_plugin_api::{DoneSink, Error, ErrorKind, Result, SampleRequest, Samples};

impl App {
    /// Sets aside what a sample may cost at most. `of` is its sampling session.
    ///
    /// # Errors
    /// `rejected` where it would exceed a limit, or may cost anything.
    pub fn claim_sample(
        &self,
        source: &Source,
        request: &SampleRequest,
        of: Option<&str>,
    ) -> Result<Claim> {
        let base = self.base(&source.base)?;
        let prefill = request.prompt.len() as u64;
        let each = match most(request, base.context) {
            Some(each) => each,
            None if self.usage.is_limited() => {
                let e =
                    Error::rejected("a limit of the server needs to know how long it may become");
                return Err(e.at("max_tokens").with_hint("set `max_tokens`"));
            }
            None => 0,
        };
        let sample = each.saturating_mul(u64::from(request.num_samples));
        let session = of.and_then(|of| of.split_once(":sample:"));
        let subject = Subject {
            session: session.map(|(session, _)| session.to_owned()),
            of: of.map(str::to_owned),
            base: base.name.clone(),
            operation: "sample".into(),
        };
        let most = Tokens { prefill, sample, ..Tokens::default() };
        self.usage.claim(subject, most, base.rates, false)
    }
}

/// The most tokens of one sample, where that is known.
fn most(request: &SampleRequest, context: Option<u64>) -> Option<u64> {
    let room = context.map(|context| context.saturating_sub(request.prompt.len() as u64));
    let asked = request.max_tokens.map(u64::from);
    asked.into_iter().chain(room).min()
}

/// Puts right what was set aside, once the samples are there.
pub struct Counted<S> {
    /// What was set aside.
    pub claim: Option<Claim>,
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Where the samples go.
    pub sink: S,
}

impl<S: DoneSink<Samples>> DoneSink<Samples> for Counted<S> {
    fn finish(&mut self, result: Result<Samples>) {
        if let Some(claim) = self.claim.take() {
            match &result {
                Ok(samples) => {
                    let sampled = samples.sequences.iter().map(|one| one.tokens.len() as u64);
                    let sample = sampled.sum();
                    claim.done(Tokens { prefill: self.prompt, sample, ..Tokens::default() });
                }
                Err(e) if nothing_done(e.kind()) => claim.refused(Tokens::default()),
                Err(_) => claim.lost(),
            }
        }
        self.sink.finish(result);
    }

    fn partial(&mut self, tokens: &[i32]) {
        self.sink.partial(tokens);
    }

    fn waiting(&mut self, reason: &str) {
        self.sink.waiting(reason);
    }

    fn cancelled(&self) -> bool {
        self.sink.cancelled()
    }
}

/// Samples leave no state behind: what is the request's fault cost nothing.
fn nothing_done(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::REJECTED
            | ErrorKind::NOT_FOUND
            | ErrorKind::CONFIG
            | ErrorKind::DATA
            | ErrorKind::UNSUPPORTED
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_ends_where_it_was_asked_to_or_with_the_context() {
        let of = |max_tokens, context| {
            let prompt = vec![1, 2, 3];
            most(&SampleRequest { prompt, max_tokens, ..SampleRequest::default() }, context)
        };
        assert_eq!(of(Some(6), Some(512)), Some(6));
        assert_eq!(of(Some(600), Some(512)), Some(509));
        assert_eq!(of(None, Some(512)), Some(509));
        assert_eq!(of(None, Some(2)), Some(0));
        assert_eq!(of(Some(6), None), Some(6));
        assert_eq!(of(None, None), None);
    }
}
