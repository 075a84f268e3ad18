//! Picks the next token from logits.

use super::row::{Row, keep_likeliest};
use tinsmith_plugin_api::{Error, Result, SampleRequest};

/// How to pick.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    temperature: f64,
    /// Keep so many of the likeliest; none: all.
    top_k: Option<usize>,
    /// Of those, keep the likeliest that make up this share.
    top_p: f64,
}

impl Rule {
    /// The rule of a request.
    ///
    /// # Errors
    /// `rejected`, naming the setting that makes no sense.
    pub fn new(request: &SampleRequest) -> Result<Self> {
        let SampleRequest { temperature, top_k, top_p, .. } = *request;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(
                Error::rejected(format!("must be at least 0, is {temperature}")).at("temperature")
            );
        }
        if top_k < -1 {
            return Err(Error::rejected(format!("must be at least -1, is {top_k}")).at("top_k"));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(
                Error::rejected(format!("must be above 0 and at most 1, is {top_p}")).at("top_p")
            );
        }
        Ok(Self {
            temperature: f64::from(temperature),
            top_k: usize::try_from(top_k).ok().filter(|k| *k > 0),
            top_p: f64::from(top_p),
        })
    }

    /// The token that `uniform` (in 0..1) falls on.
    pub fn choose(&self, row: &Row<'_>, uniform: f64) -> usize {
        match self.temperature {
            0.0 => row.likeliest,
            _ => self.draw(row.logits, row.max, uniform),
        }
    }

    fn draw(&self, logits: &[f32], max: f64, uniform: f64) -> usize {
        let weight = |id: usize| ((f64::from(logits[id]) - max) / self.temperature).exp();
        let mut kept: Vec<usize> = (0..logits.len()).collect();
        if self.top_k.is_some() || self.top_p < 1.0 {
            self.cut(logits, &mut kept, weight);
        }
        let total: f64 = kept.iter().map(|&id| weight(id)).sum();
        let mut left = uniform * total;
        for &id in &kept {
            left -= weight(id);
            if left < 0.0 {
                return id;
            }
        }
        // Rounding may leave a crumb after the last.
        kept.iter().rev().copied().find(|&id| weight(id) > 0.0).unwrap_or(kept[0])
    }

    /// Leaves the likeliest tokens, in falling order; among equals the smaller id comes first.
    fn cut(&self, logits: &[f32], kept: &mut Vec<usize>, weight: impl Fn(usize) -> f64) {
        keep_likeliest(logits, kept, self.top_k.unwrap_or(usize::MAX));
        let total: f64 = kept.iter().map(|&id| weight(id)).sum();
        let mut share = 0.0;
        let mut keep = 0;
        while keep < kept.len() && share < self.top_p * total {
            share += weight(kept[keep]);
            keep += 1;
        }
        kept.truncate(keep.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(temperature: f32, top_k: i32, top_p: f32) -> Rule {
        Rule::new(&SampleRequest { temperature, top_k, top_p, ..SampleRequest::default() }).unwrap()
    }

    /// Shares of each token over evenly spaced draws.
    fn shares(rule: Rule, logits: &[f32]) -> Vec<f64> {
        let n = 10_000;
        let mut shares = vec![0.0; logits.len()];
        for i in 0..n {
            let row = Row::new(logits).unwrap();
            let token = rule.choose(&row, (f64::from(i) + 0.5) / f64::from(n));
            shares[token] += 1.0 / f64::from(n);
        }
        shares
    }

    /// Logits whose softmax is 0.5, 0.25, 0.125, 0.125.
    const LOGITS: [f32; 4] = [2.0 * std::f32::consts::LN_2, std::f32::consts::LN_2, 0.0, 0.0];

    #[track_caller]
    fn close(found: &[f64], expected: &[f64]) {
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-3, "{found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn tokens_come_in_proportion_to_the_cut_and_tempered_distribution() {
        close(&shares(rule(1.0, -1, 1.0), &LOGITS), &[0.5, 0.25, 0.125, 0.125]);
        // Temperature ½ squares the odds: 16, 4, 1, 1 of 22.
        close(
            &shares(rule(0.5, 0, 1.0), &LOGITS),
            &[16.0 / 22.0, 4.0 / 22.0, 1.0 / 22.0, 1.0 / 22.0],
        );
        close(&shares(rule(1.0, 2, 1.0), &LOGITS), &[2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        // 0.5 does not reach 0.7, so the second is in.
        close(&shares(rule(1.0, -1, 0.7), &LOGITS), &[2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        // top_p acts on what top_k left: 0.8 of (4/7, 2/7, 1/7) needs two.
        close(&shares(rule(1.0, 3, 0.8), &LOGITS), &[2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        close(&shares(rule(0.0, -1, 1.0), &[0.0, 2.0, 2.0]), &[0.0, 1.0, 0.0]);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let field = |change: fn(&mut SampleRequest)| {
            let mut request = SampleRequest::default();
            change(&mut request);
            Rule::new(&request).unwrap_err().field().map(str::to_owned)
        };
        assert_eq!(field(|r| r.temperature = -1.0).as_deref(), Some("temperature"));
        assert_eq!(field(|r| r.temperature = f32::NAN).as_deref(), Some("temperature"));
        assert_eq!(field(|r| r.top_p = 0.0).as_deref(), Some("top_p"));
        assert_eq!(field(|r| r.top_k = -2).as_deref(), Some("top_k"));
    }
}
