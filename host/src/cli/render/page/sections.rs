//! What stands above the examples: figures, refused rows, and what to look with.

use super::Page;
use crate::{
    cli::preflight,
    data::DataReport,
    page,
    text::{escape, grouped, plural},
};
use std::fmt::Write;

impl Page<'_> {
    // Writing to a string cannot fail: what `write!` answers is dropped below.

    /// What it is, in figures.
    pub(super) fn top(&self, title: &str, report: &DataReport, out: &mut String) {
        let config = &self.opened.tools.loaded.config;
        let what = if self.prompts { "the prompts of inference" } else { "as training sees it" };
        let limit = match self.opened.limits.max_length {
            usize::MAX => "no limit of length".to_owned(),
            n => {
                let policy = serde_json::to_value(self.opened.limits.overlong).unwrap_or_default();
                let policy = policy.as_str().unwrap_or_default();
                format!("<code>max_length</code> {n}, <code>overlong: {policy}</code>")
            }
        };
        let _ = writeln!(
            out,
            "<h1>{}</h1>\n<p class=\"sub\">{what}: renderer <code>{}</code>, <code>train_on: \
             {}</code>, {limit}, tokenizer <code>{}</code></p>",
            escape(title),
            escape(self.opened.tools.renderer_name()),
            escape(&config.data.train_on),
            escape(config.model.tokenizer.as_deref().unwrap_or(&config.model.base_model)),
        );
        let lines = preflight::lines(report);
        let share = 100.0 * report.trained_tokens as f64 / report.tokens.max(1) as f64;
        let mut cards = vec![
            ("rows", grouped(report.rows)),
            ("rows refused", grouped(report.refused)),
            ("examples in use", grouped(report.examples)),
            ("examples left out", grouped(report.dropped_examples + report.untrained_examples)),
            ("examples cut", grouped(report.truncated)),
            ("tokens read", grouped(report.tokens)),
            ("tokens trained", format!("{} ({share:.0} %)", grouped(report.trained_tokens))),
        ];
        if self.prompts {
            cards.retain(|(name, _)| name.starts_with("rows"));
            cards.push(("prompts", grouped(self.seen)));
        }
        out.push_str("<div class=\"cards\">\n");
        for (name, value) in cards {
            let _ = writeln!(out, "<div class=\"card\"><b>{value}</b><span>{name}</span></div>");
        }
        out.push_str("</div>\n<div class=\"pair\">\n");
        out.push_str(&page::bars(
            "Length of examples, tokens",
            "tokens",
            "examples",
            &self.lengths.histogram(),
        ));
        if !self.prompts {
            let bars = self.trained.histogram();
            out.push_str(&page::bars("Trained tokens of examples", "tokens", "examples", &bars));
        }
        out.push_str("</div>\n");
        if !self.prompts {
            out.push_str("<details><summary>What became of every row</summary>\n<table>\n");
            for (name, text) in lines {
                let _ = writeln!(out, "<tr><th>{name}</th><td>{}</td></tr>", escape(&text));
            }
            out.push_str("</table>\n</details>\n");
        }
    }

    /// Refused rows, each with its place and its hint.
    pub(super) fn refusals(&self, report: &DataReport, out: &mut String) {
        if self.refused.is_empty() {
            return;
        }
        let _ = writeln!(
            out,
            "<section id=\"refused\"><h2>Refused rows: {}</h2>\n<div class=\"wide\"><table>\n<tr>\
             <th>place</th><th>field</th><th>what is wrong, and what to do</th></tr>",
            grouped(report.refused)
        );
        for row in &self.refused {
            let column = row.column.map(|c| format!(":{c}")).unwrap_or_default();
            let hint = row.hint.as_deref().map(|h| format!("<br><i>hint: {}</i>", escape(h)));
            let _ = writeln!(
                out,
                "<tr><td><code>{}:{}{column}</code></td><td><code>{}</code></td><td>{}{}</td></tr>",
                escape(&row.file),
                row.line,
                escape(row.field.as_deref().unwrap_or_default()),
                escape(&row.message),
                hint.unwrap_or_default()
            );
        }
        out.push_str("</table></div>\n");
        let rest = report.refused - self.refused.len() as u64;
        if rest > 0 {
            let rest = plural(rest, "more row");
            let _ = writeln!(out, "<p class=\"note\">{rest}: <code>data check --all</code></p>");
        }
        out.push_str("</section>\n");
    }

    /// Search, filter, place to go to, legend, and the empty list of examples.
    pub(super) fn controls(&self, report: &DataReport, out: &mut String) {
        out.push_str("<h2>Examples</h2>\n");
        let seen = self.seen;
        if (self.shown as u64) < seen {
            let hint = match self.limited {
                true => "the page would be too large with more",
                false => "<code>--limit N</code> shows the first N records",
            };
            let _ = writeln!(
                out,
                "<p class=\"note\">{} of {} are on this page: the first, and the first of each \
                 problem; {hint}. The figures above tell of all {} read.</p>",
                grouped(self.shown as u64),
                plural(seen, "example"),
                plural(report.rows, "row")
            );
        }
        out.push_str(
            "<noscript><p class=\"alert\">The examples are drawn by a script, and scripts are off. \
             <code>tinsmith render</code> without <code>--format html</code> shows them as \
             text.</p></noscript>\n<form id=\"controls\" role=\"search\">\n\
             <label>Search text <input id=\"search\" type=\"search\" autocomplete=\"off\" \
             spellcheck=\"false\"></label>\n\
             <label>Show <select id=\"filter\"></select></label>\n\
             <label>Go to <select id=\"unit\"><option>line</option><option>record</option></select>\
             </label>\n<label><span class=\"hide\">number</span><input id=\"goto\" type=\"number\" \
             min=\"0\" placeholder=\"number\"></label>\n",
        );
        if self.files.len() > 1 {
            out.push_str("<label>of <select id=\"file\"></select></label>\n");
        }
        out.push_str(
            "<label><input id=\"edges\" type=\"checkbox\" checked> token edges</label>\n\
             <output id=\"count\"></output>\n</form>\n\
             <p class=\"legend\"><span class=\"t\">context</span> \
             <span class=\"t w one\">trained, weight 1</span> \
             <sup class=\"wl\">0.5</sup><span class=\"t w part half\">trained, weight 0.5</span> \
             <span class=\"t k1\">control token</span> <span class=\"t k2\">added token</span> \
             <span class=\"t x\">text that spells a control token</span> \
             <span class=\"t\">⏎ line end, ⇥ tab, · rest of a character</span></p>\n\
             <p class=\"note\">Point at a token, or walk with the arrow keys, to see its id, weight \
             and bytes.</p>\n<div id=\"examples\"></div>\n<p><button id=\"more\" type=\"button\" \
             hidden>Show more</button></p>\n\
             <div id=\"info\" role=\"status\" aria-live=\"polite\"></div>\n",
        );
    }
}
