/*!
tinsmith's chat renderers.

A conversation is a list of messages; each message renders to a *header* (whose turn it is: what the
model is shown) and an *output* (content and end of turn: what the model writes). `train_on` chooses
the messages whose outputs carry weight 1; headers and the beginning-of-sequence token carry 0.

`role_colon`, `llama3` and `chatml` build tokens piece by piece. `template` renders the model's own
chat template and finds the pieces in the text.
*/

mod chatml;
mod config;
mod layout;
mod llama3;
mod response;
mod role_colon;
mod schema;
mod template;
mod train_on;

pub use chatml::Chatml;
pub use config::{ChatConfig, TemplateConfig};
pub use llama3::Llama3;
pub use role_colon::RoleColon;
pub use template::Template;
pub use train_on::TrainOn;

tinsmith_plugin_api::plugin! { id: "chat", renderers: [RoleColon, Llama3, Chatml, Template] }
