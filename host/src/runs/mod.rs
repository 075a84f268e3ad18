/*!
What remains of a run: its record, its journals, its adapter.

`status` needs these files and nothing else, and takes no lock. Whatever is written here is whole or
absent after a crash.
*/

mod diff;
mod durable;
mod folder;
mod id;
mod journal;
mod lock;
mod machine;
mod preparing;
mod record;
mod report;
mod samples;
mod speed;
mod staging;

pub use diff::{Diff, Figure, Losses, Pair, Setting};
pub use durable::{create_folder, open_to, replace, replace_folder, sync_folder};
pub use folder::RunFolder;
pub use id::{new_id, now, seconds_since};
pub use journal::{Measured, MetricsLine, append, event, read, read_metrics};
pub use lock::Lock;
pub use machine::{Machine, hostname, lives};
pub use preparing::Preparing;
pub use record::{
    AdapterFacts, Attempt, CheckpointEntry, CheckpointKind, DataFacts, Evaluation, Evaluations,
    Failure, Fingerprints, PlanFacts, PlannedSave, Progress, RunRecord, SCHEMA, Status,
};
pub use report::write_report;
pub use samples::{Answers, read_samples, write_samples};
pub use speed::measured_speed;
pub use staging::Staging;

/// Folder of runs and adapters where nothing names another one, below the current folder.
pub const DEFAULT_OUTPUT: &str = "models/adapters/tinker";
