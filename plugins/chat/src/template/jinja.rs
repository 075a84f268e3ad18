//! Chat templates as `transformers` runs them: Jinja2 with `trim_blocks` and `lstrip_blocks`,
//! Python's string and dict methods, `raise_exception`, `strftime_now`, Python's JSON, loop
//! controls, and `{% generation %}` blocks.

use super::{marks::mark_generation, record::Conversation};
use crate::{config::TemplateConfig, date};
use minijinja::{
    Environment, ErrorKind, Value,
    syntax::SyntaxConfig,
    value::{Kwargs, Serde},
};
use serde_json::ser::Formatter;
use std::{collections::BTreeMap, io};
use tinsmith_plugin_api::{Error, Result, TokenizerInfo};

/// A compiled chat template.
#[derive(Debug)]
pub(super) struct Jinja {
    environment: Environment<'static>,
    /// Variables that are the same for every record.
    constants: BTreeMap<String, Value>,
    /// Whether the template says itself which parts the assistant writes.
    pub(super) marks: bool,
}

const NAME: &str = "chat_template";

impl Jinja {
    pub(super) fn new(source: &str, info: &TokenizerInfo, config: &TemplateConfig) -> Result<Self> {
        let (source, marks) = mark_generation(source);
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        let syntax = syntax.trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| Error::config(e.to_string()))?);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |text: String| -> Result<(), _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, text))
        });
        let now = now(config.current_date.as_deref())?;
        environment.add_function("strftime_now", move |format: String| {
            jiff::fmt::strtime::format(&format, now)
                .map_err(|e| minijinja::Error::new(ErrorKind::InvalidOperation, e.to_string()))
        });
        environment.add_filter("tojson", to_json);
        environment.add_template_owned(NAME, source).map_err(|e| {
            Error::config(format!("the chat template cannot be read: {}", one_line(&e)))
                .at("chat_template")
                .with_hint("it must be a jinja template as `transformers` takes it")
        })?;
        let mut constants = BTreeMap::from([("documents".to_owned(), Value::from(()))]);
        for (name, token) in [("bos_token", &info.bos_token), ("eos_token", &info.eos_token)] {
            if let Some(token) = token {
                constants.insert(name.to_owned(), Value::from(token.as_str()));
            }
        }
        for (name, value) in &config.variables {
            constants.insert(name.clone(), Value::from(Serde(value)));
        }
        Ok(Self { environment, constants, marks })
    }

    /// Renders the first `count` messages; with `prompt`, up to the assistant's next words.
    ///
    /// # Errors
    /// A data error with what the template says.
    pub(super) fn render(&self, talk: &Conversation, count: usize, prompt: bool) -> Result<String> {
        let refuse = |e: minijinja::Error| {
            Error::data(format!("the chat template refuses the conversation: {}", one_line(&e)))
                .at("messages")
                .with_hint("change the record, or choose another renderer")
        };
        let template = self.environment.get_template(NAME).map_err(refuse)?;
        let mut context = self.constants.clone();
        context.insert("messages".into(), Value::from(talk.messages[..count].to_vec()));
        context.insert("tools".into(), talk.tools.clone());
        context.insert("add_generation_prompt".into(), Value::from(prompt));
        template.render(Value::from(context)).map_err(refuse)
    }
}

/// The message, its detail and the line of the template.
fn one_line(e: &minijinja::Error) -> String {
    let what = e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    match e.line() {
        Some(line) => format!("{what} (line {line} of the template)"),
        None => what,
    }
}

/// The instant that `strftime_now` tells, fixed when the run begins.
fn now(current_date: Option<&str>) -> Result<jiff::civil::DateTime> {
    match current_date {
        None => Ok(jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now())),
        given => Ok(date::current(given)?.to_datetime(jiff::civil::Time::midnight())),
    }
}

/// `tojson` as `transformers` defines it: Python's separators, no escapes for HTML or beyond ASCII.
#[allow(clippy::needless_pass_by_value)] // the engine's signature of a filter
fn to_json(value: &Value, options: Kwargs) -> Result<String, minijinja::Error> {
    let fail = |e: &dyn std::fmt::Display| {
        minijinja::Error::new(ErrorKind::BadSerialization, e.to_string())
    };
    let indent: Option<usize> = options.get("indent")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    // Accepted, and without effect on what JSON can hold.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut value = serde_json::to_value(value).map_err(|e| fail(&e))?;
    if sort_keys == Some(true) {
        value.sort_all_objects();
    }
    let mut bytes = Vec::new();
    let written = match indent {
        None => {
            let mut out = serde_json::Serializer::with_formatter(&mut bytes, PythonJson);
            serde::Serialize::serialize(&value, &mut out)
        }
        Some(width) => {
            let spaces = " ".repeat(width.min(64));
            let pretty = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            let mut out = serde_json::Serializer::with_formatter(&mut bytes, pretty);
            serde::Serialize::serialize(&value, &mut out)
        }
    };
    written.map_err(|e| fail(&e))?;
    String::from_utf8(bytes).map_err(|e| fail(&e))
}

/// `{"a": 1, "b": [2, 3]}`, as Python's `json.dumps` writes it.
struct PythonJson;

impl Formatter for PythonJson {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, variables: serde_json::Value) -> Result<String> {
        let serde_json::Value::Object(variables) = variables else { panic!("an object") };
        let current_date = Some("2026-02-03".to_owned());
        let config = TemplateConfig { variables, current_date, ..TemplateConfig::default() };
        let info = TokenizerInfo { bos_token: Some("<s>".into()), ..TokenizerInfo::default() };
        let jinja = Jinja::new(source, &info, &config)?;
        jinja.render(&Conversation::default(), 0, true)
    }

    /// Expected values: `transformers.utils.chat_template_utils.render_jinja_template` and Python's
    /// `json.dumps`, by hand.
    #[test]
    fn templates_run_as_transformers_runs_them() {
        let empty = || serde_json::json!({});
        let rows = [
            ("{{ bos_token }}{{ eos_token }}|", empty(), "<s>|"),
            ("  {% if true %}\nx\n  {% endif %}\ny", empty(), "x\ny"),
            ("{{ strftime_now('%d %b %Y') }}", empty(), "03 Feb 2026"),
            ("{{ 'a</think>b'.split('</think>')[-1].strip('b') }}|", empty(), "|"),
            (
                "{% for x in [1,2,3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
                empty(),
                "1",
            ),
            (
                "{{ x | tojson }}",
                serde_json::json!({"x": {"b": [1, 2.5, "é<"], "a": null}}),
                "{\"b\": [1, 2.5, \"é<\"], \"a\": null}",
            ),
            ("{{ x | tojson(indent=2) }}", serde_json::json!({"x": {"b": 1}}), "{\n  \"b\": 1\n}"),
            ("{% if tools is none and add_generation_prompt %}go{% endif %}", empty(), "go"),
            (
                "{% for k, v in x.items() %}{{ k }}={{ v }};{% endfor %}",
                serde_json::json!({"x": {"b": 1, "a": 2}}),
                "b=1;a=2;",
            ),
        ];
        for (source, variables, expected) in rows {
            assert_eq!(render(source, variables).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn a_template_that_refuses_says_why() {
        let e = render("\n{{ raise_exception('roles must\nalternate') }}", serde_json::json!({}));
        assert_eq!(
            e.unwrap_err().to_string(),
            "`messages`: the chat template refuses the conversation: roles must alternate \
             (line 2 of the template)"
        );
        let e = render("{% if %}", serde_json::json!({})).unwrap_err();
        assert_eq!(e.kind(), tinsmith_plugin_api::ErrorKind::CONFIG);
    }
}
