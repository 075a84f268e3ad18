//! A renderer that panics on demand, and does other things that a renderer must not.

use crate::Config;
use serde::Deserialize;
use tinsmith_plugin_api::{
    DatasetRenderer, Error, Examples, Parsed, Record, Result, Services, Stop,
};

pub(crate) struct Bad(Config);

#[derive(Deserialize)]
struct Row {
    act: String,
}

impl DatasetRenderer for Bad {
    const NAME: &'static str = "bad";
    type Config = Config;

    fn new(config: Config, _: Services) -> Result<Self> {
        config.reach("new");
        Ok(Self(config))
    }

    fn render(&self, record: &Record<'_>, out: &mut Examples) -> Result<()> {
        self.0.reach("render");
        match record.parse::<Row>()?.act.as_str() {
            "panic" => panic!("at a record"),
            "index" => {
                let nothing: Vec<i32> = Vec::new();
                out.token(nothing[3], 1.0).finish();
            }
            "refuse" => return Err(Error::data("is refused").at("act")),
            "forget to finish" => {
                out.token(7, 1.0);
            }
            "uneven" => {
                out.token(7, 1.0).finish();
                out.weights.pop();
            }
            "lose a group" => {
                out.token(7, 1.0).finish();
                out.group.pop();
            }
            "lose a record" => {
                out.token(7, 1.0).finish();
                out.record.pop();
            }
            "answer for another record" => {
                out.token(7, 1.0).finish();
                out.record.fill(4711);
            }
            "count backwards" => {
                out.token(7, 1.0).finish();
                out.token(7, 1.0).finish();
                out.offsets[1] = 9;
            }
            "count groups too far" => {
                out.token(7, 1.0).finish();
                out.group.fill(u64::MAX);
            }
            "skip" => {}
            _ => out.token(1, 1.0).finish(),
        }
        Ok(())
    }

    fn generation_prompt(&self, _: &serde_json::Value) -> Result<Vec<i32>> {
        self.0.reach("generation_prompt");
        Ok(vec![1])
    }

    fn stop(&self) -> Stop {
        self.0.reach("stop");
        Stop::default()
    }

    fn parse_response(&self, _: &[i32]) -> Result<Parsed> {
        self.0.reach("parse_response");
        Err(Error::unsupported("no response"))
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.0.reach("drop");
    }
}
