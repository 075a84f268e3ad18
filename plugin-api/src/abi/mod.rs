/*!
What crosses the boundary of a shared library, and the adapters on both sides of it.

Everything outside this module is plain Rust. Inside it, each noun has one file with three things:

- a `Raw…` type or trait, the only thing that crosses: laid out by `abi_stable`, so that two builds
  can compare their idea of it, field by field, before the first call;
- `Exported`, which offers a plain trait object as a raw one (the plugin exports its renderer, the
  host exports its services);
- `Imported`, which uses a raw object as a plain one (the host imports the renderer, the plugin
  imports the services).

Rules of the house:

1. **A panic never crosses.** Every raw method runs inside `guard`, also those that the host
   offers; a panic becomes an [`Error`](crate::Error) of kind `panic` with file and line.
2. **JSON for control, slices for data.** A new option or event field is no ABI change; token arrays
   are never copied to text.
3. **Memory is freed where it was made.** `RVec`, `RString` and `RBox` carry their own free
   function, so that a plugin may have an allocator of its own.
4. **Linked and loaded plugins take the same path**: [`Handshake`] → [`admit`] → [`Plugin`]. The
   static build is no shortcut, so a test of one is a test of the other.

Layout equality is not equality of meaning. Whoever changes what a field means raises
[`ABI_VERSION`] by hand; whoever changes a layout is told to by a test (`layout.rs`).
*/

// `abi_stable`'s macros put impls into blocks and qualify every name; its trait objects have no
// `Debug`.
#![allow(non_local_definitions, unused_qualifications, missing_debug_implementations)]
// The one room of this crate where `unsafe` may be written.
#![allow(unsafe_code)]

mod admit;
mod batch;
mod config;
mod contained;
mod describe;
mod done;
mod error;
mod guard;
mod handshake;
#[cfg(test)]
mod layout;
mod loss;
mod plugin;
mod renderer;
mod root;
mod run;
mod sampler;
mod services;
mod storage;
mod trainer;

pub use admit::{Linked, admit, linked};
pub use describe::{Description, Kind};
pub use handshake::{Handshake, MAGIC, RUSTC, Text};
pub use plugin::{Plugin, Provided};
pub use root::{Builder, PluginRoot, root_layout};

use contained::Contained;
use error::{RawError, to_raw};
use guard::guard;

/// Raised with every change of a type that crosses, or of its meaning.
pub const ABI_VERSION: u32 = 2;

/// Offers a plain object as a raw one.
struct Exported<T>(T);

/// Uses a raw object as a plain one.
struct Imported<T>(T);

/// The types of `abi_stable` that stand for std's.
mod std_types {
    pub(super) use abi_stable::std_types::{
        RBox, RNone, ROption, RResult, RSlice, RSliceMut, RSome, RStr, RString, RVec,
    };
}
