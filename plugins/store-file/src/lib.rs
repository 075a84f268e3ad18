/*!
tinsmith's file storage: blobs as files under one folder.

A write goes to a temporary file beside its place, is synced, renamed over the key, and its folder
is synced: a kill at any instant leaves the old blob or the new one, never a part.
*/

mod config;
mod file;
mod keys;
mod list;
mod place;
mod upload;

pub use config::Config;
pub use file::FileStorage;

tinsmith_plugin_api::plugin! { id: "store-file", storages: [FileStorage] }
