//! The corpus: an endless, numbered sequence of documents. Document `i` depends on the seed and `i`
//! alone, so that any part of it can be made again, anywhere.

use crate::{
    grammar::choose,
    passages::Passage,
    rng::Rng,
    tasks,
    words::{code, first, rare_name, when},
};

/// The token that ends a document.
pub const END: &str = "<|endoftext|>";

/// The first documents are mostly practice in copying: what looks up and copies is learned there,
/// and sooner than from passages.
pub const PRACTICE: u64 = 16_000;

/// The `index`-th document.
pub fn document(seed: u64, index: u64) -> String {
    let mut rng = Rng::new(seed, index);
    if index < PRACTICE && rng.percent(60) {
        return match rng.below(4) {
            0 | 1 => drill(&mut rng),
            2 => lookup(&mut rng),
            _ => table_in_prose(&mut rng),
        };
    }
    match rng.below(100) {
        0..=79 => tasks::chatml(&tasks::chat(&mut rng)),
        80..=84 => prose(&mut rng),
        85..=88 => reported(&mut rng),
        89..=93 => lookup(&mut rng),
        94..=96 => table_in_prose(&mut rng),
        _ => drill(&mut rng),
    }
}

/// A passage, and the same facts told again.
fn prose(rng: &mut Rng) -> String {
    let passage = Passage::new(rng);
    let link = choose("[In other words,|To say it again,|That means,|Once more,|And so,]", rng);
    format!("{}\n{link} {}\n", passage.text, passage.again(rng).text)
}

/// Who said what to whom.
fn reported(rng: &mut Rng) -> String {
    let (one, two) = (first(rng), first(rng));
    let passage = Passage::new(rng);
    let start = choose("[said|told me|wrote|explained]", rng);
    let ask = choose("[asked|wanted to know]", rng);
    let reply = passage.again(rng).text;
    format!(
        "\"{}\" {start} {one}. \"What was that?\" {ask} {two}. \"{reply}\" said {one} again, and {two} wrote it down.\n",
        passage.text
    )
}

/// Names and codes, and a question about one of them.
fn lookup(rng: &mut Rng) -> String {
    let n = 2 + rng.below(4);
    let pairs: Vec<(String, String)> = (0..n)
        .map(|_| (rare_name(rng), if rng.percent(50) { code(rng) } else { when(rng).bare }))
        .collect();
    let noun = rng.word("number|code|time|key|answer|sign");
    let told: Vec<String> =
        pairs.iter().map(|(k, v)| format!("The {noun} of {k} is {v}.")).collect();
    let (key, value) = rng.pick(&pairs);
    let ask = format!("What is the {noun} of {key}?");
    let answer = format!("The {noun} of {key} is {value}.");
    if rng.percent(50) {
        return format!("{} {ask} {answer}\n", told.join(" "));
    }
    tasks::chatml(&vec![
        ("system", rng.word("Answer in full sentences.|You are a helpful assistant.").to_owned()),
        ("user", format!("{} {ask}", told.join(" "))),
        ("assistant", answer),
    ])
}

/// Several people with a time and a place each, then told again in another order.
fn table_in_prose(rng: &mut Rng) -> String {
    let mut rows: Vec<(String, String, String)> = (0..2 + rng.below(3))
        .map(|_| (first(rng), when(rng).full, crate::words::place(rng).full))
        .collect();
    let tell = |rows: &[(String, String, String)]| -> String {
        rows.iter().map(|(a, b, c)| format!("{a} comes {b} and waits {c}. ")).collect()
    };
    let one = tell(&rows);
    rng.shuffle(&mut rows);
    format!("{one}Once more. {}\n", tell(&rows).trim_end())
}

/// A run of random words, twice or more: practice in copying.
fn drill(rng: &mut Rng) -> String {
    let words: Vec<String> = (0..4 + rng.below(14))
        .map(|_| match rng.below(4) {
            0 => code(rng),
            1 => rare_name(rng),
            2 => rare_name(rng).to_lowercase(),
            _ => first(rng),
        })
        .collect();
    let line = words.join(" ");
    let times = 2 + rng.below(2);
    let mut text = String::new();
    for _ in 0..times {
        text.push_str(&line);
        text.push('\n');
    }
    text
}
