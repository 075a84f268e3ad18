/*!
From files to examples.

```text
file ──read──▶ batches of lines ──┬─ worker: shape ─ map to messages ─ render ─ limits ─┐
                                  └─ worker: …                                          ┴─▶ in order ──▶ ExampleSet + report
```
*/

mod example_set;

pub use example_set::{ExampleSet, Source};
