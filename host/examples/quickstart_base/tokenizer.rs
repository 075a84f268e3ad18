//! The base's own tokenizer: byte-level BPE, trained on the corpus.

use crate::corpus::{END, PRACTICE, document};
use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, Tokenizer, TokenizerBuilder,
    models::bpe::{BPE, BpeTrainerBuilder},
    pre_tokenizers::byte_level::ByteLevel,
};

/// Ids in the vocabulary, special tokens included.
pub const VOCAB: usize = 3072;
/// Special tokens: ids 0, 1 and 2.
pub const SPECIAL: [&str; 3] = [END, "<|im_start|>", "<|im_end|>"];
/// Documents that the tokenizer is trained on: those after the practice in copying, whose words
/// nobody needs.
pub const DOCUMENTS: std::ops::Range<u64> = PRACTICE..PRACTICE + 12_000;

/// Trains the tokenizer. The result depends on the seed alone.
///
/// # Errors
/// Whatever the tokenizers crate answers.
pub fn train(seed: u64) -> tokenizers::Result<Tokenizer> {
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(VOCAB)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(SPECIAL.map(|text| AddedToken::from(text, true)).to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut tokenizer = TokenizerBuilder::<
        BPE,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    >::new()
    .with_model(BPE::default())
    .with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true))))
    .with_post_processor(Some(PostProcessorWrapper::ByteLevel(ByteLevel::new(false, true, true))))
    .with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::new(false, true, true))))
    .build()?;
    let texts = DOCUMENTS.map(|i| {
        let text = document(seed, i);
        // The marks of the chat template are tokens of their own, not text to learn merges from.
        SPECIAL.iter().fold(text, |text, mark| text.replace(mark, "\n"))
    });
    tokenizer.train(&mut trainer, texts)?;
    let json = tokenizer.to_string(false)?;
    let tokenizer: Tokenizer = json.parse()?;
    debug_assert!(matches!(tokenizer.get_model(), ModelWrapper::BPE(_)));
    Ok(tokenizer)
}
