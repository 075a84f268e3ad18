//! The plugins that are linked into the program.
//!
//! A library crate that nobody names is dropped by the linker without a word, and its plugin with
//! it: so they are named here, and the test pins the list.

use tinsmith_chat as _;
use tinsmith_local as _;
use tinsmith_losses as _;
use tinsmith_store_file as _;
use tinsmith_tinker as _;

#[cfg(test)]
mod tests {
    use tinsmith_plugin_api::abi::{self, Kind};

    #[test]
    fn the_built_in_plugins_are_these() {
        let mut found: Vec<String> = abi::linked()
            .map(|handshake| {
                let plugin = abi::admit(handshake).unwrap();
                let names: Vec<String> = plugin
                    .provides()
                    .into_iter()
                    .map(|item| format!("{}:{}", item.kind, item.name))
                    .collect();
                format!("{} = {}", plugin.id(), names.join(" "))
            })
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "chat = renderer:role_colon renderer:llama3 renderer:chatml renderer:qwen3 \
                 renderer:qwen3_disable_thinking renderer:qwen3_instruct renderer:deepseekv3 \
                 renderer:deepseekv3_thinking renderer:qwen3_5 renderer:qwen3_5_disable_thinking \
                 renderer:qwen3_5_preserve_thinking renderer:gpt_oss_no_sysprompt \
                 renderer:gpt_oss_low_reasoning renderer:gpt_oss_medium_reasoning \
                 renderer:gpt_oss_high_reasoning renderer:kimi_k2 renderer:gemma3 renderer:smollm2 \
                 renderer:template",
                "local = trainer:local",
                "losses = loss:cross_entropy loss:importance_sampling loss:ppo loss:cispo loss:dro \
                 loss:dpo",
                "store-file = storage:file",
                "tinker = trainer:tinker",
            ]
        );
        assert_eq!(Kind::ALL.len(), 4);
    }
}
