//! What the model makes of a prompt: one pass over it, and from each row of logits only what was asked
//! for.

use super::{generate::Generator, row::likeliest};
use crate::{
    model::ModelConfig,
    packed::{Packed, token_ids},
};
use tinsmith_plugin_api::{Batch, Error, PromptTargets, Result, SampleRequest, TopLogprobs};

/// Log-probabilities of a prompt, where they were asked for.
#[derive(Debug, Default)]
pub struct Scores {
    pub own: Option<Vec<Option<f32>>>,
    pub top: Option<TopLogprobs>,
    pub targets: Option<Vec<f32>>,
}

impl Generator<'_> {
    /// Scores a prompt. Row `i` of the logits tells of token `i + 1`; nothing tells of the first.
    pub fn scores(&self, request: &SampleRequest) -> Result<Scores> {
        let config = self.weights.base.model.config();
        let prompt = &request.prompt;
        let targets = request.target_prompt_logprobs.as_ref();
        if let Some(targets) = targets {
            check(targets, prompt.len(), config)?;
        }
        let scored = request.first_scored();
        let k = request.topk_prompt_logprobs as usize;
        let mut scores = Scores {
            own: request.prompt_logprobs.then(|| vec![None; prompt.len()]),
            top: (k > 0).then(|| vec![Vec::new(); prompt.len()]),
            targets: targets.map(|targets| vec![0.0; targets.ids.len()]),
        };
        let asked = scores.own.is_some() || scores.top.is_some();
        let first = [asked.then_some(scored - 1), targets.and_then(first_row)];
        let Some(first) = first.into_iter().flatten().min().filter(|_| prompt.len() > 1) else {
            return Ok(scores);
        };
        let logprobs = self.rows(prompt, first, &mut |row, logits, lse| {
            if row + 1 >= scored
                && let Some(top) = &mut scores.top
            {
                let logprob = |id: usize| (id as i32, logits[id] - lse);
                top[row + 1] = likeliest(logits, k).into_iter().map(logprob).collect();
            }
            if let (Some(found), Some(targets)) = (&mut scores.targets, targets) {
                let width = targets.width as usize;
                let row = row * width..(row + 1) * width;
                for (found, &id) in found[row.clone()].iter_mut().zip(&targets.ids[row]) {
                    if let Ok(id) = usize::try_from(id) {
                        *found = logits[id] - lse;
                    }
                }
            }
        })?;
        if let Some(own) = &mut scores.own {
            for (token, own) in own.iter_mut().enumerate().skip(scored) {
                *own = Some(logprobs[token - 1]);
            }
        }
        Ok(scores)
    }

    /// Log-probability of each prompt token after the first; `see` is shown the rows from `first` on.
    fn rows(
        &self,
        prompt: &[i32],
        first: usize,
        see: &mut (dyn FnMut(usize, &[f32], f32) + Send),
    ) -> Result<Vec<f32>> {
        let base = &self.weights.base.model;
        let (layout, params) = (&self.weights.layout, &self.weights.params);
        let inputs = &prompt[..prompt.len() - 1];
        let batch = Batch {
            tokens: inputs.to_vec(),
            targets: prompt[1..].to_vec(),
            offsets: vec![0, inputs.len() as u64],
            groups: vec![0],
            columns: Vec::new(),
        };
        let packed = Packed::new(&batch, base.config())?;
        self.pool.install(|| base.forward_seeing(layout, params, &packed, first, see))
    }
}

/// The first row that names a token.
fn first_row(targets: &PromptTargets) -> Option<usize> {
    Some(targets.ids.iter().position(|id| *id >= 0)? / targets.width as usize)
}

fn check(targets: &PromptTargets, prompt: usize, config: &ModelConfig) -> Result<()> {
    let wrong = |what: String| Err(Error::rejected(what).at("target_prompt_logprobs"));
    let (rows, width, given) = (prompt.saturating_sub(1), targets.width, targets.ids.len());
    if width == 0 || rows.checked_mul(width as usize) != Some(given) {
        return wrong(format!("has {given} ids for {rows} rows of {width}"));
    }
    let ids: Vec<i32> = targets.ids.iter().copied().filter(|id| *id != -1).collect();
    if ids.is_empty() {
        return wrong("names no token".into());
    }
    token_ids(&ids, "ids", config).map_err(|e| e.within("target_prompt_logprobs")).map(drop)
}
