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
pub const PRACTICE: u64 = 8_000;

/// The `index`-th document.
pub fn document(seed: u64, index: u64) -> String {
    let mut rng = Rng::new(seed, index);
    if index < PRACTICE && rng.percent(60) {
        return match rng.below(5) {
            0 | 1 => drill(&mut rng),
            4 => word_list(&mut rng),
            2 => lookup(&mut rng),
            _ => table_in_prose(&mut rng),
        };
    }
    match rng.below(100) {
        0..=79 => tasks::chatml(&tasks::chat(&mut rng)),
        80..=84 => prose(&mut rng),
        85..=88 => reported(&mut rng),
        89..=93 => lookup(&mut rng),
        94..=95 => table_in_prose(&mut rng),
        96..=97 => word_list(&mut rng),
        _ => drill(&mut rng),
    }
}

/// Everyday words, also at the beginning of a line: a word that follows a line break is another
/// token than one that follows a space, and one never seen cannot be learned by a small adapter.
const EVERYDAY: &str = "who|what|when|where|why|cost|how|which|much|many|house|water|paper|green|little|morning|table|window|garden|letter|bread|money|table|street|train|ticket|child|friend|school|shoe|heat|light|clock|quiet|open|early|late|happy|warm|cold|walk|read|bring|carry|answer|number|colour|music|river|apple|chair";

/// A list of everyday words, one a line, and the same list again.
fn word_list(rng: &mut Rng) -> String {
    let words: Vec<&str> = (0..4 + rng.below(9)).map(|_| rng.word(EVERYDAY)).collect();
    let list = words.join("\n");
    match rng.below(3) {
        0 => format!("{list}\nOnce more, from the top.\n{list}\n"),
        1 => format!("{list}\n\n{list}\n\n{list}\n"),
        _ => tasks::chatml(&vec![
            ("system", "Write each word on a line of its own.".to_owned()),
            ("user", words.join(" ")),
            ("assistant", list),
        ]),
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
    let start = choose("[said|wrote|explained]", rng);
    let ask = choose("[asked|wanted to know]", rng);
    let reply = passage.again(rng).text;
    if rng.percent(40) {
        return format!(
            "{one} {start} this to {two}: {} And {two} told it on: {reply}\n",
            passage.text
        );
    }
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

/// Practice in copying. A few rare words, again and again in a random order: how a word goes on is
/// only to be found where it stood before. Or a line of words, several times over.
fn drill(rng: &mut Rng) -> String {
    let words: Vec<String> = (0..3 + rng.below(6))
        .map(|_| match rng.below(6) {
            0 => code(rng),
            1 => rare_name(rng).to_lowercase(),
            2 => when(rng).bare,
            _ => format!("{}{}", rare_name(rng), rare_name(rng).to_lowercase()),
        })
        .collect();
    let mut text = String::new();
    if rng.percent(65) {
        for _ in 0..words.len() * 5 {
            text.push_str(rng.pick::<String>(&words));
            text.push(' ');
        }
    } else {
        let line = words.join(" ");
        for _ in 0..4 {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}
