/*!
What the pages have in common that tinsmith writes: looks, charts, and that they need nothing but
themselves.

A page names no other file, and its policy (CSP) has a browser refuse every script and style but the
ones that are written here, told by their hashes: text of a dataset that got into the markup in spite
of [`crate::text::escape`] could not run.
*/

mod bars;
mod chart;

pub use bars::bars;
pub use chart::{Look, Series, chart, short};

use crate::text::escape;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// The beginning of a page, up to and with `<body>`. `more` is style of this page alone, `script` the
/// one script that the page will have, as [`script`] writes it.
#[must_use]
pub fn head(title: &str, more: &str, script: Option<&str>) -> String {
    let style = format!("\n{STYLE}{more}");
    let scripts = script.map_or("'none'".to_owned(), |script| source(&code(script)));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src \
         {scripts}; style-src {}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} · tinsmith</title>\n<style>{style}</style>\n</head>\n<body>\n",
        source(&style),
        escape(title)
    )
}

/// The script that [`head`] was told of.
#[must_use]
pub fn script(script: &str) -> String {
    format!("<script>{}</script>\n", code(script))
}

/// Data for the script, as an element that no browser runs. Nothing in it can end the element.
#[must_use]
pub fn data(id: &str, json: &str) -> String {
    let mut safe = String::with_capacity(json.len() + json.len() / 16);
    for c in json.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            c => safe.push(c),
        }
    }
    format!("<script type=\"application/json\" id=\"{id}\">{safe}</script>\n")
}

fn code(script: &str) -> String {
    format!("\n{script}")
}

/// What a policy calls this text.
fn source(text: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(text)))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for digit in 0..4 {
            let six = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit > three.len() { '=' } else { char::from(DIGITS[six as usize]) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        let of = |text: &str| base64(text.as_bytes());
        assert_eq!(
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(of),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]
        );
    }

    /// The hash of the empty text is published with the policy's specification.
    #[test]
    fn a_policy_names_what_it_lets_through() {
        assert_eq!(source(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
        assert!(head("a<b", "", None).contains("<title>a&lt;b · tinsmith</title>"));
        assert!(head("t", "", None).contains("script-src 'none'; style-src 'sha256-"));
        let with = head("t", "", Some("x()"));
        assert!(with.contains(&format!("script-src {};", source("\nx()"))), "{with}");
        assert_eq!(script("x()"), "<script>\nx()</script>\n");
    }

    #[test]
    fn data_cannot_end_its_element_and_reads_back() {
        let value = serde_json::json!({"a": "</script><!-- & \u{2028}", "b": "\u{0}\r\n"});
        let element = data("d", &value.to_string());
        let inner = element.strip_prefix("<script type=\"application/json\" id=\"d\">").unwrap();
        let inner = inner.strip_suffix("</script>\n").unwrap();
        assert!(!inner.contains(['<', '>', '&', '\u{2028}', '\n', '\r', '\u{0}']), "{inner}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(inner).unwrap(), value);
    }
}
