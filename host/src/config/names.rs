//! What other trainers call the keys of this config. They are refused like any unknown key; the
//! hint says how the key is called here.

/// Name elsewhere, and the key here.
const ELSEWHERE: &[(&str, &str)] = &[
    // model
    ("base_model", "model.base_model"),
    ("model_name", "model.base_model"),
    ("model_name_or_path", "model.base_model"),
    ("model_path", "model.base_model"),
    ("tokenizer_path", "model.tokenizer"),
    ("tokenizer_name", "model.tokenizer"),
    // lora
    ("lora_r", "lora.rank"),
    ("lora_rank", "lora.rank"),
    ("r", "lora.rank"),
    ("lora_alpha", "lora.alpha"),
    ("lora_parameters", "lora"),
    ("adapter", "training.mode"),
    ("finetuning_type", "training.mode"),
    ("lora_target", "lora.train_attn, lora.train_mlp and lora.train_unembed"),
    ("lora_target_modules", "lora.train_attn, lora.train_mlp and lora.train_unembed"),
    ("target_modules", "lora.train_attn, lora.train_mlp and lora.train_unembed"),
    // renderer
    ("chat_template", "renderer"),
    ("template", "renderer"),
    ("renderer_name", "renderer"),
    // datasets, data
    ("dataset", "datasets"),
    ("train_file", "datasets"),
    ("train_data", "datasets"),
    ("train_on_what", "data.train_on"),
    ("train_on_inputs", "data.train_on"),
    ("train_on_input", "data.train_on"),
    ("train_on_prompt", "data.train_on"),
    ("mask_prompt", "data.train_on"),
    ("roles_to_train", "data.train_on"),
    ("sequence_len", "data.max_length"),
    ("cutoff_len", "data.max_length"),
    ("max_seq_length", "data.max_length"),
    ("max_seq_len", "data.max_length"),
    ("excess_length_strategy", "data.overlong"),
    ("val_size", "data.eval.fraction or data.eval.count"),
    ("val_set_size", "data.eval.fraction or data.eval.count"),
    ("test_size", "data.eval.fraction or data.eval.count"),
    ("test_datasets", "data.eval.path"),
    ("data_seed", "data.seed"),
    ("dataset_exact_deduplication", "data.dedupe"),
    ("field_messages", "datasets[].fields.messages"),
    ("message_property_mappings", "datasets[].fields"),
    ("message_field_role", "datasets[].fields.role"),
    ("message_field_content", "datasets[].fields.content"),
    ("column_map", "datasets[].fields"),
    ("prompt_feature", "datasets[].fields.prompt"),
    ("completion_feature", "datasets[].fields.completion"),
    ("num_samples", "datasets[].limit"),
    // training
    ("micro_batch_size", "training.batch_size"),
    ("per_device_train_batch_size", "training.batch_size"),
    ("num_epochs", "training.epochs"),
    ("num_train_epochs", "training.epochs"),
    ("iters", "training.max_steps"),
    ("max_steps_per_epoch", "training.max_steps"),
    ("loss_fn", "training.loss"),
    // optimizer, schedule
    ("lr", "optimizer.learning_rate"),
    ("adam_beta1", "optimizer.beta1"),
    ("adam_beta2", "optimizer.beta2"),
    ("adam_epsilon", "optimizer.eps"),
    ("adam_eps", "optimizer.eps"),
    ("max_grad_norm", "optimizer.grad_clip_norm"),
    ("clip_grad_norm", "optimizer.grad_clip_norm"),
    ("gradient_clipping", "optimizer.grad_clip_norm"),
    ("lr_scheduler", "schedule.name"),
    ("lr_scheduler_type", "schedule.name"),
    ("lr_schedule", "schedule.name"),
    ("num_warmup_steps", "schedule.warmup_steps"),
    ("warmup", "schedule.warmup_steps"),
    ("cosine_min_lr_ratio", "schedule.min_lr_ratio"),
    // eval, checkpoint
    ("eval_steps", "eval.every_steps"),
    ("eval_every", "eval.every_steps"),
    ("steps_per_eval", "eval.every_steps"),
    ("save_every", "checkpoint.every_steps"),
    ("save_steps", "checkpoint.every_steps"),
    ("save_total_limit", "checkpoint.keep_last"),
    ("keep_last_n_checkpoints", "checkpoint.keep_last"),
    // output
    ("output_dir", "output"),
    ("adapter_path", "output"),
    ("log_path", "output"),
    ("backend", "trainer"),
    ("base_url", "trainer.base_url"),
];

/// What tinsmith does instead of a setting that it does not have.
const INSTEAD: &[(&str, &str)] = &[
    (
        "gradient_accumulation_steps",
        "give the whole optimizer batch as `training.batch_size`; the trainer splits it as memory allows",
    ),
    (
        "grad_accumulation_steps",
        "give the whole optimizer batch as `training.batch_size`; the trainer splits it as memory allows",
    ),
    ("lora_dropout", "adapters have no dropout here; `optimizer.weight_decay` regularises"),
    ("resume_from_checkpoint", "go on with a run by `tinsmith train --resume RUN`"),
    ("load_checkpoint_path", "go on with a run by `tinsmith train --resume RUN`"),
    ("sample_packing", "sequences are packed by the trainer; there is nothing to set"),
    ("packing", "sequences are packed by the trainer; there is nothing to set"),
    ("wandb_project", "metrics are in the run's `metrics.jsonl`; trackers are not supported yet"),
    ("report_to", "metrics are in the run's `metrics.jsonl`; trackers are not supported yet"),
    ("version", "the config has no version; remove the key"),
    ("bf16", "the base keeps the dtype of its files; there is nothing to set"),
    ("fp16", "the base keeps the dtype of its files; there is nothing to set"),
];

/// The hint for a key of another trainer, if it is one.
#[must_use]
pub fn hint(key: &str, path: &str) -> Option<String> {
    if let Some((_, here)) = ELSEWHERE.iter().find(|(name, here)| *name == key && *here != path) {
        let here = here.replace(" and ", "` and `").replace(" or ", "` or `").replace(", ", "`, `");
        return Some(format!("here it is called `{here}`"));
    }
    INSTEAD.iter().find(|(name, _)| *name == key).map(|(_, hint)| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema;

    /// Every key that a hint names exists.
    #[test]
    fn the_keys_named_exist() {
        let keys = schema::keys();
        for (name, here) in ELSEWHERE {
            for key in here.replace(" and ", ", ").replace(" or ", ", ").split(", ") {
                let known = keys.iter().any(|k| k.path == key) || key.starts_with("trainer.");
                assert!(known, "{name} -> {key}");
            }
        }
    }
}
