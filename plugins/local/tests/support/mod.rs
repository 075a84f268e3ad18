//! What the tests of this crate share.

#![allow(dead_code)] // each test uses a part
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests do

pub mod disk;
pub mod engine;
pub mod lab;
