/*!
Plugins as the host finds, trusts, loads and uses them.

```text
search ──▶ candidates ──▶ Registry ──(first use)──▶ trust ──▶ cache ──▶ elf ──▶ loader ──▶ admit
 folders    manifests      by name                   hash     private   bounds  dlopen     layouts
                                                     owner    copy
```

Finding and listing read manifests and run no code. A library is opened when something in it is
first used, from a private copy whose hash was checked: what is loaded is what was hashed, whatever
happens to the file meanwhile. A plugin is native code with the rights of its user; a hash says that
it is the same file, not that it is good.
*/

mod cache;
pub(crate) mod dirs;
mod elf;
mod entry;
mod install;
mod load;
mod loader;
mod manifest;
mod registry;
mod search;
mod seen;
mod trust;

pub use dirs::Places;
pub use entry::{Entry, State};
pub use install::{Installed, add, trust_path};
pub use load::{Inspection, inspect};
pub use manifest::{Manifest, Provides};
pub use registry::{Description, PluginOptions, Registry};
pub use search::Origin;
pub use tinsmith_plugin_api::abi::Kind;
