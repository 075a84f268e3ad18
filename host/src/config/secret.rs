//! What must not be printed. Secrets belong into the environment (`{env: NAME}`); one that was
//! written into the config nevertheless is hidden wherever the config is shown or recorded.

use serde_json::Value;

/// Beginnings of well-known kinds of keys.
const PREFIXES: &[&str] = &["tml-", "sk-", "hf_", "ghp_", "github_pat_", "glpat-", "xoxb-", "AKIA"];

/// Names of keys whose text is a secret.
const NAMES: &[&str] = &[
    "api_key",
    "apikey",
    "access_key",
    "access_key_id",
    "account_key",
    "auth_token",
    "authorization",
    "client_secret",
    "key",
    "passphrase",
    "password",
    "sas_token",
    "secret",
    "secret_access_key",
    "secret_key",
    "session_token",
    "token",
];

/// What stands in place of a secret.
pub const HIDDEN: &str = "***";

/// Replaces texts that are or look like secrets, at any depth.
pub fn mask(value: &mut Value) {
    match value {
        Value::String(text) if looks_secret(text) => HIDDEN.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if names_secret(key) => HIDDEN.clone_into(text),
                    _ => mask(value),
                }
            }
        }
        _ => {}
    }
}

fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    NAMES.contains(&key.as_str())
}

/// Whether a text begins like a key and goes on like one. Also within a URL or a header.
fn looks_secret(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).any(|word| {
        PREFIXES.iter().any(|p| word.strip_prefix(p).is_some_and(|rest| rest.len() >= 8))
    }) || user_info(text)
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

    #[test]
    fn secrets_are_hidden_and_the_rest_is_not() {
        let mut value = json!({
            "trainer": {"name": "tinker", "api_key": "plain", "other": "tml-0123456789",
                "header": "Bearer sk-abcdefgh12345", "ref": {"env": "MY_KEY"},
                "list": ["hf_abcdefghijkl", "text"]},
            "storage": {"uri": "s3://id:pass@host/bucket"},
            "model": {"base_model": "org/tml-base", "tokenizer": "sk-1"},
            "data": {"max_tokens": 5},
        });
        mask(&mut value);
        assert_eq!(
            value,
            json!({
                "trainer": {"name": "tinker", "api_key": "***", "other": "***",
                    "header": "***", "ref": {"env": "MY_KEY"}, "list": ["***", "text"]},
                "storage": {"uri": "***"},
                "model": {"base_model": "org/tml-base", "tokenizer": "sk-1"},
                "data": {"max_tokens": 5},
            })
        );
    }
}
