//! Support code of tinsmith's tests.

pub mod tiny_model;
pub mod tiny_tokenizer;
