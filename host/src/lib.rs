/*!
The host: everything between a config file and a trained adapter that is not a plugin.
*/

mod builtin;
pub mod cli;
pub mod config;
pub mod contained;
pub mod data;
pub mod env;
pub mod error;
mod page;
pub mod plan;
pub mod plugins;
mod random;
pub mod runs;
pub mod serve;
pub mod services;
mod stamp;
pub mod text;
pub mod tokenizer;
pub mod training;

pub use error::{Error, Kind, Result};
