//! A host with a real tokenizer, for tests.

#![allow(clippy::unwrap_used, dead_code)]

use std::{path::Path, sync::Arc};
use tinsmith_plugin_api::{
    AddedToken, Encoded, Error, HostServices, Level, Result, Secret, Services, Special,
    StorageHandle, TokenizerInfo,
};
use tokenizers::Tokenizer;

/// `tests/fixtures/chat`.
pub fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/chat")
}

/// Services with the small tokenizer of the fixtures.
pub fn small(bos: Option<&str>, eos: Option<&str>, template: Option<&str>) -> Services {
    services(&fixtures().join("tokenizer.json"), bos, eos, template)
}

/// Services with the tokenizer of `file`.
pub fn services(
    file: &Path,
    bos: Option<&str>,
    eos: Option<&str>,
    template: Option<&str>,
) -> Services {
    let mut parse = Tokenizer::from_file(file).unwrap();
    // As the host does: what is spelled as a control token is one.
    let is_control = |t: &tokenizers::AddedToken| AddedToken::is_control(&t.content, t.special);
    let control = parse.get_added_tokens_decoder().into_values().filter(is_control);
    let control: Vec<_> = control.map(|t| t.special(true)).collect();
    parse.add_special_tokens(&control);
    let mut literal = parse.clone();
    literal.set_encode_special_tokens(true);
    let added = parse.get_added_tokens_decoder();
    let mut added_tokens: Vec<AddedToken> = added
        .into_iter()
        .map(|(id, t)| AddedToken { id: id as i32, special: is_control(&t), content: t.content })
        .collect();
    added_tokens.sort_by_key(|token| token.id);
    let info = TokenizerInfo {
        chat_template: template.map(Into::into),
        bos_token: bos.map(Into::into),
        eos_token: eos.map(Into::into),
        added_tokens,
        vocab_size: parse.get_vocab_size(true) as u32,
        fingerprint: String::new(),
    };
    Services::new(Arc::new(Host { parse, literal, info }))
}

struct Host {
    parse: Tokenizer,
    literal: Tokenizer,
    info: TokenizerInfo,
}

impl HostServices for Host {
    fn log(&self, _: Level, _: &str) {}

    fn progress(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn threads(&self) -> usize {
        1
    }

    fn encode(&self, text: &str, special: Special) -> Result<Vec<i32>> {
        Ok(self.encode_offsets(text, special)?.0)
    }

    fn encode_offsets(&self, text: &str, special: Special) -> Result<Encoded> {
        let tokenizer = match special {
            Special::Parse => &self.parse,
            Special::Literal => &self.literal,
        };
        let encoding = tokenizer.encode(text, false).map_err(|e| Error::data(e.to_string()))?;
        let ranges = encoding.get_offsets().iter().map(|(a, b)| (*a as u32, *b as u32));
        Ok((encoding.get_ids().iter().map(|id| *id as i32).collect(), ranges.collect()))
    }

    fn token_id(&self, token: &str) -> Option<i32> {
        self.parse.token_to_id(token).map(|id| id as i32)
    }

    fn decode_bytes(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        let ids: Vec<u32> = tokens.iter().map(|id| *id as u32).collect();
        let text = self.parse.decode(&ids, false).map_err(|e| Error::data(e.to_string()))?;
        Ok(text.into_bytes())
    }

    fn tokenizer(&self) -> Result<TokenizerInfo> {
        Ok(self.info.clone())
    }

    fn store(&self) -> Result<Arc<dyn StorageHandle>> {
        Err(Error::unsupported("no store"))
    }

    fn secret(&self, _: &str) -> Result<Secret> {
        Err(Error::unsupported("no secrets"))
    }
}
