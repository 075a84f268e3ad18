/*!
Training: the loop, what it records, how it stops and how it goes on.
*/

mod answers;
mod auto;
mod evaluate;
mod loss_path;
mod parity;
mod recorder;
mod recovery;
mod reference;
mod resume;
mod session;
mod steps;
mod stop;
mod tools;
mod wait;
mod watch;

pub use answers::{Answering, Score, Scorer, text_of};
pub use evaluate::held_out_nll;
pub use loss_path::{LossPath, cross_entropy, weighted};
pub use parity::{Apart, Side, compare};
pub use recorder::{Recorder, StepDone, failure};
pub use recovery::train_with_recovery;
pub use reference::Reference;
pub use resume::{changes, check_config, check_unchanged, count_computed, rewind};
pub use session::{Session, adapter_spec};
pub use steps::{Ended, Start, train};
pub use stop::Stop;
pub use tools::{Log, ToolOptions, Tools, keep_date};
pub use wait::wait;
pub use watch::{Silent, Watch};

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
