/*!
What must not stand in a config. Secrets belong into the environment, and a plugin's section names
them: `api_key: {env: NAME}`. One that is written out is refused before anything reads it, so that
no record, log or error ever holds it; and what is told of a config is redacted once more.
*/

use super::PluginRef;
use serde_json::Value;

/// Beginnings of well-known kinds of keys.
const PREFIXES: &[&str] = &["tml-", "sk-", "hf_", "ghp_", "github_pat_", "glpat-", "xoxb-", "AKIA"];

/// Shortest text that is a key after such a beginning, in characters.
const SHORTEST: usize = 12;

/// Names of keys whose text is a secret.
const NAMES: &[&str] = &[
    "access_key",
    "access_key_id",
    "account_key",
    "api_key",
    "apikey",
    "auth_token",
    "authorization",
    "client_secret",
    "passphrase",
    "password",
    "sas_token",
    "secret",
    "secret_access_key",
    "secret_key",
    "session_token",
];

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// The dotted path, below the section, of a secret that a plugin's section spells out.
pub fn spelled_out(section: &PluginRef) -> Option<String> {
    section.config.iter().find_map(|(key, value)| within(key, key, value))
}

fn within(path: &str, key: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if is_secret(key, text) => Some(path.to_owned()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, item)| within(&format!("{path}[{i}]"), key, item)),
        Value::Object(map) => {
            map.iter().find_map(|(key, value)| within(&format!("{path}.{key}"), key, value))
        }
        _ => None,
    }
}

/// Whether text under this key is a secret: by the key's name, or by its own looks.
pub fn is_secret(key: &str, text: &str) -> bool {
    let named = NAMES.contains(&key.to_ascii_lowercase().replace('-', "_").as_str());
    (named && !text.is_empty()) || text.split_whitespace().any(looks_secret) || user_info(text)
}

/// Text with everything that looks like a key replaced.
pub fn redact(text: &str) -> String {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(ends) {
        let word = part.trim_end_matches(ends);
        if looks_secret(word) {
            out.push_str(HIDDEN);
            out.push_str(&part[word.len()..]);
        } else {
            out.push_str(part);
        }
    }
    out
}

/// `key=value` as it may be shown.
pub fn redact_setting(text: &str) -> String {
    match text.split_once('=') {
        Some((key, value)) => {
            let name = key.trim().rsplit(['.', ']']).find(|part| !part.is_empty());
            // A map or a list may hold a name that is no last part of the key.
            let whole = value.trim_start().starts_with(['{', '['])
                && NAMES.iter().any(|name| value.to_ascii_lowercase().contains(name));
            let refers = value.contains("env:") || value.contains("\"env\"");
            if !refers && (whole || is_secret(name.unwrap_or_default(), value)) {
                format!("{key}={HIDDEN}")
            } else {
                redact(text)
            }
        }
        None => redact(text),
    }
}

/// Whether a word begins like a key and goes on like one: long enough, and with digits and letters
/// mixed, which names of folders and models seldom are.
fn looks_secret(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let random = |rest: &str| {
        rest.len() >= SHORTEST
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && rest.bytes().any(|b| b.is_ascii_digit())
            && !rest.contains('_')
    };
    PREFIXES.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(random))
}

/// `scheme://user:password@host`
fn user_info(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split('/').next().unwrap_or(rest);
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn section(value: &Value) -> PluginRef {
        PluginRef { name: "p".into(), config: value.as_object().unwrap().clone() }
    }

    #[test]
    fn secrets_are_found_where_they_stand() {
        for (value, path) in [
            (json!({"api_key": "plain"}), "api_key"),
            (json!({"deep": {"Secret-Key": "x"}}), "deep.Secret-Key"),
            (json!({"other": "tml-0123456789abcdef"}), "other"),
            (json!({"header": "Bearer sk-abcdefgh12345"}), "header"),
            (json!({"list": ["text", "hf_abcdefghijkl9"]}), "list[1]"),
            (json!({"uri": "s3://id:pass@host/bucket"}), "uri"),
        ] {
            assert_eq!(spelled_out(&section(&value)).as_deref(), Some(path), "{value}");
        }
    }

    #[test]
    fn ordinary_values_are_left_alone() {
        for value in [
            json!({"api_key": {"env": "KEY"}, "token": "<|eot|>", "key": "question"}),
            json!({"uri": "hf_downloads/base", "model": "sk-base", "n": 5, "api_key": ""}),
            json!({"uri": "hf_checkpoints_2026", "mail": "a@b.c", "url": "https://host/a@b:c"}),
        ] {
            assert_eq!(spelled_out(&section(&value)), None, "{value}");
        }
    }

    #[test]
    fn what_is_told_is_redacted() {
        assert_eq!(redact("found `tml-0123456789abcdef`, not"), "found `***`, not");
        assert_eq!(redact("no folder `hf_downloads/base`"), "no folder `hf_downloads/base`");
        for (typed, told) in [
            ("trainer.api_key=plain", "trainer.api_key=***"),
            ("trainer={name: x, api_key: plain}", "trainer=***"),
            ("trainer.api_key={env: KEY}", "trainer.api_key={env: KEY}"),
            ("model.base_model=tml-0123456789abcdef", "model.base_model=***"),
            ("lora.rank=4", "lora.rank=4"),
            ("tml-0123456789abcdef", "***"),
        ] {
            assert_eq!(redact_setting(typed), told);
        }
    }
}
