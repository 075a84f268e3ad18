//! For tests: a renderer that is a function, and examples that are weights.

use super::{
    Source,
    spool::{Place, Spool, Writer},
};
use serde_json::Value;
use tinsmith_plugin_api::{Error, Examples, Parsed, RecordError, RendererHandle, Result, Stop};

/// Tokens and their weight.
pub type Span = (Vec<i32>, f32);

/// Makes one example of each record, of the spans that the function gives for it; none where it
/// gives no token.
pub struct Fake(pub fn(&str) -> Result<Vec<Span>>);

impl RendererHandle for Fake {
    fn render_batch(&self, records: &[&str]) -> Result<Examples> {
        let mut out = Examples::default();
        for (record, json) in (0..).zip(records) {
            let before = out.len();
            match (self.0)(json) {
                Ok(spans) => {
                    for (tokens, weight) in spans {
                        out.span(&tokens, weight);
                    }
                    out.finish();
                    out.record[before..].fill(record);
                }
                Err(error) => out.errors.push(RecordError { record, error }),
            }
        }
        Ok(out)
    }

    fn generation_prompt(&self, _: &Value) -> Result<Vec<i32>> {
        Err(Error::unsupported("none"))
    }

    fn stop(&self) -> Result<Stop> {
        Ok(Stop::default())
    }

    fn parse_response(&self, _: &[i32]) -> Result<Parsed> {
        Err(Error::unsupported("none"))
    }
}

/// A spool of examples with these weights, each of its own row; the tokens of each are its number.
/// It lies in the folder.
pub fn spool(examples: impl IntoIterator<Item = Vec<f32>>) -> (tempfile::TempDir, Spool) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Place::Folder(dir.path().join("examples"))).unwrap();
    for (record, weights) in (0..).zip(examples) {
        let mut example = Examples::default();
        weights.iter().for_each(|weight| {
            example.span(&[record as i32], *weight);
        });
        example.finish();
        let source = Source { dataset: 0, line: record + 1, record };
        writer.add(&example, 0, weights.len(), record, source).unwrap();
    }
    let (train, ..) = writer.finish().unwrap().part(|_, _| false).unwrap();
    (dir, train)
}
