/*!
tinsmith's chat renderers.

A conversation is a list of messages; each message renders to a *header* (whose turn it is: what the
model is shown) and an *output* (content and end of turn: what the model writes). `train_on` chooses
the messages whose outputs carry weight 1; headers and the beginning-of-sequence token carry 0.

A family (`families/`) builds tokens piece by piece: its file says which, `family.rs` and `chat.rs` what
all have in common. `template` renders the model's own chat template and finds the pieces in the text.
*/

mod chat;
mod config;
mod controls;
mod date;
mod families;
mod family;
mod layout;
mod python;
mod response;
mod schema;
mod split;
mod template;
mod train_on;
mod writer;

pub use chat::Chat;
pub use config::{ChatConfig, DatedConfig, TemplateConfig};
pub use families::*;
pub use split::Split;
pub use template::Template;
pub use train_on::TrainOn;

tinsmith_plugin_api::plugin! { id: "chat", renderers: [RoleColon, Llama3, Chatml, Qwen3,
Qwen3DisableThinking, Qwen3Instruct, DeepSeekV3, DeepSeekV3Thinking, Qwen35,
    Qwen35DisableThinking, Qwen35PreserveThinking, GptOss, GptOssLow, GptOssMedium, GptOssHigh,
    KimiK2, Gemma3, SmolLm2, Template] }
