//! Passages: verbose everyday English that carries a few facts.

use crate::{
    frames::{CLOSINGS, DIGRESSIONS, FRAMES, Frame, OPENINGS},
    grammar::{choose, fill, sentences},
    rng::Rng,
    stories::STORIES,
    words::{self, Value},
};

/// What a fact says. The order is the order in which answers list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Who,
    What,
    When,
    Where,
    Cost,
    Why,
}

impl Role {
    pub const ALL: [Self; 6] =
        [Self::Who, Self::What, Self::When, Self::Where, Self::Cost, Self::Why];

    fn slot(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::What => "what",
            Self::When => "when",
            Self::Where => "where",
            Self::Cost => "cost",
            Self::Why => "why",
        }
    }
}

/// The facts that a passage may state.
#[derive(Clone, Debug)]
pub struct Facts {
    values: [Value; 6],
}

impl Facts {
    /// The value of a role.
    pub fn get(&self, role: Role) -> &Value {
        &self.values[role as usize]
    }

    /// Draws another value for a role.
    pub fn redraw(&mut self, role: Role, rng: &mut Rng) {
        let value = match role {
            Role::Who => words::who(rng),
            Role::When => words::when(rng),
            Role::Where => words::place(rng),
            Role::Cost => words::cost(rng),
            Role::What | Role::Why => return,
        };
        self.values[role as usize] = value;
    }
}

/// A passage with what it states.
#[derive(Clone, Debug)]
pub struct Passage {
    pub text: String,
    pub facts: Facts,
    /// The roles that the text states, sorted.
    pub stated: Vec<Role>,
    frame: &'static Frame,
}

impl Passage {
    /// A random passage.
    pub fn new(rng: &mut Rng) -> Self {
        let frame = match rng.below(FRAMES.len() + STORIES.len()) {
            i if i < FRAMES.len() => &FRAMES[i],
            i => &STORIES[i - FRAMES.len()],
        };
        let what = fill(&choose(frame.whats, rng), |slot| slot_value(slot, None, rng));
        let (article, what) = split_article(&what);
        // Half of the time from the frame's own list, else from anything at all.
        let what =
            if rng.percent(50) { Value::new(article, what) } else { words::what(article, rng) };
        let why =
            if rng.percent(45) { Value::new("", choose(frame.whys, rng)) } else { words::why(rng) };
        let facts = Facts {
            values: [
                words::who(rng),
                what,
                words::when(rng),
                words::place(rng),
                words::cost(rng),
                why,
            ],
        };
        Self::render(frame, facts, true, rng)
    }

    /// The same facts in other words, without anything around them.
    pub fn again(&self, rng: &mut Rng) -> Self {
        Self::render(self.frame, self.facts.clone(), false, rng)
    }

    fn render(frame: &'static Frame, facts: Facts, wordy: bool, rng: &mut Rng) -> Self {
        let core = choose(rng.pick::<&str>(frame.cores), rng);
        let mut stated: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|role| {
                let slot = role.slot();
                core.contains(&format!("{{{slot}}}")) || core.contains(&format!("{{bare_{slot}}}"))
            })
            .collect();
        stated.sort();
        let mut text = String::new();
        if wordy && rng.percent(60) {
            text.push_str(&choose(rng.pick::<&str>(OPENINGS), rng));
            text.push(' ');
        }
        let mut digressed = !wordy;
        for (i, sentence) in split_sentences(&core).iter().enumerate() {
            if i > 0 {
                if !digressed && rng.percent(30) {
                    text.push(' ');
                    text.push_str(&choose(rng.pick::<&str>(DIGRESSIONS), rng));
                    digressed = true;
                }
                text.push(' ');
            }
            text.push_str(sentence);
        }
        if !digressed && rng.percent(35) {
            text.push(' ');
            text.push_str(&choose(rng.pick::<&str>(DIGRESSIONS), rng));
        }
        if wordy && rng.percent(45) {
            text.push(' ');
            text.push_str(&choose(rng.pick::<&str>(CLOSINGS), rng));
        }
        let filled = fill(&text, |slot| slot_value(slot, Some(&facts), rng));
        // Empty alternatives leave double spaces behind.
        let words: Vec<&str> = filled.split(' ').filter(|word| !word.is_empty()).collect();
        Self { text: sentences(&words.join(" ")), facts, stated, frame }
    }
}

/// What stands in a slot: a fact, or something random that is none.
fn slot_value(slot: &str, facts: Option<&Facts>, rng: &mut Rng) -> String {
    if let Some(facts) = facts {
        if let Some(role) = Role::ALL.into_iter().find(|role| role.slot() == slot) {
            return facts.get(role).full.clone();
        }
        match slot {
            "bare_when" => return facts.get(Role::When).bare.clone(),
            "bare_what" => return facts.get(Role::What).bare.clone(),
            _ => {}
        }
    }
    match slot {
        "name" => words::first(rng),
        "other" => words::who(rng).full,
        "place" => words::place(rng).full,
        "code" => words::code(rng),
        "day" => rng.word("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday").to_owned(),
        "n" => rng.word("two|three|four|five|six|eight|ten|a dozen|a few|several").to_owned(),
        _ => words::rare_name(rng),
    }
}

/// `the parents' evening` → (`the `, `parents' evening`).
fn split_article(text: &str) -> (&str, &str) {
    for article in ["the ", "a ", "an ", "my ", "our ", "your "] {
        if let Some(rest) = text.strip_prefix(article) {
            return (&text[..article.len()], rest);
        }
    }
    ("", text)
}

fn split_sentences(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        if matches!(c, '.' | '!' | '?') && text[at + 1..].starts_with(' ') {
            parts.push(&text[start..=at]);
            start = at + 2;
        }
    }
    parts.push(&text[start..]);
    parts
}
