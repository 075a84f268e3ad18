//! tinsmith's local trainer: LoRA and full-parameter training on the CPU.
