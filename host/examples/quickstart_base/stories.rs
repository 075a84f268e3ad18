//! More matters, told less directly: people are introduced by a phrase, prices and times stand in
//! asides, and a message seldom begins with its point.

use crate::frames::Frame;

/// Kinds of matter, as [`crate::frames::FRAMES`].
pub const STORIES: &[Frame] = &[
    Frame {
        whats: "[the|a|an old|a new|the old|our] [van|clock|shed|stove|bench|ladder|boat|caravan|fountain|swing|hedge|tree|path|stairs|pump|saw|drill|kite|tap|door|bell|wheel|bridge|wall|table|oven|cellar|gate|carpet|violin|microscope|coat|sign|stage|curtain]",
        whys: "[it is too small|it is rotten|nobody looked after it|the river rose|the wind blew it over|somebody stood on it|it was never any good|we have no room|it squeaks|the wood was wet|the price goes up|the law says so|the neighbours complained|there was an accident]",
        cores: &[
            "a [man|woman|person|neighbour|friend|builder|student|lady] [called|named|by the name of] {who} [wants|is going|has agreed|has asked] to [take|fetch|look at|mend|paint|borrow|move] {what} {when}. [|It will be {cost}.|We have settled on {cost}.|For that we pay {cost}.|He asks for {cost}, which seems fair.|She charges {cost}.] [|It stands {where}.|You will find it {where}.]",
            "{what} [has to go|must be moved|will be taken down|is going to be mended|needs to be painted|is coming down|will be put in], because {why}. [That happens {when}.|They begin {when}.|It is planned {when}.|The work is {when}.] [|{who} is in charge of it.|His name is {who}.|The person who does it is called {who}.|We have asked {who}.] [|All in all it is {cost}.|It is going to cost us {cost}.|The bill came to {cost}.]",
            "there is a [sale|market|fair] {where} {when}, and one of the things is {what}. [They want {cost} for it.|It is only {cost}.|It could be ours for {cost}.] [|{who} told me about it.|Ask for {who} there.|{who} will keep it for us.]",
            "I [have sold|have bought|gave away|am selling|have decided to buy] {what}[, because {why}|]. [{who} paid {cost}.|It went to {who} for {cost}.|I got it from {who}, and it was {cost}.|The price is {cost}.] [|I can bring it {when}.|You may fetch it {when}.|It has to be there {when}.] [|It is still {where}.]",
            "[it is about|this is about|I am writing about|you asked about|let us talk about] {what}. [It has been {where} since last week, and nobody knows why.|It stands {where} and is in the way.|Somebody left it {where}.] [{who} will [see to it|take care of it|deal with it] {when}.|Could {who} please look at it {when}?|I have asked {who} to come {when}.] [|It may cost {cost}.]",
            "{who} fixed {what} {when}[|, and it took an hour|, with the help of a friend]. [|It had been broken for years, because {why}.|It was broken because {why}.] [|We gave {cost} for it.|Please send the {cost} soon.|That was {cost}.] [|Go and see it, it is {where}.]",
        ],
    },
    Frame {
        whats: "[the|our|this year's|a small|a big] [dinner|party|wedding|walk|trip|race|game|final|circus|show|picnic|lunch|breakfast|breakfast club|school trip|talk|dance|street party|carnival|fire|raffle|auction|exhibition|tour|class|course|season|reunion|film|band|bazaar|service|choir|play|quiz|fete|market|tournament]",
        whys: "[the band is ill|it may rain|of the football|so many asked for it|the hall is too cold|our guest is late|the streets are full|the teacher moved away|there are too few of us|nobody wants to stay up late|the other place was full]",
        cores: &[
            "{who} is [turning forty|getting married|leaving us|coming home|retiring], so there will be {what} {when}. [We hold it {where}.|It will be {where}.|Everybody meets {where}.] [|Each of us gives {cost}.|A present for {cost} is quite enough.]",
            "[come to|join us at|be sure not to miss|I hope to see you at] {what} {where}, {when}. [|{who} has the list.|Please tell {who} what you will bring.|You should write to {who}.|{who} is the one to speak to.] [|A seat is {cost}.|You pay {cost}, and children get in for nothing.|To take part you pay {cost}.|It is {cost} a head.]",
            "{what} begins {when}[, and not any earlier|, or a little later|] because {why}. [We meet {where}, as always.|It all starts {where}.|Please be {where} in good time.] [|Our guide is called {who}.|{who} leads the way.|The guest is {who}, who has come a long way.]",
            "[I nearly forgot|one more thing|before I let you go|by the way], {what} is {when}, and [it is {where}|we gather {where}|it takes place {where}]. [|I have paid the {cost} for you.|It costs {cost}, or half of that for pupils.|Could you bring {cost}?] [|{who} sends greetings.|{who} would love to meet you.]",
            "I have signed us up for {what}, [which is {when}|and it starts {when}]. [It is {cost} for both of us.|We need to pay {cost}.|They charge {cost}.] [|It goes off {where}.|It will be held {where}.] [|The teacher is a certain {who}.|The teacher's name is {who}.|{who} is giving it.]",
        ],
    },
    Frame {
        whats: "[the|your|my|a] [key|ticket|letter|report|form|book|dress|suit|shoes|boots|ring|hat|scarf|gloves|glasses|money|bill|card|passport|licence|jacket|belt|prize|basket|pictures|album|badge|cheque|invoice|homework|file|tooth|stamp|medicine|timetable|guitar|tent|projector|envelope]",
        whys: "[I was away|they need to see you|the office shuts early|the post was late|I read it wrong|the name was wrong|somebody dropped it|it was the last one|you were so kind|my eyes are tired|the zip was broken|the other one got lost]",
        cores: &[
            "{what} is ready. You can [fetch|collect|pick up] it {where} {when}. [|There is {cost} to pay.|That makes {cost}.|The work came to {cost}.|It is {cost}, please.] [|Just ask for {who}.|{who} has it in a drawer.|{who} will give it to you.]",
            "[I have left|you left|somebody left|I put] {what} {where}[, because {why}|, as {why}|]. [That was {when}.|It has been there since {bare_when}, so come {when}.|It must have been {when}.] [|{who} found it.|{who}, who lives next door, has it now.|Please give it to {who}.]",
            "{who} will [bring|take|send|post|return|carry|hand in] {what} {when}. [|It goes {where}.|You should be {where} then.] [|The fee is {cost}.|I have put {cost} in with it.|You get {cost} back.] [|I cannot do it myself, because {why}.|The reason is that {why}.]",
            "could {who} bring {what} {when}[, because {why}|]? [It is needed {where}.|I will be {where}.|Just leave it {where}.] [|I will of course pay the {cost}.|It should cost no more than {cost}.]",
            "I would like to have {what} back by {bare_when}, please. [I need it {when}.|It has to be here {when}.] [|You can leave it {where}.|I am {where} all day.] [|It is worth {cost} to me.|I paid {cost} for it.] [|{who} can take it.|Give it to {who} if you like.]",
        ],
    },
    Frame {
        whats: "[the|our|your|the new|the town's|the old] [pool|road|street|path|lift|water|gas|kitchen|hall|beach|gate|heating|internet|phone line|bus|boat|plane|tram|cinema|bakery|laundry|sauna|computers|fire alarm|garden|tea room|fountain|car park|roof|station|market|bank|shop|field|stairs|bins]",
        whys: "[a pipe is broken|the men are on strike|a cable snapped|leaves fell on the track|the tiles are loose|a cow stood on the track|of the race|the floor is new|a lorry turned over|there are too few drivers|of the fog|the wind is too strong|they are putting in a new one|somebody smelled smoke]",
        cores: &[
            "there will be no {bare_what} {when}. [It is because {why}.|They say it is because {why}.|The reason is that {why}.] [|{who} is working on it.|Please ring {who} if you need help.|If you ask {who}, you will get some help.] [|You could go {where} instead.]",
            "{what} [stays shut|will be out of use|is out of order|does not run|will be turned off|is locked|cannot be used] {when}, [since {why}|because {why}|as {why}]. [|You will get {cost} back.|To make up for it, we give you {cost}.] [|The new one is {where}.|Please wait {where}.|Use the one {where}.]",
            "[they tell me|it turns out|it says on the door|the radio says] that {why}. so {what} is closed {when}. [|{who} knows more.|Speak to {who} if you are worried.] [|A bus goes from there {where}.|We can meet {where}.]",
            "{what} works again. [{who} fixed it {when}.|{who} came {when} to see to it.|It has been working {when}.] [It had stopped because {why}.|It was all because {why}.|] [|It was {cost}.|We were charged {cost}.]",
            "from {bare_when} [on|onwards] {what} [costs {cost}|will cost {cost}|is {cost}], because {why}. [|That begins {when}.|The change comes {when}.] [|{who} is sorry about it.|{who} made the rule.]",
        ],
    },
    Frame {
        whats: "[a|the|my|our] [new nurse|maths tutor|gardener|driver|new teacher|cook|helper|baker|drummer|singer|babysitter|window cleaner|new neighbour|cat|dog|rabbit|parrot|horse|cleaner|painter|summer job|job|lift home|room|flat|cottage|small hut|cabin|house|garage|desk|holiday|week by the sea|second job]",
        whys: "[we are too busy|the old one left|my knee hurts|the days are long|she was so good at it|our car broke down|the house is empty|they are very quiet|it is close to the shops|he likes the sea]",
        cores: &[
            "we are looking for {what}. [Please speak to {who}, who pays {cost} an hour.|{who} pays {cost} for the day.|You would get {cost}.|It pays {cost}.] [|It would be {where}.|You would be working {where}.] [|You could start {when}.|It begins {when}.] [|We need this because {why}.]",
            "[you wanted to know about|you asked me about|you need|you were looking for] {what}. [The name is {who}.|It is {who} you want.|I know just the person, {who}.|My cousin is called {who}.] [|Try {when}.|The best time is {when}.|That would be {when}.] [|It is {cost} each time.|The rate is {cost}.|The rent is {cost} a month.|You pay {cost} a week.]",
            "{who} has found {what}[, because {why}|]. [It is free {when}.|It starts {when}.|We may have it {when}.] [It costs {cost}.|That would be {cost} a night.|We would pay {cost} between us.] [|It is {where}, which is lovely.|It lies {where}.]",
            "{what} is still free, and you may see it {when}. [The rent is {cost}.|It is {cost} a month.|They want {cost}.] [|{who} will show you around.|My wife is called {who}, and she has the key.] [|You will find it {where}.|It is {where}.]",
            "{who} starts {when} as {what}. [You will find the place {where}.|It is {where}.|The first day is {where}.] [|The pay is {cost}.|For this there is {cost}.] [|It was needed because {why}.]",
        ],
    },
];
