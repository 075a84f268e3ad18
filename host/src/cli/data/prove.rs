/*!
The mask, proved: what is trained is what inference asks for.

For each assistant message of a record, the prompt that inference would give the model must be the
very beginning of the example, every run of trained tokens must begin where one of these prompts
ends, and the trained tokens must read back as the message.
*/

use crate::{
    Error, Result,
    cli::render::Opened,
    data::{Fate, Mapping, Refused, Rendered, Row, map_record},
    text::{grouped, plural},
};
use serde_json::Value;
use std::sync::Arc;
use tinsmith_plugin_api::{ErrorKind, Record, RendererHandle};

/// Modes in which only answers are trained: only for these is there something to prove.
const MODES: [&str; 3] =
    ["all_assistant_messages", "last_assistant_message", "last_assistant_turn"];

/// Proves examples of one renderer.
pub struct Prover {
    renderer: Arc<dyn RendererHandle>,
    /// How the records of each dataset are read.
    mappings: Vec<Mapping>,
    /// Examples that are proved.
    pub proved: u64,
    /// Examples of which nothing can be proved: cut ones, and those of records without messages.
    pub unprovable: u64,
}

/// What a proof came to.
enum Proof {
    Holds,
    /// Inference has no prompt to compare with.
    Impossible,
    Fails(String),
}

impl Prover {
    /// For the renderer and mode of a config.
    ///
    /// # Errors
    /// A usage error for a mode that also trains what inference gives.
    pub fn new(opened: &Opened) -> Result<Self> {
        let mode = &opened.tools.loaded.config.data.train_on;
        if !MODES.contains(&mode.as_str()) {
            return Err(Error::usage(format!("`--prove` proves answers, `train_on` is `{mode}`"))
                .hint(format!("use it with one of: {}", MODES.join(", "))));
        }
        let mappings = opened.sources.iter().map(|s| s.mapping.clone()).collect();
        let renderer = Arc::clone(&opened.tools.renderer);
        Ok(Self { renderer, mappings, proved: 0, unprovable: 0 })
    }

    /// The proofs so far, in words.
    pub fn summary(&self) -> String {
        let proved = format!("{} proved", plural(self.proved, "example"));
        match self.unprovable {
            0 => proved,
            n => format!(
                "{proved}, nothing to prove for {}: cut, or of records without `messages`",
                grouped(n)
            ),
        }
    }

    /// The rows of a batch of which the proof fails.
    ///
    /// # Errors
    /// If the renderer cannot make prompts at all.
    pub fn prove(&mut self, batch: &Rendered, fates: &[Fate]) -> Result<Vec<Refused>> {
        let mut failed = Vec::new();
        for (i, fate) in fates.iter().enumerate() {
            match fate {
                // Without its oldest turns it is no longer what the record says.
                Fate::Used { cut: None, .. }
                    if !batch.shortened.iter().any(|s| s.record == batch.examples.record[i]) => {}
                Fate::Used { .. } => {
                    self.unprovable += 1;
                    continue;
                }
                _ => continue,
            }
            let given = batch.given[batch.examples.record[i] as usize] as usize;
            let row: &Row = &batch.lines.rows[given];
            let range = batch.examples.range(i);
            let (tokens, weights) =
                (&batch.examples.tokens[range.clone()], &batch.examples.weights[range]);
            let mapping = &self.mappings[batch.dataset];
            let Ok(record) = map_record(batch.lines.text(row), mapping) else { continue };
            // The two of a pair are two examples.
            let which = match record.conversations() {
                [_, _] => batch.examples.ordinal[i] as usize,
                _ => 0,
            };
            let Some(conversation) = record.conversations().get(which) else {
                self.unprovable += 1;
                continue;
            };
            match self.proof(&conversation.json, tokens, weights)? {
                Proof::Holds => self.proved += 1,
                Proof::Impossible => self.unprovable += 1,
                Proof::Fails(what) => {
                    failed.push(batch.lines.refuse(row, None, Error::data(what)));
                }
            }
        }
        Ok(failed)
    }

    fn proof(&self, json: &str, tokens: &[i32], weights: &[f32]) -> Result<Proof> {
        let record = Record::new(json);
        let Ok(Some(Value::Array(messages))) = record.get("messages") else {
            return Ok(Proof::Impossible);
        };
        let runs = runs(weights);
        let mut proved = vec![false; runs.len()];
        for (at, message) in messages.iter().enumerate() {
            if message["role"] != "assistant" {
                continue;
            }
            let before = Value::Array(messages[..at].to_vec());
            let prompt = match self.renderer.generation_prompt(&before) {
                Ok(prompt) => prompt,
                Err(e) if e.kind() == ErrorKind::DATA => continue,
                Err(e) => return Err(e.into()),
            };
            let Some(run) = runs.iter().position(|r| r.start == prompt.len()) else { continue };
            if !tokens.starts_with(&prompt) {
                let same = tokens.iter().zip(&prompt).take_while(|(a, b)| a == b).count();
                return Ok(Proof::Fails(format!(
                    "`messages[{at}]` is trained after a prompt that differs from that of \
                     inference from token {same} on"
                )));
            }
            let parsed = self.renderer.parse_response(&tokens[runs[run].clone()])?;
            if let (Some(read), Some(written)) =
                (parsed.message["content"].as_str(), message["content"].as_str())
                && read.trim() != written.trim()
            {
                return Ok(Proof::Fails(format!("`messages[{at}]` does not read back: `{read}`")));
            }
            proved[run] = true;
        }
        Ok(match proved.iter().position(|p| !p) {
            None => Proof::Holds,
            Some(run) => Proof::Fails(format!(
                "token {} is trained, and no prompt of inference ends there",
                runs[run].start
            )),
        })
    }
}

/// Maximal runs of trained tokens.
fn runs(weights: &[f32]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, _) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
        match runs.last_mut() {
            Some(run) if run.end == i => run.end = i + 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}
