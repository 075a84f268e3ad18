/*!
The Tinker protocol: what both ends of it share.

- [`proto`], [`messages`]: the bodies, as protobuf and as JSON.
- [`tensor`], [`datum`]: per-token values and datums, from and to both dialects.
- [`chunks`]: how a batch is cut into requests, and [`combine`] how their results become one.
- [`columns`]: datums of several targets at each place.
- [`samples`]: what `asample` answers, and [`targets`]: tokens to be scored in a prompt.
- [`output`]: what `forward_backward` answers, in both dialects.
- [`answer`]: what a poll for a result says.
- [`path`]: the paths of checkpoints, `tinker://RUN/KIND/NAME`.

It computes nothing and opens no connection.
*/

pub mod answer;
pub mod chunks;
pub mod columns;
pub mod combine;
pub mod datum;
pub mod le;
pub mod losses;
pub mod messages;
pub mod output;
pub mod path;
pub mod proto;
pub mod samples;
pub mod targets;
pub mod tensor;

/// Media type of the protobuf bodies.
pub const PROTOBUF: &str = "application/x-protobuf";
/// Media type of the JSON bodies.
pub const JSON: &str = "application/json";
/// Where every path of the protocol begins.
pub const API: &str = "/api/v1";
