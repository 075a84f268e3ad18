/*!
Answers to held-out prompts, before and after: greedy, so that they are the same every time.
*/

use super::{Stop, Watch, wait};
use crate::{Error, Result, config::Checks};
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use std::collections::VecDeque;
use tinsmith_plugin_api::{
    RendererHandle, SampleRequest, Sampler, Samples, Services, Ticket, ticket,
};

/// Requests that a sampler is given at once.
const IN_FLIGHT: usize = 8;

/// How prompts are answered.
pub struct Answering<'a> {
    /// Turns prompts into tokens and answers into text.
    pub renderer: &'a dyn RendererHandle,
    /// Decodes tokens.
    pub services: &'a Services,
    /// Longest answer, in tokens.
    pub max_tokens: u32,
    /// Whether the user asked to stop.
    pub stop: &'a Stop,
    /// Told why an answer takes long.
    pub watch: &'a dyn Watch,
    /// Told how many answers are there.
    pub answered: &'a dyn Fn(usize),
}

impl Answering<'_> {
    /// Answers each conversation, greedily. Fewer answers come back when the user asks to stop.
    ///
    /// # Errors
    /// Whatever renderer or sampler answer.
    pub fn all(&self, sampler: &dyn Sampler, prompts: &[&Value]) -> Result<Vec<String>> {
        let end = self.renderer.stop()?;
        let mut answers = Vec::new();
        let mut queue: VecDeque<Ticket<Samples>> = VecDeque::new();
        let mut rest = prompts.iter();
        loop {
            if self.stop.asked() {
                queue.iter().for_each(Ticket::cancel);
                return Ok(answers);
            }
            while queue.len() < IN_FLIGHT
                && let Some(messages) = rest.next()
            {
                let request = SampleRequest {
                    prompt: self.renderer.generation_prompt(messages)?,
                    max_tokens: Some(self.max_tokens),
                    temperature: 0.0,
                    stop_tokens: (!end.tokens.is_empty()).then(|| end.tokens.clone()),
                    stop_strings: end.strings.clone(),
                    ..SampleRequest::default()
                };
                let (done, ticket) = ticket();
                sampler.sample(request, done);
                queue.push_back(ticket);
            }
            let Some(ticket) = queue.pop_front() else { return Ok(answers) };
            let samples = wait(&ticket, self.watch)?;
            let sampled = samples
                .sequences
                .first()
                .ok_or_else(|| Error::failed("the sampler answered without a sample"))?;
            answers.push(text_of(self.renderer, self.services, &sampled.tokens)?);
            (self.answered)(answers.len());
        }
    }
}

/// The text of an answer: its content where the renderer can read it back, else all of it.
///
/// # Errors
/// `data` for a token that the tokenizer does not know.
pub fn text_of(
    renderer: &dyn RendererHandle,
    services: &Services,
    tokens: &[i32],
) -> Result<String> {
    if let Ok(parsed) = renderer.parse_response(tokens)
        && let Some(content) = parsed.message.get("content").and_then(Value::as_str)
    {
        return Ok(content.trim().to_owned());
    }
    Ok(services.decode(tokens)?.trim().to_owned())
}

impl std::fmt::Debug for Answering<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answering").field("max_tokens", &self.max_tokens).finish_non_exhaustive()
    }
}

/// What is measured on answers.
#[derive(Debug, Default)]
pub struct Scorer {
    form: Option<Regex>,
    facts: Option<Regex>,
}

/// What was measured on answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Share of answers that match the form as a whole.
    pub form: Option<f64>,
    /// Share of the references' facts that stand in the answers, whatever their case.
    pub recall: Option<f64>,
}

impl Scorer {
    /// From the config's regular expressions.
    ///
    /// # Errors
    /// `usage` that names the key, within the checks, of an expression that is none.
    pub fn new(checks: &Checks) -> Result<Self> {
        let compile = |key: &str, pattern: &str| {
            RegexBuilder::new(pattern).multi_line(true).build().map_err(|e| {
                let reason = e.to_string();
                let last = reason.lines().last().unwrap_or_default().trim().to_owned();
                Error::usage(format!("is not a regular expression: {last}")).field(key)
            })
        };
        let whole = |pattern: &String| compile("form", &format!(r"\A(?:{pattern})\z"));
        Ok(Self {
            form: checks.form.as_ref().map(whole).transpose()?,
            facts: checks.facts.as_ref().map(|p| compile("facts", p)).transpose()?,
        })
    }

    /// Measures answers against the references of the same prompts.
    #[must_use]
    pub fn score(&self, answers: &[String], references: &[&str]) -> Score {
        let share = |n: usize, of: usize| (of > 0).then(|| n as f64 / of as f64);
        let form = self.form.as_ref().and_then(|form| {
            share(answers.iter().filter(|a| form.is_match(a)).count(), answers.len())
        });
        let recall = self.facts.as_ref().and_then(|facts| {
            let (mut found, mut all) = (0, 0);
            for (answer, reference) in answers.iter().zip(references) {
                let answer = answer.to_lowercase();
                for fact in facts.find_iter(reference) {
                    all += 1;
                    found += usize::from(answer.contains(fact.as_str().to_lowercase().trim()));
                }
            }
            share(found, all)
        });
        Score { form, recall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scorer(form: &str, facts: &str) -> Scorer {
        Scorer::new(&Checks { form: Some(form.into()), facts: Some(facts.into()) }).unwrap()
    }

    #[test]
    fn shares_by_hand() {
        let scorer = scorer(r"(- .+\n?)+", r"^.+$");
        let answers = ["- a cat\n- a dog".to_owned(), "well: - A BIRD".to_owned()];
        let score = scorer.score(&answers, &["- a cat\n- a cow", "- a bird\n"]);
        assert_eq!(score, Score { form: Some(0.5), recall: Some(2.0 / 3.0) });
        assert_eq!(scorer.score(&[], &[]), Score::default());
    }

    #[test]
    fn a_wrong_expression_names_its_key() {
        let checks = Checks { form: None, facts: Some("(".into()) };
        let e = Scorer::new(&checks).unwrap_err();
        assert_eq!(e.field.as_deref(), Some("facts"));
    }
}
