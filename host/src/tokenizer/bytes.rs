//! The bytes of each token, so that tokens can be decoded one by one and in streams.

use tokenizers::{DecoderWrapper, Tokenizer as Encoder};

/// How a vocabulary spells bytes.
#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    /// GPT-2's alphabet: one printable character stands for each byte.
    ByteLevel,
    /// SentencePiece: U+2581 is a space, `<0x0A>` a byte.
    Pieces,
    /// Tokens are text.
    Plain,
}

/// The bytes of each token, by id.
#[derive(Debug)]
pub(super) struct TokenBytes {
    data: Vec<u8>,
    /// `[V + 1]`; an id that no token has is an empty range.
    offsets: Vec<u32>,
    known: Vec<bool>,
}

impl TokenBytes {
    pub(super) fn new(encoder: &Encoder) -> Self {
        let spelling = spelling(encoder);
        let alphabet = byte_level_alphabet();
        let mut tokens: Vec<(u32, String)> =
            encoder.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        tokens.sort_unstable();
        let added = encoder.get_added_tokens_decoder();
        let mut table = Self { data: Vec::new(), offsets: vec![0], known: Vec::new() };
        for (id, token) in tokens {
            while table.known.len() < id as usize {
                table.push(None);
            }
            // Two names of one id: the first stands.
            if table.known.len() > id as usize {
                continue;
            }
            let bytes = match spelling {
                _ if added.contains_key(&id) => token.into_bytes(),
                Spelling::ByteLevel => from_byte_level(&token, &alphabet),
                Spelling::Pieces => from_piece(&token),
                Spelling::Plain => token.into_bytes(),
            };
            table.push(Some(&bytes));
        }
        table
    }

    fn push(&mut self, bytes: Option<&[u8]>) {
        self.known.push(bytes.is_some());
        self.data.extend_from_slice(bytes.unwrap_or_default());
        self.offsets.push(self.data.len() as u32);
    }

    /// Ids up to the highest.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn get(&self, id: i32) -> Option<&[u8]> {
        let id = usize::try_from(id).ok()?;
        self.known.get(id).filter(|known| **known)?;
        Some(&self.data[self.offsets[id] as usize..self.offsets[id + 1] as usize])
    }

    /// The first token whose id is at least `id`.
    pub(super) fn first_from(&self, id: usize) -> Option<(usize, &[u8])> {
        (id..self.len()).find_map(|id| Some((id, self.get(id as i32)?)))
    }
}

/// Told by the decoder, which exists to undo the spelling.
fn spelling(encoder: &Encoder) -> Spelling {
    match encoder.get_decoder() {
        Some(DecoderWrapper::ByteLevel(_)) => Spelling::ByteLevel,
        Some(DecoderWrapper::Metaspace(_) | DecoderWrapper::ByteFallback(_)) => Spelling::Pieces,
        Some(DecoderWrapper::Sequence(sequence)) => {
            let parts = sequence.get_decoders();
            if parts.iter().any(|d| matches!(d, DecoderWrapper::ByteLevel(_))) {
                Spelling::ByteLevel
            } else if parts.iter().any(|d| {
                matches!(
                    d,
                    DecoderWrapper::ByteFallback(_)
                        | DecoderWrapper::Metaspace(_)
                        | DecoderWrapper::Replace(_)
                )
            }) {
                Spelling::Pieces
            } else {
                Spelling::Plain
            }
        }
        _ => Spelling::Plain,
    }
}

/// GPT-2's table: printable Latin-1 characters stand for themselves, the other bytes for the
/// characters from U+0100 on, in order.
fn byte_level_alphabet() -> Vec<Option<u8>> {
    let mut table = vec![None; 0x180];
    let mut next = 0x100;
    for byte in 0..=255_u8 {
        let printable = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let code = if printable {
            usize::from(byte)
        } else {
            next += 1;
            next - 1
        };
        table[code] = Some(byte);
    }
    table
}

fn from_byte_level(token: &str, alphabet: &[Option<u8>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len());
    for c in token.chars() {
        match alphabet.get(c as usize).copied().flatten() {
            Some(byte) => bytes.push(byte),
            // Not of the alphabet: such a token was added as text.
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn from_piece(token: &str) -> Vec<u8> {
    let hex = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match hex.filter(|hex| hex.len() == 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        Some(byte) => vec![byte],
        None => token.replace('\u{2581}', " ").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_level_alphabet_covers_every_byte_once() {
        // GPT-2 spells a space U+0120 and a newline U+010A.
        let table = byte_level_alphabet();
        assert_eq!(table[0x120], Some(b' '));
        assert_eq!(table[0x10A], Some(b'\n'));
        let mut bytes: Vec<u8> = table.into_iter().flatten().collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn pieces_spell_bytes_and_spaces() {
        assert_eq!(from_piece("<0x0A>"), b"\n");
        assert_eq!(from_piece("\u{2581}the"), b" the");
        assert_eq!(from_piece("<0xZZ>"), b"<0xZZ>");
    }
}
