//! Addresses that hold for a while, for whoever has them: downloads are fetched without a key.

use super::moment;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;
use tinsmith_plugin_api::Secret;

type HmacSha256 = Hmac<Sha256>;

/// Signs and checks.
pub struct Signer(Vec<u8>);

impl Signer {
    /// With this key.
    pub fn new(key: Vec<u8>) -> Self {
        Self(key)
    }

    fn mac(&self, text: &str) -> HmacSha256 {
        let mut mac = HmacSha256::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(text.as_bytes());
        mac
    }

    /// The query that makes a path good until then, in seconds since 1970.
    pub fn query(&self, path: &str, until: i64) -> String {
        let tag = self.mac(&format!("{path}\n{until}")).finalize().into_bytes();
        let hex = tag.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        format!("expires={until}&signature={hex}")
    }

    /// Whether the query makes the path good now.
    pub fn holds(&self, path: &str, until: i64, signature: &str) -> bool {
        let byte = |i: usize| signature.get(i..i + 2).and_then(|h| u8::from_str_radix(h, 16).ok());
        let tag: Option<Vec<u8>> = (0..signature.len()).step_by(2).map(byte).collect();
        let Some(tag) = tag else { return false };
        moment::epoch() < until && self.mac(&format!("{path}\n{until}")).verify_slice(&tag).is_ok()
    }

    /// Whether two keys are the same, in a time that does not tell where they differ.
    pub fn same(&self, expected: &Secret, given: &str) -> bool {
        let expected = self.mac(expected.reveal()).finalize().into_bytes();
        self.mac(given).verify_slice(&expected).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_for_its_path_and_its_time() {
        let signer = Signer::new(vec![7; 32]);
        let until = moment::epoch() + 60;
        let query = signer.query("/files/a", until);
        let signature = query.rsplit_once('=').unwrap().1.to_owned();
        assert!(signer.holds("/files/a", until, &signature));
        assert!(!signer.holds("/files/b", until, &signature));
        assert!(!signer.holds("/files/a", until + 1, &signature));
        assert!(!signer.holds("/files/a", until, &signature[2..]));
        assert!(!signer.holds("/files/a", until, "ä"));
        let past = signer.query("/files/a", 1);
        assert!(!signer.holds("/files/a", 1, past.rsplit_once('=').unwrap().1));
        assert!(signer.same(&Secret::new("key"), "key"));
        assert!(!signer.same(&Secret::new("key"), "kez"));
    }
}
