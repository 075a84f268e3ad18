//! Storage as it crosses: the plugin's backend to the host, and the run's store to a plugin.

use super::{
    Contained, Exported, Imported, RawError, config,
    error::from_raw,
    guard,
    services::{ServicesObject, import_services},
    std_types::{RBox, RResult, RSlice, RSliceMut, RStr},
};
use crate::{Error, ErrorKind, Result, StorageBackend, StorageHandle, Upload};
use abi_stable::{sabi_trait, sabi_trait::TD_Opaque};
use std::{
    io::{self, Read, Write},
    sync::Arc,
};

/// [`StorageBackend`], laid out to cross.
#[sabi_trait]
pub trait RawStorage: Send + Sync + 'static {
    /// See [`StorageBackend::open`].
    fn open(&self, key: RStr<'_>, from: u64) -> RResult<ReadObject, RawError>;
    /// See [`StorageBackend::create`].
    fn create(&self, key: RStr<'_>) -> RResult<UploadObject, RawError>;
    /// See [`StorageBackend::create_if_absent`].
    fn create_if_absent(&self, key: RStr<'_>, bytes: RSlice<'_, u8>) -> RResult<bool, RawError>;
    /// See [`StorageBackend::list`].
    fn list(&self, prefix: RStr<'_>, visit: VisitObject<'_>) -> RResult<(), RawError>;
    /// See [`StorageBackend::delete`].
    fn delete(&self, key: RStr<'_>) -> RResult<(), RawError>;
    /// See [`StorageBackend::exists`].
    #[sabi(last_prefix_field)]
    fn exists(&self, key: RStr<'_>) -> RResult<bool, RawError>;
}

/// [`Read`], laid out to cross.
#[sabi_trait]
pub trait RawRead: Send + 'static {
    /// Bytes read into `buffer`; 0 at the end.
    #[sabi(last_prefix_field)]
    fn read(&mut self, buffer: RSliceMut<'_, u8>) -> RResult<usize, RawError>;
}

/// [`Upload`], laid out to cross. Dropping it discards what was written.
#[sabi_trait]
pub trait RawUpload: Send + 'static {
    /// Writes all of `bytes`.
    fn write(&mut self, bytes: RSlice<'_, u8>) -> RResult<(), RawError>;
    /// See [`Write::flush`].
    fn flush(&mut self) -> RResult<(), RawError>;
    /// See [`Upload::commit`].
    #[sabi(last_prefix_field)]
    fn commit(&mut self) -> RResult<u64, RawError>;
}

/// Whoever lists keys.
#[sabi_trait]
pub trait RawVisit {
    /// False ends the listing.
    #[sabi(last_prefix_field)]
    fn visit(&mut self, key: RStr<'_>, bytes: u64) -> RResult<bool, RawError>;
}

/// A storage that crosses.
pub type StorageObject = RawStorage_TO<RBox<()>>;
/// A reader that crosses.
pub type ReadObject = RawRead_TO<RBox<()>>;
/// An upload that crosses.
pub type UploadObject = RawUpload_TO<RBox<()>>;
/// A visitor that crosses, for the time of one listing.
pub type VisitObject<'a> = RawVisit_TO<'a, RBox<()>>;

/// Builds a backend, plugin side.
pub extern "C" fn make_storage<T: StorageBackend>(
    json: RStr<'_>,
    services: ServicesObject,
) -> RResult<StorageObject, RawError> {
    let what = format!("storage `{}`", T::SCHEME);
    guard(&what, || {
        let config = config::parse(&what, json.as_str())?;
        let backend = T::new(config, import_services(services))?;
        Ok(export(what.clone(), Arc::new(Backend(backend))))
    })
}

/// Offers the host's store to a plugin.
pub(super) fn export_storage(store: Arc<dyn StorageHandle>) -> StorageObject {
    export("the run's storage".to_owned(), store)
}

/// Uses a storage that crossed.
pub(super) fn import_storage(raw: StorageObject) -> Arc<dyn StorageHandle> {
    Arc::new(Imported(raw))
}

fn export(what: String, store: Arc<dyn StorageHandle>) -> StorageObject {
    RawStorage_TO::from_value(Exported(Held { what, store: Contained::new(store) }), TD_Opaque)
}

/// A store with its name for errors.
struct Held {
    what: String,
    store: Contained<Arc<dyn StorageHandle>>,
}

/// A backend without its type.
struct Backend<T>(T);

impl<T: StorageBackend> StorageHandle for Backend<T> {
    fn open(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>> {
        self.0.open(key, from)
    }

    fn create(&self, key: &str) -> Result<Box<dyn Upload>> {
        self.0.create(key)
    }

    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        self.0.create_if_absent(key, bytes)
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()> {
        self.0.list(prefix, visit)
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.0.delete(key)
    }

    fn exists(&self, key: &str) -> Result<bool> {
        self.0.exists(key)
    }
}

impl RawStorage for Exported<Held> {
    fn open(&self, key: RStr<'_>, from: u64) -> RResult<ReadObject, RawError> {
        guard(&self.0.what, || {
            let reader = self.0.store.get()?.open(key.as_str(), from)?;
            Ok(RawRead_TO::from_value(Exported(Contained::new(reader)), TD_Opaque))
        })
    }

    fn create(&self, key: RStr<'_>) -> RResult<UploadObject, RawError> {
        guard(&self.0.what, || {
            let upload = self.0.store.get()?.create(key.as_str())?;
            Ok(RawUpload_TO::from_value(Exported(Contained::new(upload)), TD_Opaque))
        })
    }

    fn create_if_absent(&self, key: RStr<'_>, bytes: RSlice<'_, u8>) -> RResult<bool, RawError> {
        guard(&self.0.what, || self.0.store.get()?.create_if_absent(key.as_str(), bytes.as_slice()))
    }

    fn list(&self, prefix: RStr<'_>, mut visit: VisitObject<'_>) -> RResult<(), RawError> {
        guard(&self.0.what, || {
            let mut failed = None;
            let mut each = |key: &str, bytes: u64| match from_raw(visit.visit(key.into(), bytes)) {
                Ok(go_on) => go_on,
                Err(e) => {
                    failed = Some(e);
                    false
                }
            };
            self.0.store.get()?.list(prefix.as_str(), &mut each)?;
            failed.map_or(Ok(()), Err)
        })
    }

    fn delete(&self, key: RStr<'_>) -> RResult<(), RawError> {
        guard(&self.0.what, || self.0.store.get()?.delete(key.as_str()))
    }

    fn exists(&self, key: RStr<'_>) -> RResult<bool, RawError> {
        guard(&self.0.what, || self.0.store.get()?.exists(key.as_str()))
    }
}

impl RawRead for Exported<Contained<Box<dyn Read + Send>>> {
    fn read(&mut self, mut buffer: RSliceMut<'_, u8>) -> RResult<usize, RawError> {
        guard("read", || {
            let reader = self.0.get_mut()?;
            loop {
                match reader.read(buffer.as_mut_slice()) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    result => return Ok(result?),
                }
            }
        })
    }
}

impl RawUpload for Exported<Contained<Box<dyn Upload>>> {
    fn write(&mut self, bytes: RSlice<'_, u8>) -> RResult<(), RawError> {
        guard("write", || Ok(self.0.get_mut()?.write_all(bytes.as_slice())?))
    }

    fn flush(&mut self) -> RResult<(), RawError> {
        guard("write", || Ok(self.0.get_mut()?.flush()?))
    }

    fn commit(&mut self) -> RResult<u64, RawError> {
        guard("commit", || self.0.take()?.commit())
    }
}

impl RawVisit for Exported<&mut dyn FnMut(&str, u64) -> bool> {
    fn visit(&mut self, key: RStr<'_>, bytes: u64) -> RResult<bool, RawError> {
        guard("list", || Ok((self.0)(key.as_str(), bytes)))
    }
}

impl StorageHandle for Imported<StorageObject> {
    fn open(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(Imported(from_raw(self.0.open(key.into(), from))?)))
    }

    fn create(&self, key: &str) -> Result<Box<dyn Upload>> {
        Ok(Box::new(Imported(from_raw(self.0.create(key.into()))?)))
    }

    fn create_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        from_raw(self.0.create_if_absent(key.into(), bytes.into()))
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()> {
        from_raw(self.0.list(prefix.into(), RawVisit_TO::from_value(Exported(visit), TD_Opaque)))
    }

    fn delete(&self, key: &str) -> Result<()> {
        from_raw(self.0.delete(key.into()))
    }

    fn exists(&self, key: &str) -> Result<bool> {
        from_raw(self.0.exists(key.into()))
    }
}

impl Read for Imported<ReadObject> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let space = buffer.len();
        let read = from_raw(self.0.read(buffer.into())).map_err(io::Error::other)?;
        if read <= space {
            return Ok(read);
        }
        // `Read` must not claim more than it was given room for: unsafe code relies on it.
        let message = format!("a reader claims {read} bytes in a buffer of {space}");
        Err(io::Error::other(Error::new(ErrorKind::OTHER, message)))
    }
}

impl Write for Imported<UploadObject> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        from_raw(self.0.write(bytes.into())).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        from_raw(self.0.flush()).map_err(io::Error::other)
    }
}

impl Upload for Imported<UploadObject> {
    fn commit(mut self: Box<Self>) -> Result<u64> {
        from_raw(self.0.commit())
    }
}
