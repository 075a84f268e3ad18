//! Numbers as little-endian bytes, which every binary payload of the protocol is.

use tinsmith_plugin_api::{Error, Result};

/// A number of a fixed size.
pub trait Number: Copy {
    /// Bytes of one.
    const SIZE: usize;
    /// Its bytes.
    fn put(self, out: &mut [u8]);
    /// The number of so many bytes.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($($t:ty),*) => {$(
        impl Number for $t {
            const SIZE: usize = size_of::<$t>();
            fn put(self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_le_bytes());
            }
            fn get(bytes: &[u8]) -> Self {
                let mut all = [0; size_of::<$t>()];
                all.copy_from_slice(bytes);
                Self::from_le_bytes(all)
            }
        }
    )*};
}
number!(i32, i64, f32, u16);

/// The bytes of these numbers.
#[must_use]
pub fn pack<T: Number>(values: impl ExactSizeIterator<Item = T>) -> Vec<u8> {
    let mut out = vec![0; values.len() * T::SIZE];
    for (place, value) in out.chunks_exact_mut(T::SIZE).zip(values) {
        value.put(place);
    }
    out
}

/// The numbers of these bytes.
///
/// # Errors
/// `rejected` if they do not end with a whole number.
pub fn unpack<T: Number>(bytes: &[u8]) -> Result<Vec<T>> {
    if !bytes.len().is_multiple_of(T::SIZE) {
        let size = T::SIZE;
        return Err(Error::rejected(format!(
            "{} bytes are no whole number of values of {size} bytes",
            bytes.len()
        )));
    }
    Ok(bytes.chunks_exact(T::SIZE).map(T::get).collect())
}
