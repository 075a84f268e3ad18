//! The date that some formats tell the model.

use jiff::{Timestamp, civil::Date, tz::Offset};
use tinsmith_plugin_api::{Error, Result};

/// The date of the setting `current_date`, else today's, in UTC.
///
/// # Errors
/// A config error if it is no date.
pub(crate) fn current(setting: Option<&str>) -> Result<Date> {
    let Some(text) = setting else { return Ok(Offset::UTC.to_datetime(Timestamp::now()).date()) };
    text.parse().map_err(|_| {
        Error::config(format!("`{text}` is not a date"))
            .at("current_date")
            .with_hint("write it as `2026-01-31`")
    })
}
