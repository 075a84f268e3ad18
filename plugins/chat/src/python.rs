//! What Python writes: chat formats were laid down by programs in Python, down to how `json.dumps`
//! spells a float.

use serde_json::{Number, Value};
use std::fmt::Write;

/// How JSON is spelt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    /// Whether characters beyond ASCII become `\u` escapes.
    ascii: bool,
    /// Whether there is a space behind `,` and `:`.
    spaces: bool,
    /// Whether keys are sorted.
    sorted: bool,
}

/// `json.dumps(value)`
pub(crate) const DUMPS: Spelling = Spelling { ascii: true, spaces: true, sorted: false };
/// `json.dumps(value, ensure_ascii=False)`
pub(crate) const PLAIN: Spelling = Spelling { ascii: false, ..DUMPS };
/// `json.dumps(value, separators=(",", ":"), sort_keys=True)`
pub(crate) const DENSE: Spelling = Spelling { spaces: false, sorted: true, ..DUMPS };

/// Spells a tree.
pub(crate) fn json(value: &Value, spelling: Spelling) -> String {
    let mut out = String::new();
    write(value, spelling, &mut out);
    out
}

fn write(value: &Value, spelling: Spelling, out: &mut String) {
    let comma = if spelling.spaces { ", " } else { "," };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&self::number(number)),
        Value::String(text) => string(text, spelling.ascii, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { comma } else { "" });
                write(item, spelling, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            if spelling.sorted {
                fields.sort_by_key(|(key, _)| *key);
            }
            out.push('{');
            for (i, (key, item)) in fields.into_iter().enumerate() {
                out.push_str(if i > 0 { comma } else { "" });
                string(key, spelling.ascii, out);
                out.push_str(if spelling.spaces { ": " } else { ":" });
                write(item, spelling, out);
            }
            out.push('}');
        }
    }
}

fn string(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (ascii && c > '~') => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `str(value)`, for what JSON can hold beside objects and lists.
pub(crate) fn display(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(yes) => (if *yes { "True" } else { "False" }).to_owned(),
        Value::Number(number) => self::number(number),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => json(value, DUMPS),
    }
}

fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float(value),
        _ => number.to_string(),
    }
}

/// `repr(value)`: the shortest digits that read back the same, with an exponent below 1e-4 and from
/// 1e16 on.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if (-4..16).contains(&exponent) => format!("{value:?}"),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        Err(_) => scientific,
    }
}

/// Whether `str.strip` takes it.
fn space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text.strip()`
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(space)
}

/// `text.lstrip()`
pub(crate) fn lstrip(text: &str) -> &str {
    text.trim_start_matches(space)
}

/// `text.rstrip()`
pub(crate) fn rstrip(text: &str) -> &str {
    text.trim_end_matches(space)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: CPython 3.12.
    #[test]
    fn json_is_spelt_as_python_spells_it() {
        let tree = r#"{"b": [1, -0.0, 1.0, 1e16, 123456789012345.6, 1e-5, 0.0001, 5e-324],
            "a": "é\u0001\"\\\n\ud83d\ude00\u007f/", "c": {}, "d": [], "e": null, "f": true}"#;
        let tree: Value = serde_json::from_str(tree).unwrap();
        assert_eq!(
            json(&tree, DUMPS),
            "{\"b\": [1, -0.0, 1.0, 1e+16, 123456789012345.6, 1e-05, 0.0001, 5e-324], \
             \"a\": \"\\u00e9\\u0001\\\"\\\\\\n\\ud83d\\ude00\\u007f/\", \"c\": {}, \"d\": [], \
             \"e\": null, \"f\": true}"
        );
        let small = serde_json::json!({"b": [1, "é"], "a": 2});
        assert_eq!(json(&small, PLAIN), r#"{"b": [1, "é"], "a": 2}"#);
        assert_eq!(json(&small, DENSE), r#"{"a":2,"b":[1,"\u00e9"]}"#);
    }

    #[test]
    fn scalars_are_displayed_as_python_displays_them() {
        let tree = serde_json::json!([null, true, false, 3, 2.50, 1e22, "x y", {"a": [1]}]);
        let shown: Vec<String> = tree.as_array().unwrap().iter().map(display).collect();
        let expected = ["None", "True", "False", "3", "2.5", "1e+22", "x y", "{\"a\": [1]}"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn strip_takes_what_python_takes() {
        assert_eq!(strip("\u{1c} \u{85}\u{3000}a\u{200b} \u{1f}\n"), "a\u{200b}");
        assert_eq!((lstrip(" a "), rstrip(" a ")), ("a ", " a"));
    }
}
