//! Renderers as they cross: a batch of records in, packed examples out.

use super::{
    Contained, Exported, Imported, RawError,
    batch::RawOwnedColumn,
    config,
    error::from_raw,
    guard,
    services::{ServicesObject, import_services},
    std_types::{RBox, RResult, RSlice, RStr, RString, RVec},
};
use crate::{
    DatasetRenderer, Error, ErrorKind, Examples, Parsed, Record, RecordError, RendererHandle,
    Result, Stop,
};
use abi_stable::{StableAbi, sabi_trait, sabi_trait::TD_Opaque};
use serde_json::Value;
use std::cell::Cell;

/// [`DatasetRenderer`], laid out to cross.
#[sabi_trait]
pub trait RawRenderer: Send + Sync + 'static {
    /// Each record is the text of one JSON object; some hundred at a time.
    fn render_batch(&self, records: RSlice<'_, RStr<'_>>) -> RResult<RawExamples, RawError>;
    /// `messages` is a JSON array.
    fn generation_prompt(&self, messages: RStr<'_>) -> RResult<RVec<i32>, RawError>;
    /// A [`Stop`] as JSON.
    fn stop(&self) -> RResult<RString, RawError>;
    /// A [`Parsed`] as JSON.
    #[sabi(last_prefix_field)]
    fn parse_response(&self, tokens: RSlice<'_, i32>) -> RResult<RString, RawError>;
}

/// A renderer that crosses.
pub type RendererObject = RawRenderer_TO<RBox<()>>;

/// [`Examples`], laid out to cross. Arrays as there.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawExamples {
    tokens: RVec<i32>,
    weights: RVec<f32>,
    offsets: RVec<u64>,
    record: RVec<u32>,
    ordinal: RVec<u32>,
    group: RVec<u64>,
    columns: RVec<RawOwnedColumn>,
    errors: RVec<RawRecordError>,
}

/// [`RecordError`], laid out to cross.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawRecordError {
    record: u32,
    error: RawError,
}

/// Builds a renderer, plugin side.
pub extern "C" fn make_renderer<T: DatasetRenderer>(
    json: RStr<'_>,
    services: ServicesObject,
) -> RResult<RendererObject, RawError> {
    let what = format!("renderer `{}`", T::NAME);
    guard(&what, || {
        let config = config::parse(&what, json.as_str())?;
        let renderer = Contained::new(T::new(config, import_services(services))?);
        let held = Exported(Held { what: what.clone(), renderer });
        Ok(RawRenderer_TO::from_value(held, TD_Opaque))
    })
}

struct Held<T> {
    what: String,
    renderer: Contained<T>,
}

impl<T: DatasetRenderer> RawRenderer for Exported<Held<T>> {
    fn render_batch(&self, records: RSlice<'_, RStr<'_>>) -> RResult<RawExamples, RawError> {
        let current = Cell::new(0);
        let result = guard(&self.0.what, || {
            let renderer = self.0.renderer.get()?;
            let mut out = Examples::default();
            for (number, json) in (0u32..).zip(records.as_slice()) {
                current.set(number);
                render_one(renderer, number, json.as_str(), &mut out);
            }
            Ok(out.into())
        });
        // A panic fails the batch: say which record did it.
        result.map_err(|raw| {
            let e = Error::from(raw);
            let number = current.get();
            RawError::from(match e.kind() {
                ErrorKind::PANIC => e.context(format!("record {number} of the batch")),
                _ => e,
            })
        })
    }

    fn generation_prompt(&self, messages: RStr<'_>) -> RResult<RVec<i32>, RawError> {
        guard(&self.0.what, || {
            let messages: Value = serde_json::from_str(messages.as_str())?;
            Ok(self.0.renderer.get()?.generation_prompt(&messages)?.into())
        })
    }

    fn stop(&self) -> RResult<RString, RawError> {
        guard(&self.0.what, || Ok(serde_json::to_string(&self.0.renderer.get()?.stop())?.into()))
    }

    fn parse_response(&self, tokens: RSlice<'_, i32>) -> RResult<RString, RawError> {
        guard(&self.0.what, || {
            let parsed = self.0.renderer.get()?.parse_response(tokens.as_slice())?;
            Ok(serde_json::to_string(&parsed)?.into())
        })
    }
}

fn render_one<T: DatasetRenderer>(renderer: &T, number: u32, json: &str, out: &mut Examples) {
    let finished = out.len();
    out.begin_record(number);
    let mut result = renderer.render(&Record::new(json), out);
    if result.is_ok() && out.open_tokens() > 0 {
        // Forgetting `finish` must not lose the example without a word.
        let message = format!("{} tokens after the last finished example", out.open_tokens());
        let hint = "the renderer must end each example with `out.finish()`";
        result = Err(Error::new(ErrorKind::OTHER, message).with_hint(hint));
    }
    out.end_record(result, finished);
}

/// The arrays of [`Examples`] are public: a renderer that writes them itself may get them wrong, and
/// who uses them indexes one by another.
fn check(out: &Examples, records: usize) -> Result<()> {
    let (tokens, examples) = (out.tokens.len(), out.offsets.len().saturating_sub(1));
    let spanned = out.offsets.first() == Some(&0)
        && out.offsets.last() == Some(&(tokens as u64))
        && out.offsets.is_sorted();
    let mut named = out.record.iter().chain(out.errors.iter().map(|e| &e.record));
    let wrong = if !spanned {
        "offsets that do not span its tokens"
    } else if out.weights.len() != tokens || out.columns.iter().any(|c| c.len() != tokens) {
        "weights or a column without one value a token"
    } else if [&out.record, &out.ordinal].iter().any(|array| array.len() != examples)
        || out.group.len() != examples
    {
        "records, ordinals or groups without one value an example"
    } else if named.any(|record| *record as usize >= records) {
        "a record that it was not given"
    } else if out.group.iter().any(|group| u32::try_from(*group).is_err()) {
        "a group number above 2³²"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::OTHER, format!("the renderer answered {wrong}"))
        .with_hint("this is a bug: report it to the plugin's author"))
}

impl From<Examples> for RawExamples {
    fn from(out: Examples) -> Self {
        let error = |e: RecordError| RawRecordError { record: e.record, error: e.error.into() };
        Self {
            tokens: out.tokens.into(),
            weights: out.weights.into(),
            offsets: out.offsets.into(),
            record: out.record.into(),
            ordinal: out.ordinal.into(),
            group: out.group.into(),
            columns: out.columns.into_iter().map(RawOwnedColumn::from).collect(),
            errors: out.errors.into_iter().map(error).collect(),
        }
    }
}

impl From<RawExamples> for Examples {
    fn from(raw: RawExamples) -> Self {
        let error = |e: RawRecordError| RecordError { record: e.record, error: e.error.into() };
        let mut out = Self::default();
        out.tokens = raw.tokens.into_vec();
        out.weights = raw.weights.into_vec();
        out.offsets = raw.offsets.into_vec();
        out.record = raw.record.into_vec();
        out.ordinal = raw.ordinal.into_vec();
        out.group = raw.group.into_vec();
        out.columns = raw.columns.into_iter().map(Into::into).collect();
        out.errors = raw.errors.into_iter().map(error).collect();
        out
    }
}

impl RendererHandle for Imported<RendererObject> {
    fn render_batch(&self, records: &[&str]) -> Result<Examples> {
        let texts: Vec<RStr<'_>> = records.iter().map(|text| RStr::from(*text)).collect();
        let out = from_raw(self.0.render_batch(texts.as_slice().into())).map(Examples::from)?;
        check(&out, records.len())?;
        Ok(out)
    }

    fn generation_prompt(&self, messages: &Value) -> Result<Vec<i32>> {
        let json = serde_json::to_string(messages)?;
        from_raw(self.0.generation_prompt(json.as_str().into())).map(RVec::into_vec)
    }

    fn stop(&self) -> Result<Stop> {
        Ok(serde_json::from_str(&from_raw(self.0.stop())?)?)
    }

    fn parse_response(&self, tokens: &[i32]) -> Result<Parsed> {
        Ok(serde_json::from_str(&from_raw(self.0.parse_response(tokens.into()))?)?)
    }
}
