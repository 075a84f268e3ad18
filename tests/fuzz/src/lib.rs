/*!
One structured fuzz target over everything between a file of records and the examples that are
trained, and back from sampled tokens to messages.

```text
bytes ─ scenario ─▶ a file of rows, near-valid ─ container, formats, renderer, limits ─▶ checks
                 └▶ token ids ─ parsers, stream decoder ────────────────────────────────▶ checks
```

[`one`] panics where something that the docs promise does not hold. libFuzzer calls it
(`tests/fuzz/run.sh`), and `cargo test` does with the corpus that libFuzzer grew (`corpus.hex`).
*/

mod answers;
pub mod corpus;
mod outcome;
mod panics;
mod proof;
mod rows;
mod scenario;
mod text;
mod tools;

use outcome::Outcome;
pub use scenario::Scenario;
use tools::Tools;

/// Runs one input.
///
/// # Panics
/// If something that the docs promise does not hold.
pub fn one(data: &[u8]) {
    panics::watch();
    let scenario = Scenario::of(data);
    // Some settings do not go together, and the renderer says so.
    let Some(tools) = Tools::of(&scenario) else { return };
    let outcome = Outcome::of(&scenario, &tools, 1);
    outcome.check(&scenario, &tools);
    if let Some(plain) = scenario.plain() {
        outcome.assert_same(&Outcome::of(&plain, &tools, 2), &scenario);
    }
    proof::check(&outcome, &scenario, &tools);
    answers::check(&outcome, &scenario, &tools);
    panics::assert_none();
}
