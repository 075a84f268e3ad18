/*!
tinsmith's losses: those of the Tinker API with its math and defaults, and `dpo`.

Each file holds one loss: its formula, its gradient and what a Tinker server is told. All of them
are plain sums over tokens or pairs, in nats; averaging is folded into `weights` or `advantages` by the plan.
*/

mod cispo;
mod config;
mod cross_entropy;
mod dpo;
mod dro;
mod importance_sampling;
mod lanes;
mod policy;
mod ppo;

pub use cispo::Cispo;
pub use config::{CispoConfig, DpoConfig, DroConfig, NoConfig, PpoConfig};
pub use cross_entropy::CrossEntropy;
pub use dpo::Dpo;
pub use dro::Dro;
pub use importance_sampling::ImportanceSampling;
pub use ppo::Ppo;

tinsmith_plugin_api::plugin! {
    id: "losses",
    losses: [CrossEntropy, ImportanceSampling, Ppo, Cispo, Dro, Dpo],
}
