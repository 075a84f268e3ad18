/*!
`tinsmith serve`: the Tinker API in front of any trainer.

```text
http ──▶ order (by seq_id) ──▶ the model's thread ──▶ Run (of a Trainer)
  │                                   │
  └── retrieve_future ◀── futures ◀───┘          sessions, checkpoints, usage: records on disk
```

The trait does what it says and no more; here stands what a service needs besides: operations in the
order of their numbers and each done once, results kept for whoever polls late, several models over one
base, expiry, publishing, downloads, and what it all cost.
*/

mod app;
mod base;
mod checkpoints;
mod copy;
mod disk;
mod export;
mod futures;
mod http;
mod ids;
mod inbox;
mod leftovers;
mod log;
mod metrics;
mod models;
mod moment;
mod order;
mod requests;
mod run;
mod samplers;
mod sessions;
mod sign;
mod usage;

pub use run::{Listening, Options, run};
