// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

/*!
The plugin boundary, tried in both linkages.

Plugins are linked into this test binary and, from the same sources, lie as shared libraries beside
it: cargo builds both because the crates are dev-dependencies of the type cdylib + rlib.
*/

#[path = "../linked.rs"]
mod linked;
mod support;

mod bad_files;
mod chat;
mod cli;
mod docs;
mod equal;
mod identity;
mod names;
mod panics;
mod places;
mod prepared;
mod services;
mod trust;
mod whole_run;
