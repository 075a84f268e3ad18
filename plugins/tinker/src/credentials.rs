/*!
Where the key comes from: the config, `TINKER_API_KEY`, the command `TINKER_CREDENTIAL_CMD`, the file that
the official command line tool keeps.
*/

use crate::config::{KeyRef, OFFICIAL};
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf, process::Command};
use tinsmith_plugin_api::{Error, Result, Secret, Services};

/// The environment variable of the key.
pub(crate) const API_KEY: &str = "TINKER_API_KEY";
const COMMAND: &str = "TINKER_CREDENTIAL_CMD";
/// Hosts that may get a key though a config names them, separated by commas.
const TRUSTED: &str = "TINSMITH_TRUST_HOST";

/// What tells the server who calls.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// A server on this machine may want none.
    None,
    /// A key, or a token that was given as one.
    Key(Secret),
    /// What this command prints, asked each time.
    Command(String),
}

/// Finds the credential for a server.
pub(crate) fn find(
    named: Option<&KeyRef>,
    base_url: &str,
    services: &Services,
) -> Result<Credential> {
    let env = |name| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
    let found = match named {
        Some(key) => Credential::Key(
            services.secret(&key.env).and_then(|found| check_key(found, &key.env)).map_err(
                |e| e.at("api_key.env").with_kind(tinsmith_plugin_api::ErrorKind::CONFIG),
            )?,
        ),
        None => match (env(API_KEY), env(COMMAND)) {
            (Some(key), command) => match (check_key(Secret::new(key.trim()), API_KEY), command) {
                (Ok(key), _) => Credential::Key(key),
                (Err(_), Some(command)) => Credential::Command(command),
                (Err(e), None) => return Err(e),
            },
            (None, Some(command)) => Credential::Command(command),
            (None, None) => match stored()? {
                Some(key) => Credential::Key(key),
                None if is_here(base_url) => Credential::None,
                None => {
                    return Err(Error::config("there is no key for the Tinker API").with_hint(format!(
                        "set `{API_KEY}`, or name another variable with `trainer.api_key: {{env: NAME}}`"
                    )));
                }
            },
        },
    };
    Ok(found)
}

/// Refuses to send a key to a host that only a config file vouches for: it may be somebody else's.
pub(crate) fn check_trusted(
    credential: &Credential,
    base_url: &str,
    from_config: bool,
) -> Result<()> {
    let official = host(base_url) == host(OFFICIAL);
    if !from_config || official || is_here(base_url) || matches!(credential, Credential::None) {
        return Ok(());
    }
    let name = host(base_url).unwrap_or_default();
    let trusted = std::env::var(TRUSTED).unwrap_or_default();
    if trusted.split(',').any(|host| host.trim() == name) {
        return Ok(());
    }
    Err(Error::config(format!("the config sends your key to `{name}`, which is not trusted"))
        .at("base_url")
        .with_hint(format!("if it is your server, set `{TRUSTED}={name}`")))
}

/// A key begins with `tml-`, a token with `eyJ`.
fn check_key(key: Secret, name: &str) -> Result<Secret> {
    if key.reveal().starts_with("tml-") || key.reveal().starts_with("eyJ") {
        return Ok(key);
    }
    Err(Error::config(format!("what `{name}` holds is no key: keys begin with `tml-`"))
        .with_hint("copy the key from the console of the service, without quotes"))
}

/// What the command prints.
pub(crate) fn run_command(command: &str) -> Result<Secret> {
    let wrong = |what: String| {
        Error::config(format!("`{COMMAND}` {what}"))
            .with_hint("it must print the credential, and nothing else, on its standard output")
    };
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .map_err(|e| wrong(format!("could not be run: {e}")))?;
    if !output.status.success() {
        return Err(wrong(format!("failed: {}", output.status)));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| wrong("printed no text".into()))?;
    match text.trim() {
        "" => Err(wrong("printed nothing".into())),
        key => check_key(Secret::new(key), COMMAND),
    }
}

#[derive(Deserialize)]
struct Stored {
    default: Option<String>,
    #[serde(default)]
    keys: BTreeMap<String, StoredKey>,
}

#[derive(Deserialize)]
struct StoredKey {
    key: String,
}

/// The default key of the official command line tool.
fn stored() -> Result<Option<Secret>> {
    let Some(home) = std::env::home_dir() else { return Ok(None) };
    let path: PathBuf = home.join(".tinker").join("credentials.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::from(e).context(format!("read `{}`", path.display()))),
    };
    // The parser's text may quote the file: it is not shown.
    let stored: Stored = serde_json::from_str(&text).map_err(|e| {
        Error::config(format!("`{}` is damaged at line {}", path.display(), e.line()))
            .with_hint("log in again with the official command line tool")
    })?;
    let key = stored.default.and_then(|id| stored.keys.get(&id).map(|k| Secret::new(k.key.trim())));
    key.map(|key| check_key(key, "the stored credentials")).transpose()
}

/// The host of an address.
pub(crate) fn host(url: &str) -> Option<String> {
    reqwest::Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// Whether a server runs on this machine.
pub(crate) fn is_here(url: &str) -> bool {
    let Some(host) = host(url) else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_this_machine_are_known() {
        for url in ["http://localhost:1", "http://127.0.0.1:8000/x", "http://[::1]:9"] {
            assert!(is_here(url), "{url}");
        }
        for url in ["http://localhost.evil.com", "https://10.0.0.1", OFFICIAL] {
            assert!(!is_here(url), "{url}");
        }
    }

    #[test]
    fn a_key_goes_to_no_host_that_only_a_config_names() {
        let key = Credential::Key(Secret::new("tml-1"));
        let e =
            check_trusted(&key, "https://tinker.thinkingmachines.dev.evil.com", true).unwrap_err();
        assert_eq!(e.field(), Some("base_url"));
        assert!(check_trusted(&key, "https://elsewhere.com", false).is_ok(), "the user's own wish");
        for url in [OFFICIAL, "http://127.0.0.1:1"] {
            assert!(check_trusted(&key, url, true).is_ok(), "{url}");
        }
        assert!(check_trusted(&Credential::None, "https://elsewhere.com", true).is_ok());
    }

    #[test]
    fn what_is_no_key_is_not_shown() {
        let e = check_key(Secret::new("hunter2"), API_KEY).unwrap_err();
        assert!(!format!("{e:?}").contains("hunter2"));
        assert!(run_command("echo tml-abc").is_ok());
        assert!(run_command("printf ' '").unwrap_err().to_string().contains("printed nothing"));
        assert!(run_command("echo hunter2").is_err_and(|e| !format!("{e:?}").contains("hunter2")));
        assert!(run_command("exit 3").unwrap_err().to_string().contains("exit status: 3"));
    }
}
