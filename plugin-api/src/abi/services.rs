//! What the host lends, as it crosses.

use super::{
    Contained, Exported, Imported, RawError,
    error::from_raw,
    guard::{guard, quietly},
    std_types::{RBox, ROption, RResult, RSlice, RStr, RString, RVec},
    storage::{StorageObject, export_storage, import_storage},
};
use crate::{
    Encoded, Error, HostServices, Level, Result, Secret, Services, Special, StorageHandle,
    TokenizerInfo,
};
use abi_stable::{StableAbi, sabi_trait, sabi_trait::TD_Opaque};
use std::sync::Arc;

/// [`HostServices`], laid out to cross.
#[sabi_trait]
pub trait RawServices: Send + Sync + 'static {
    /// `level` is a [`Level`] as a number.
    fn log(&self, level: u8, message: RStr<'_>);
    /// See [`HostServices::progress`].
    fn progress(&self, done: u64, total: u64);
    /// See [`HostServices::cancelled`].
    fn cancelled(&self) -> bool;
    /// See [`HostServices::threads`].
    fn threads(&self) -> usize;
    /// `literal`: special-token strings inside the text stay text.
    fn encode(&self, text: RStr<'_>, literal: bool) -> RResult<RVec<i32>, RawError>;
    /// See [`HostServices::encode_offsets`].
    fn encode_offsets(&self, text: RStr<'_>, literal: bool) -> RResult<RawEncoding, RawError>;
    /// See [`HostServices::token_id`].
    fn token_id(&self, token: RStr<'_>) -> ROption<i32>;
    /// See [`HostServices::decode_bytes`].
    fn decode_bytes(&self, tokens: RSlice<'_, i32>) -> RResult<RVec<u8>, RawError>;
    /// A [`TokenizerInfo`] as JSON.
    fn tokenizer(&self) -> RResult<RString, RawError>;
    /// See [`HostServices::store`].
    fn store(&self) -> RResult<StorageObject, RawError>;
    /// See [`HostServices::secret`].
    #[sabi(last_prefix_field)]
    fn secret(&self, name: RStr<'_>) -> RResult<RString, RawError>;
}

/// The host's services as a plugin receives them.
pub type ServicesObject = RawServices_TO<RBox<()>>;

/// Tokens with the byte ranges that they cover.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawEncoding {
    /// Token ids, `[N]`.
    tokens: RVec<i32>,
    /// First byte of each, `[N]`.
    starts: RVec<u32>,
    /// Byte after the last of each, `[N]`.
    ends: RVec<u32>,
}

/// Host side.
pub(super) fn export_services(services: &Services) -> ServicesObject {
    RawServices_TO::from_value(
        Exported(Lent(Contained::new(Arc::clone(services.host())))),
        TD_Opaque,
    )
}

/// Plugin side.
pub(super) fn import_services(raw: ServicesObject) -> Services {
    Services::new(Arc::new(Imported(raw)))
}

const WHAT: &str = "the host's services";

fn special(literal: bool) -> Special {
    if literal { Special::Literal } else { Special::Parse }
}

fn level(number: u8) -> Level {
    match number {
        0 | 1 => Level::Debug,
        2 => Level::Info,
        _ => Level::Warn,
    }
}

/// The host's side, whose last holder may be a plugin.
struct Lent(Contained<Arc<dyn HostServices>>);

impl Lent {
    fn try_host<T>(&self, f: impl FnOnce(&dyn HostServices) -> Result<T>) -> RResult<T, RawError> {
        guard(WHAT, || f(self.0.get()?.as_ref()))
    }

    fn host<T>(&self, fallback: T, f: impl FnOnce(&dyn HostServices) -> T) -> T {
        match self.0.get() {
            Ok(host) => quietly(fallback, || f(host.as_ref())),
            Err(_) => fallback,
        }
    }
}

impl RawServices for Exported<Lent> {
    fn log(&self, number: u8, message: RStr<'_>) {
        self.0.host((), |host| host.log(level(number), message.as_str()));
    }

    fn progress(&self, done: u64, total: u64) {
        self.0.host((), |host| host.progress(done, total));
    }

    fn cancelled(&self) -> bool {
        // A host whose cancel flag panics is in no state to go on.
        self.0.host(true, |host| host.cancelled())
    }

    fn threads(&self) -> usize {
        self.0.host(1, |host| host.threads())
    }

    fn encode(&self, text: RStr<'_>, literal: bool) -> RResult<RVec<i32>, RawError> {
        self.0.try_host(|host| Ok(host.encode(text.as_str(), special(literal))?.into()))
    }

    fn encode_offsets(&self, text: RStr<'_>, literal: bool) -> RResult<RawEncoding, RawError> {
        self.0.try_host(|host| {
            let (tokens, ranges) = host.encode_offsets(text.as_str(), special(literal))?;
            let (starts, ends): (Vec<u32>, Vec<u32>) = ranges.into_iter().unzip();
            Ok(RawEncoding { tokens: tokens.into(), starts: starts.into(), ends: ends.into() })
        })
    }

    fn token_id(&self, token: RStr<'_>) -> ROption<i32> {
        self.0.host(None, |host| host.token_id(token.as_str())).into()
    }

    fn decode_bytes(&self, tokens: RSlice<'_, i32>) -> RResult<RVec<u8>, RawError> {
        self.0.try_host(|host| Ok(host.decode_bytes(tokens.as_slice())?.into()))
    }

    fn tokenizer(&self) -> RResult<RString, RawError> {
        self.0.try_host(|host| Ok(serde_json::to_string(&host.tokenizer()?)?.into()))
    }

    fn store(&self) -> RResult<StorageObject, RawError> {
        self.0.try_host(|host| Ok(export_storage(host.store()?)))
    }

    fn secret(&self, name: RStr<'_>) -> RResult<RString, RawError> {
        self.0.try_host(|host| Ok(host.secret(name.as_str())?.reveal().into()))
    }
}

impl HostServices for Imported<ServicesObject> {
    fn log(&self, level: Level, message: &str) {
        self.0.log(level as u8, message.into());
    }

    fn progress(&self, done: u64, total: u64) {
        self.0.progress(done, total);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }

    fn threads(&self) -> usize {
        self.0.threads()
    }

    fn encode(&self, text: &str, special: Special) -> Result<Vec<i32>> {
        let raw = from_raw(self.0.encode(text.into(), special == Special::Literal))?;
        // Copied in both linkages: `into_vec` takes longer to find out that it must.
        Ok(raw.to_vec())
    }

    fn encode_offsets(&self, text: &str, special: Special) -> Result<Encoded> {
        let raw = from_raw(self.0.encode_offsets(text.into(), special == Special::Literal))?;
        let ranges = raw.starts.iter().copied().zip(raw.ends.iter().copied()).collect();
        Ok((raw.tokens.to_vec(), ranges))
    }

    fn token_id(&self, token: &str) -> Option<i32> {
        self.0.token_id(token.into()).into_option()
    }

    fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        Ok(from_raw(self.0.decode_bytes(tokens.into()))?.to_vec())
    }

    fn tokenizer(&self) -> Result<TokenizerInfo> {
        let json = from_raw(self.0.tokenizer())?;
        serde_json::from_str(&json).map_err(|e| Error::from(e).context("facts of the tokenizer"))
    }

    fn store(&self) -> Result<Arc<dyn StorageHandle>> {
        from_raw(self.0.store()).map(import_storage)
    }

    fn secret(&self, name: &str) -> Result<Secret> {
        from_raw(self.0.secret(name.into())).map(Secret::new)
    }
}
