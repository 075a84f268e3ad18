/*!
What stands in `X-API-Key`: the key, or a token that the key is exchanged for.

A token expires. It is renewed after half of its life, when a call is next made, and at once when the
server says that it does not hold any more.
*/

use crate::credentials::{Credential, run_command};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tinsmith_plugin_api::{Error, Result, Secret};
use tokio::sync::{Mutex, MutexGuard};

/// A token, and when to get another.
#[derive(Clone, Debug)]
struct Token {
    jwt: Secret,
    renew: SystemTime,
    expires: SystemTime,
}

/// The credential, and the token if there is one.
#[derive(Debug)]
pub(crate) struct Auth {
    credential: Credential,
    token: Mutex<Option<Token>>,
}

impl Auth {
    pub fn new(credential: Credential) -> Self {
        Self { credential, token: Mutex::new(None) }
    }

    /// The credential itself.
    pub async fn raw(&self) -> Result<Option<Secret>> {
        match &self.credential {
            Credential::None => Ok(None),
            Credential::Key(key) => {
                check_alive(key)?;
                Ok(Some(key.clone()))
            }
            Credential::Command(command) => {
                let command = command.clone();
                let run = tokio::task::spawn_blocking(move || run_command(&command));
                let key = run
                    .await
                    .map_err(|e| Error::config(format!("the command of the key: {e}")))??;
                check_alive(&key)?;
                Ok(Some(key))
            }
        }
    }

    /// The token, for as long as nobody else exchanges the key: calls at the same time share one
    /// exchange.
    pub async fn token(&self) -> Kept<'_> {
        Kept(self.token.lock().await)
    }
}

/// The token that is kept.
#[derive(Debug)]
pub(crate) struct Kept<'a>(MutexGuard<'a, Option<Token>>);

impl Kept<'_> {
    /// The token, if it is not the `rejected` one and need not be renewed yet.
    pub fn fresh(&self, rejected: Option<&Secret>) -> Option<Secret> {
        let token = self.0.as_ref()?;
        (token.renew > SystemTime::now() && Some(&token.jwt) != rejected).then(|| token.jwt.clone())
    }

    /// Takes what an exchange gave. After a failure the old token serves while it holds, and the
    /// exchange is tried again in a minute.
    pub fn renew(&mut self, made: Result<Secret>, rejected: Option<&Secret>) -> Result<Secret> {
        let now = SystemTime::now();
        let old = self.0.take().filter(|t| Some(&t.jwt) != rejected && t.expires > now);
        let token = match (made.and_then(|jwt| read(jwt, now)), old) {
            (Ok(token), _) => token,
            (Err(_), Some(old)) => Token { renew: now + Duration::from_secs(60), ..old },
            (Err(e), None) => return Err(e),
        };
        Ok(self.0.insert(token).jwt.clone())
    }
}

/// The claims of a token. Nobody here can verify its signature.
fn claims(jwt: &str) -> Option<Value> {
    let payload = jwt.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn read(jwt: Secret, now: SystemTime) -> Result<Token> {
    let times = claims(jwt.reveal())
        .and_then(|claims| Some((claims["iat"].as_f64()?, claims["exp"].as_f64()?)))
        .filter(|(issued, expires)| expires > issued && *expires < 1e12);
    let Some((issued, expires)) = times else {
        return Err(Error::new(
            tinsmith_plugin_api::ErrorKind::NETWORK,
            "the server's token does not say when it expires",
        ));
    };
    let life = Duration::from_secs_f64(expires - issued);
    let part = 0.45 + 0.1 * fastrand::f64();
    let expires = UNIX_EPOCH + Duration::from_secs_f64(expires.max(0.0));
    let minute_before = expires - Duration::from_secs(60).min(life);
    Ok(Token { jwt, renew: (now + life.mul_f64(part)).min(minute_before), expires })
}

/// A token that was given as the key is not sent once it has expired.
fn check_alive(key: &Secret) -> Result<()> {
    let expires = key.reveal().starts_with("eyJ").then(|| claims(key.reveal())).flatten();
    let expires = expires.and_then(|claims| claims["exp"].as_f64());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    match expires {
        Some(expires) if expires <= now => Err(Error::config("the token given as key has expired")
            .with_hint("get a new one, or give the key itself, which begins with `tml-`")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(issued: f64, expires: f64) -> Secret {
        let payload = format!(r#"{{"iat":{issued},"exp":{expires}}}"#);
        Secret::new(format!("eyJ.{}.sig", URL_SAFE_NO_PAD.encode(payload)))
    }

    fn now() -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_token_is_kept_until_half_of_its_life() {
        let auth = Auth::new(Credential::Key(Secret::new("tml-1")));
        let mut kept = run(auth.token());
        assert_eq!(kept.fresh(None), None);
        let first = kept.renew(Ok(jwt(now(), now() + 1000.0)), None).unwrap();
        assert_eq!(kept.fresh(None).as_ref(), Some(&first));
        // One that the server refuses is exchanged again.
        assert_eq!(kept.fresh(Some(&first)), None);
        let again = kept.renew(Ok(jwt(now(), now() + 2000.0)), Some(&first)).unwrap();
        assert_ne!(again, first);
    }

    #[test]
    fn an_old_token_serves_while_it_holds() {
        let auth = Auth::new(Credential::Key(Secret::new("tml-1")));
        let mut kept = run(auth.token());
        // 50 seconds are left of it: time to renew.
        let old = kept.renew(Ok(jwt(now() - 1000.0, now() + 50.0)), None).unwrap();
        assert_eq!(kept.fresh(None), None);
        let down = || Err(Error::config("down"));
        assert_eq!(kept.renew(down(), None).unwrap(), old);
        assert_eq!(kept.fresh(None), Some(old.clone()), "not asked for again at once");
        assert!(kept.renew(down(), Some(&old)).is_err());
        assert_eq!(kept.fresh(None), None);
    }

    #[test]
    fn an_expired_token_is_not_sent() {
        let key = |expires| Auth::new(Credential::Key(jwt(0.0, expires)));
        assert!(run(key(now() - 1.0).raw()).unwrap_err().to_string().contains("expired"));
        assert!(run(key(now() + 100.0).raw()).is_ok());
        assert!(read(Secret::new("eyJ.x.y"), SystemTime::now()).is_err());
    }
}
