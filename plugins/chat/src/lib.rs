/*!
tinsmith's chat renderers.

A conversation is a list of messages; each message renders to a *header* (whose turn it is: what the
model is shown) and an *output* (content and end of turn: what the model writes). `train_on` chooses
the messages whose outputs carry weight 1; headers and the beginning-of-sequence token carry 0.

A family (`families/`) builds tokens piece by piece: its file says which, `family.rs` what all have in
common. `template` renders the model's own chat template and finds the pieces in the text.
*/

mod config;
mod families;
mod family;
mod response;
mod schema;
mod template;
mod train_on;

pub use config::{ChatConfig, TemplateConfig};
pub use families::{Chatml, Llama3, RoleColon};
pub use family::Chat;
pub use template::Template;
pub use train_on::TrainOn;

tinsmith_plugin_api::plugin! { id: "chat", renderers: [RoleColon, Llama3, Chatml, Template] }
