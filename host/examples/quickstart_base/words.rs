//! Word lists, and the random values that passages carry: people, times, places, prices.

use crate::rng::Rng;

const FIRST: &str = "Anna|Ben|Clara|David|Emma|Frank|Grace|Henry|Iris|Jack|Kate|Leo|Maria|Nina|Oscar|Paula|Peter|Rosa|Sam|Tom|Uma|Victor|Wendy|Yusuf|Zoe|Ali|Bella|Carlos|Dina|Eric|Fatima|George|Hannah|Ivan|Julia|Karim|Lucy|Martin|Nora|Omar|Priya|Robert|Sarah|Tariq|Vera|Will|Ruth|Daniel|Mia|Noah|Lena|Hugo|Ella|Simon|Alice|Jonas|Amir|Helen|Marco|Olga|Ravi|Susan|Paul|James|Laura|Nick|Linda|Joe|Amy|Mark|Jane|Chris|Diane|Felix|Gina|Kofi|Mei|Arthur|Edith|Stella";
const LAST: &str = "Patel|Keller|Brown|Novak|Silva|Hughes|Kim|Okafor|Meyer|Rossi|Khan|Young|Baker|Lopez|Walsh|Fischer|Green|Hill|Jensen|Carter|Murphy|Singh|Turner|Weber|Wood|Adams|Bell|Clark|Dunn|Evans|Ford|Grant|Harris|Jones|Larsen|Moore|Nolan|Owens|Price|Reed|Shah|Taylor|Underhill|Vance|Ward|Bennett|Costa|Doyle|Ellis|Fox|Gray|Holt|Ito|Lane|Marsh|North|Park|Quinn|Stone|Webb|West|Cole|Hart|Cook|Shaw";
const TITLE: &str = "Mr|Mrs|Ms|Dr|Miss";
const TRADE: &str = "plumber|electrician|driver|doctor|dentist|nurse|teacher|gardener|painter|builder|mechanic|engineer|manager|cleaner|librarian|coach|tutor|vet|carpenter|landlord|caretaker|receptionist|secretary|baker|photographer|technician|inspector|courier|locksmith|roofer|head teacher|guide|trainer|chef|optician|window cleaner|piano tuner|physiotherapist|choir leader|bus driver|estate agent";
const KIN: &str =
    "sister|brother|aunt|uncle|cousin|neighbour|colleague|friend|daughter|son|mother|father";
const SYLLABLE: &str = "ba|bel|bran|cor|dal|den|dor|el|fen|gar|hal|hol|jas|kal|kes|lan|lor|mar|mel|min|nor|ol|pen|quin|ran|ros|sel|tan|tor|ul|van|vel|wes|win|yar|zan|ish|ka|lo|mi|ne|po|ri|su|ta|vo";

const DAY: &str = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday";
const MONTH: &str =
    "January|February|March|April|May|June|July|August|September|October|November|December";
const HOUR: &str = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|noon|midday|half past two|half past four|quarter past nine|quarter to six|half past ten|half past seven|quarter to three|quarter past one";
const PART: &str = "morning|afternoon|evening";

const STREET: &str = "Mill|Station|Church|Park|Oak|Elm|Bridge|Castle|Queen|King|Garden|Harbour|Lake|Rose|Maple|High|Market|North|South|West|Cedar|River|Hill|School|Abbey|Green|Victoria|Orchard|Chapel|Dock|Forest|Meadow|Willow|Ash";
const ROAD: &str = "Street|Road|Lane|Avenue|Square";
const SITE: &str = "town hall|library|school hall|main gate|front desk|reception|train station|bus station|post office|sports centre|community centre|swimming pool|church hall|health centre|museum|car park|side entrance|old bakery|market square|garden centre|back door|canteen|staff room|conference room|meeting room|lecture hall|village shop|garage|workshop|warehouse|art room|science lab|playground|main entrance|cafe|pharmacy|hospital|clinic|theatre|cinema|football ground|harbour|airport|tennis club|service desk|ticket office|bike shed|lost property office|music room|gym|kitchen|waiting room|loading bay|shoe shop|bakery|hotel lobby|bus stop|park|dental surgery|toy shop|bookshop|ferry terminal|playing field|pavilion|fire station|police station|visitor centre";

/// A value as a passage writes it, and the same value bare.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// With its preposition or article: `on Tuesday at nine`, `at the town hall`.
    pub full: String,
    /// Without: `Tuesday at nine`, `town hall`.
    pub bare: String,
}

impl Value {
    pub fn new(prefix: &str, bare: impl Into<String>) -> Self {
        let bare = bare.into();
        Self { full: format!("{prefix}{bare}"), bare }
    }
}

/// A name nobody has: two or three syllables. Forces copying.
pub fn rare_name(rng: &mut Rng) -> String {
    let n = 2 + rng.below(2);
    let text: String = (0..n).map(|_| rng.word(SYLLABLE)).collect();
    capitalize(&text)
}

/// A code such as `K417` or `tor-88`.
pub fn code(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => format!("{}{}", letter(rng), 100 + rng.below(900)),
        1 => format!("{}-{}", rng.word(SYLLABLE), 10 + rng.below(90)),
        2 => format!("{}{}-{}", letter(rng), letter(rng), 10 + rng.below(990)),
        _ => format!("{}", 1000 + rng.below(9000)),
    }
}

fn letter(rng: &mut Rng) -> char {
    char::from(b'A' + rng.below(26) as u8)
}

/// `tuesday` → `Tuesday`.
pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// A first name.
pub fn first(rng: &mut Rng) -> String {
    if rng.percent(15) { rare_name(rng) } else { rng.word(FIRST).to_owned() }
}

fn last(rng: &mut Rng) -> String {
    if rng.percent(20) { rare_name(rng) } else { rng.word(LAST).to_owned() }
}

/// A person, by name or by trade.
pub fn who(rng: &mut Rng) -> Value {
    match rng.below(12) {
        0..=2 => Value::new("", first(rng)),
        3..=5 => Value::new("", format!("{} {}", first(rng), last(rng))),
        6..=8 => Value::new("", format!("{} {}", rng.word(TITLE), last(rng))),
        9 => {
            let kin = rng.word(KIN);
            Value::new(&format!("my {kin} "), first(rng))
        }
        10 => Value::new(rng.word("the |our |a |the new |the same "), rng.word(TRADE)),
        _ => {
            let trade = rng.word(TRADE);
            Value::new(&format!("our {trade} "), first(rng))
        }
    }
}

fn clock(rng: &mut Rng) -> String {
    match rng.below(6) {
        0 | 1 => rng.word(HOUR).to_owned(),
        2 => format!("{}.{}", 7 + rng.below(12), rng.word("15|30|45|10|20|40|50|05")),
        3 => format!("{} {}", 1 + rng.below(12), rng.word("am|pm")),
        4 => format!("{}:{}", 7 + rng.below(13), rng.word("00|15|30|45")),
        _ => format!("{} o'clock", rng.word("two|three|four|five|six|eight|nine|ten|eleven")),
    }
}

fn date(rng: &mut Rng) -> String {
    let day = 1 + rng.below(30);
    let month = rng.word(MONTH);
    if rng.percent(50) {
        return format!("{day} {month}");
    }
    let ending = match day {
        1 | 21 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    if rng.percent(50) { format!("{month} {day}{ending}") } else { format!("the {day}{ending}") }
}

/// A time.
pub fn when(rng: &mut Rng) -> Value {
    match rng.below(13) {
        0 | 1 => Value::new("on ", rng.word(DAY)),
        2..=4 => Value::new("on ", format!("{} at {}", rng.word(DAY), clock(rng))),
        5 => Value::new("on ", format!("{} {}", rng.word(DAY), rng.word(PART))),
        6 => Value::new("at ", clock(rng)),
        7 => Value::new("on ", date(rng)),
        8 => Value::new("on ", format!("{} {}", rng.word(DAY), date(rng))),
        9 => Value::new("", format!("tomorrow {}", rng.word("morning|afternoon|evening|at noon"))),
        10 => Value::new("", format!("tomorrow at {}", clock(rng))),
        11 => Value::new("", format!("next {}", rng.word(&format!("{DAY}|week|month")))),
        _ => match rng.below(5) {
            0 => Value::new("from ", format!("{} to {}", clock(rng), clock(rng))),
            1 => Value::new("in ", rng.word(MONTH)),
            2 => Value::new("", format!("every {}", rng.word(DAY))),
            3 => Value::new("", format!("this {}", rng.word(&format!("{DAY}|{PART}")))),
            _ => Value::new("until ", format!("{} at {}", rng.word(DAY), clock(rng))),
        },
    }
}

/// A place.
pub fn place(rng: &mut Rng) -> Value {
    match rng.below(12) {
        0..=5 => Value::new(rng.word("at the |in the |at the |by the "), rng.word(SITE)),
        6 => Value::new(
            "in ",
            format!("{} {}", rng.word("room|Room|hall|office"), 1 + rng.below(40)),
        ),
        7 | 8 => {
            let number = 1 + rng.below(99);
            Value::new("at ", format!("{number} {} {}", rng.word(STREET), rng.word(ROAD)))
        }
        9 => Value::new("on ", format!("{} {}", rng.word(STREET), rng.word(ROAD))),
        10 => Value::new("in ", rare_name(rng)),
        _ => match rng.below(4) {
            0 => Value::new("on ", format!("platform {}", 1 + rng.below(12))),
            1 => Value::new(
                "on ",
                format!("the {} floor", rng.word("first|second|third|fourth|top|ground")),
            ),
            2 => Value::new("at ", format!("gate {}", 1 + rng.below(30))),
            _ => Value::new("in ", format!("building {}", letter(rng))),
        },
    }
}

/// A price.
pub fn cost(rng: &mut Rng) -> Value {
    let most = if rng.percent(70) { 60 } else { 400 };
    let n = 2 + rng.below(most);
    let text = match rng.below(8) {
        0 | 1 => format!("{n} {}", rng.word("pounds|euros|dollars")),
        2 | 3 => format!("£{n}"),
        4 => format!("£{n}.{}", rng.word("50|99|20|75|25|40|80")),
        5 => format!("${n}"),
        6 => format!(
            "{} {}",
            rng.word("five|six|eight|nine|ten|twelve|fifteen|eighteen|twenty|thirty|forty|fifty|sixty|eighty|ninety|a hundred"),
            rng.word("pounds|euros|dollars")
        ),
        _ => format!("{n}.{} euros", rng.word("50|99|20|75")),
    };
    Value::new("", text)
}

const QUALITY: &str = "blue|red|green|black|brown|white|yellow|old|new|small|big|long|wooden|broken|heavy|soft|second|last|first|spare|warm|empty|round|silver|paper|front|summer|winter|garden|kitchen|school|village|music|spring|stone|evening|family|little|open|quiet|final|annual|secret|best";
const NOUN: &str = "lamp|cup|fence|spoon|box|plate|poster|map|rope|brush|basket|rug|pillow|radio|candle|mirror|shelf|drawer|blanket|bucket|spade|rake|helmet|ball|racket|trophy|flag|tractor|trailer|engine|battery|cable|keyboard|screen|pen|diary|magazine|contract|licence|survey|workshop|seminar|hike|ride|swim|tasting|ceremony|visit|rehearsal|inspection|sermon|debate|vote|audition|recital|delivery|harvest|hen|goat|lamb|pony|goose|kitten|beehive|pond|orchard|attic|cellar|balcony|porch|chimney|gutter|ceiling|cupboard|fridge|freezer|kettle|toaster|pan|recipe|soup|stew|salad|pie|cheese|honey|jam|bread|flour|sugar|coffee|tea|juice|medicine|bandage|crutch|wheelchair|x-ray|prescription|necklace|locket|brooch|earring|waistcoat|blouse|skirt|sock|slipper|trainer|sandal|puppet|doll|puzzle|kite|scooter|sledge|drum|flute|trumpet|cello|harp|song|poem|novel|painting|statue|photo|film|exhibition|lecture";
const VERB: &str = "move|open|count|collect|wash|sell|paint|carry|mend|check|buy|order|hide|wrap|bring|find|fetch|sort|build|clean|photograph|weigh|polish|return|store|tune|unload|measure|deliver|prepare|replace|copy";
const SUBJECT: &str = "the cat|the baby|my sister|my boss|the dog|a bird|the wind|the rain|the bank|the school|our guest|the driver|the lock|the key|the roof|the floor|my car|my tooth|my father|the engine|a wire|the ice|the paint|the boss|the whole team|half of us|nobody|somebody|everyone|the river|the moon|a mouse|the wood|the council|the queue|the last bus|the first one|the office|the kitchen|her husband|his wife|the twins|they|she|he|we|I|it";
const DID: &str = "fell asleep|ran away|was too loud|came too late|is on holiday|got stuck|got wet|smelled odd|broke a leg|had to leave|forgot the way|missed the boat|lost the list|was too slow|cannot swim|is afraid of heights|wants more room|needs a rest|has a fever|has moved to the coast|got married|won a prize|found a better one|ate all the cake|caught a cold|was very hungry|turned it down|made a mistake|said so|would not wait|did not answer|is running low|is only half full|is not safe|was sold twice|went missing|fell off|caught fire|was left open|has never done it before|looked at the wrong page|told the wrong story";

/// A thing, with or without a quality; one in four has a name that nobody knows.
fn thing(rng: &mut Rng) -> String {
    let noun =
        if rng.percent(25) { rare_name(rng).to_lowercase() } else { rng.word(NOUN).to_owned() };
    match rng.below(10) {
        0..=4 => format!("{} {noun}", rng.word(QUALITY)),
        5 => format!("{noun} {} {}", rng.word("of|for|from|with"), rare_name(rng)),
        6 => format!("{} {noun}", rare_name(rng)),
        _ => noun,
    }
}

/// What a matter is about, drawn from so many words that it has to be read, not remembered. An
/// action where `like` is one (it has no article), else a thing.
pub fn what(like: &str, rng: &mut Rng) -> Value {
    let thing = thing(rng);
    if like.is_empty() {
        return Value::new("", format!("{} the {thing}", rng.word(VERB)));
    }
    Value::new(like, thing)
}

/// A reason, drawn from many.
pub fn why(rng: &mut Rng) -> Value {
    let subject = if rng.percent(30) { first(rng) } else { rng.word(SUBJECT).to_owned() };
    let did = rng.word(DID);
    Value::new(
        "",
        match rng.below(4) {
            0 => format!("{subject} {did} {}", rng.word("again|last week|in the night|as always|at the last minute|this time|on the way home")),
            1 => format!("{} {} the {} {}", subject, rng.word("broke|lost|sold|took|dropped|needs|wants|hates|forgot|moved|painted|burnt"), rng.word(QUALITY), rng.word(NOUN)),
            _ => format!("{subject} {did}"),
        },
    )
}
