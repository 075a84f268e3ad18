//! Support code of tinsmith's tests.

pub mod cli;
pub mod gate;
pub mod http;
pub mod proxy;
pub mod tiny_model;
pub mod tiny_run;
pub mod tiny_tokenizer;
pub mod tls;
