//! A renderer for tests: what it makes of a record is a function.

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
