//! Rendered examples as text, for snapshots.

use super::MemoryServices;
use crate::{ColumnData, DatasetRenderer, Examples, Services};
use serde_json::Value;
use std::fmt::Write;

/// Renders `records` with a [`super::ByteTokenizer`] and shows the result.
///
/// # Panics
/// If the renderer refuses its config or fails as a whole. Refused records are shown.
#[must_use]
pub fn render_to_table<T: DatasetRenderer>(config: &Value, records: &[&str]) -> String {
    let services = MemoryServices::new().services();
    let rendered =
        super::renderer::<T>(config, &services).and_then(|renderer| renderer.render_batch(records));
    match rendered {
        Ok(examples) => table(&examples, &services),
        Err(e) => panic!("{e}"),
    }
}

/// One line a run of tokens of one weight: `record.ordinal`, the weight, the text; then the
/// columns of the example, and the refused records.
#[must_use]
pub fn table(examples: &Examples, services: &Services) -> String {
    let mut text = String::new();
    for i in 0..examples.len() {
        let label = format!("{}.{}", examples.record[i], examples.ordinal[i]);
        let range = examples.range(i);
        let mut start = range.start;
        while start < range.end {
            let weight = examples.weights[start];
            let same = |w: &&f32| w.to_bits() == weight.to_bits();
            let end = start + examples.weights[start..range.end].iter().take_while(same).count();
            let run = services.decode(&examples.tokens[start..end]);
            let run = run.unwrap_or_else(|e| format!("({e})"));
            line(&mut text, format_args!("{label}  {weight:.1}  {run:?}"));
            start = end;
        }
        for column in &examples.columns {
            let values = match &column.data {
                ColumnData::F32(values) => format!("{:?}", &values[range.clone()]),
                ColumnData::I64(values) => format!("{:?}", &values[range.clone()]),
            };
            line(&mut text, format_args!("{label}  {}  {values}", column.name));
        }
    }
    for refused in &examples.errors {
        line(&mut text, format_args!("{}  refused  {}", refused.record, refused.error));
    }
    text
}

fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{args}");
}
