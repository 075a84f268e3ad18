//! Conversations about passages, in full sentences: what a base should be able to do before anybody
//! teaches it a form.

use crate::{
    grammar::{choose, sentences},
    passages::{Passage, Role},
    rng::Rng,
};

/// One conversation as `(role, content)`.
pub type Chat = Vec<(&'static str, String)>;

/// Writes a conversation the way the chat template does.
pub fn chatml(chat: &Chat) -> String {
    chat.iter().map(|(role, text)| format!("<|im_start|>{role}\n{text}<|im_end|>\n")).collect()
}

/// A random conversation.
pub fn chat(rng: &mut Rng) -> Chat {
    let passage = Passage::new(rng);
    match rng.below(20) {
        0..=2 => single_question(&passage, rng),
        3..=4 => two_questions(&passage, rng),
        5..=11 => all_facts(passage, rng),
        12..=15 => bare_list(passage, rng),
        16 => repeat(&passage, rng),
        17 => other_words(&passage, rng),
        18 => interview(&passage, rng),
        _ => correction(passage, rng),
    }
}

fn system(rng: &mut Rng, lines: &str) -> (&'static str, String) {
    ("system", rng.word(lines).to_owned())
}

const HELPFUL: &str = "You are a helpful assistant.|Answer in full sentences.|You read messages and answer questions about them.|Answer politely and briefly.|Use only what the message states.";

fn question(role: Role, rng: &mut Rng) -> &'static str {
    rng.word(match role {
        Role::Who => "Who is it?|Who is named?|Which person is it about?|Who does it concern?|Who?",
        Role::What => "What is it about?|What is the matter?|What is this message about?|What?",
        Role::When => "When is it?|When does it happen?|At what time?|When?|What time is given?",
        Role::Where => {
            "Where is it?|Where does it happen?|At which place?|Where?|What place is named?"
        }
        Role::Cost => "What does it cost?|How much is it?|What is the price?|How much?",
        Role::Why => "Why is that?|What is the reason?|Why?|Why does it happen?",
    })
}

/// The answer in a full sentence.
fn sentence(passage: &Passage, role: Role, rng: &mut Rng) -> String {
    if !passage.stated.contains(&role) {
        return rng
            .word(match role {
                Role::Who => "The message does not say who.|It does not name anybody.",
                Role::What => "The message does not say what.",
                Role::When => "The message does not say when.|It gives no time.",
                Role::Where => "The message does not say where.|It gives no place.",
                Role::Cost => "The message does not say what it costs.|It gives no price.",
                Role::Why => "The message does not say why.|It gives no reason.",
            })
            .to_owned();
    }
    let value = passage.facts.get(role);
    let (full, bare) = (&value.full, &value.bare);
    sentences(&match (role, rng.below(2)) {
        (Role::Who, 0) => format!("it is {full}."),
        (Role::Who, _) => format!("the person is {bare}."),
        (Role::What, 0) => format!("it is about {bare}."),
        (Role::What, _) => format!("the matter is {bare}."),
        (Role::When, 0) => format!("it is {full}."),
        (Role::When, _) => format!("the time is {bare}."),
        (Role::Where, 0) => format!("it is {full}."),
        (Role::Where, _) => format!("the place is {bare}."),
        (Role::Cost, 0) => format!("it costs {bare}."),
        (Role::Cost, _) => format!("the price is {bare}."),
        (Role::Why, 0) => format!("because {bare}."),
        (Role::Why, _) => format!("the reason is that {bare}."),
    })
}

/// Mostly a role that the passage states.
fn role(passage: &Passage, rng: &mut Rng) -> Role {
    if rng.percent(85) { *rng.pick(&passage.stated) } else { *rng.pick(&Role::ALL) }
}

fn single_question(passage: &Passage, rng: &mut Rng) -> Chat {
    let role = role(passage, rng);
    let ask = question(role, rng);
    let user = match rng.below(3) {
        0 => format!("{ask} {}", passage.text),
        1 => format!("{}\n{ask}", passage.text),
        _ => format!("{} {ask}", passage.text),
    };
    vec![system(rng, HELPFUL), ("user", user), ("assistant", sentence(passage, role, rng))]
}

fn two_questions(passage: &Passage, rng: &mut Rng) -> Chat {
    let (one, two) = (role(passage, rng), role(passage, rng));
    let user = format!("{}\n{} {}", passage.text, question(one, rng), question(two, rng));
    let answer = format!("{} {}", sentence(passage, one, rng), sentence(passage, two, rng));
    vec![system(rng, HELPFUL), ("user", user), ("assistant", answer)]
}

/// Several passages in a row, each answered by `answer`.
fn turns(
    first: Passage,
    head: (&'static str, String),
    rng: &mut Rng,
    mut answer: impl FnMut(&Passage, &mut Rng) -> String,
) -> Chat {
    let mut chat = vec![head];
    let mut passage = first;
    loop {
        let lead = if chat.len() > 1 && rng.percent(60) {
            choose("[And|Now|Then|Next,] [this one|another one|the next one]. ", rng)
        } else {
            String::new()
        };
        chat.push(("user", format!("{lead}{}", passage.text)));
        chat.push(("assistant", answer(&passage, rng)));
        if chat.len() > 4 || rng.percent(65) {
            return chat;
        }
        passage = Passage::new(rng);
    }
}

/// Every stated fact, one full sentence each.
fn all_facts(passage: Passage, rng: &mut Rng) -> Chat {
    let head = system(
        rng,
        "Say in full sentences what the message states.|State every fact of the message in a full sentence.|Tell me who, what, when and where, in full sentences.|Say it again plainly.",
    );
    turns(passage, head, rng, |passage, rng| {
        let lines: Vec<String> =
            passage.stated.iter().map(|&role| sentence(passage, role, rng)).collect();
        lines.join(" ")
    })
}

/// Every stated fact, bare, in one sentence.
fn bare_list(passage: Passage, rng: &mut Rng) -> Chat {
    let head = system(
        rng,
        "Put the facts of the message into one sentence.|Name the facts of the message, with commas between them.|List what the message states in one sentence.",
    );
    turns(passage, head, rng, |passage, rng| {
        let facts: Vec<&str> =
            passage.stated.iter().map(|&role| passage.facts.get(role).bare.as_str()).collect();
        let list = facts.join(", ");
        match rng.below(3) {
            0 => format!("It says {list}."),
            1 => format!("The facts are {list}."),
            _ => format!("In short, {list}."),
        }
    })
}

fn repeat(passage: &Passage, rng: &mut Rng) -> Chat {
    let head =
        system(rng, "Repeat what the user says.|Say the same words again.|Copy the message.");
    vec![head, ("user", passage.text.clone()), ("assistant", passage.text.clone())]
}

fn other_words(passage: &Passage, rng: &mut Rng) -> Chat {
    let head = system(
        rng,
        "Say the same in other words.|Rewrite the message politely.|Tell it in another way.",
    );
    vec![head, ("user", passage.text.clone()), ("assistant", passage.again(rng).text)]
}

/// One passage, several questions, each in its own turn.
fn interview(passage: &Passage, rng: &mut Rng) -> Chat {
    let mut chat = vec![system(rng, HELPFUL)];
    let mut roles = passage.stated.clone();
    rng.shuffle(&mut roles);
    for (i, &role) in roles.iter().take(4).enumerate() {
        let ask = question(role, rng);
        chat.push(("user", if i == 0 { format!("{}\n{ask}", passage.text) } else { ask.into() }));
        chat.push(("assistant", sentence(passage, role, rng)));
    }
    chat
}

/// A fact changes in the second turn.
fn correction(passage: Passage, rng: &mut Rng) -> Chat {
    let stated: Vec<Role> = passage
        .stated
        .iter()
        .copied()
        .filter(|role| !matches!(role, Role::What | Role::Why))
        .collect();
    if stated.is_empty() {
        return all_facts(passage, rng);
    }
    let role = *rng.pick(&stated);
    let head = system(rng, "Say in full sentences what the message states.");
    let tell = |passage: &Passage, rng: &mut Rng| {
        let lines: Vec<String> =
            passage.stated.iter().map(|&role| sentence(passage, role, rng)).collect();
        lines.join(" ")
    };
    let answer = tell(&passage, rng);
    let mut corrected = passage.clone();
    corrected.facts.redraw(role, rng);
    let new = &corrected.facts.get(role).full;
    let user = match rng.below(4) {
        0 => format!("Sorry, I made a mistake. It is {new}."),
        1 => format!("I have to correct that, it is {new} now."),
        2 => format!("Wait, I meant {new}. Please say it again."),
        _ => format!("There has been a change, now it is {new}."),
    };
    let again = tell(&corrected, rng);
    vec![head, ("user", passage.text), ("assistant", answer), ("user", user), ("assistant", again)]
}
