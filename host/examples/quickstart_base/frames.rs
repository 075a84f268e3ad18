//! What the passages are about: everyday matters, each with several ways to tell them.

/// A kind of matter.
#[derive(Debug)]
pub struct Frame {
    /// What it is about: a thing with an article, or an action.
    pub whats: &'static str,
    /// Why it is so.
    pub whys: &'static str,
    /// Ways to tell it.
    pub cores: &'static [&'static str],
}

/// How messages begin.
pub const OPENINGS: &[&str] = &[
    "[hello|hi|hello there|good morning|good afternoon|hi everyone|dear all|hello everybody][,|, and] [I hope you are well|I hope this finds you well|I hope you had a good weekend|I trust you are all well|sorry to bother you again|thank you for your patience][.| and thank you for reading this.]",
    "[I just wanted to let you know|this is just a quick note to say|I am writing to tell you|as you may have heard already, I should mention] that [there is some news|something has come up|things have changed a little|we have a plan at last].",
    "[sorry for the late message|sorry for the long message|I know you are busy|I know this is short notice|it has been a long week], but [I thought you should know|I wanted to tell you myself|this may matter to you].",
    "[you may remember|as you probably know|I am not sure whether you heard|if I remember rightly|as we said last week], [we talked about this on {day}|{name} asked about this {n} times|this came up at the last meeting|I had my doubts at first].",
    "[well|right|so|okay|anyway|now then], [where do I begin|let me explain|here is the story|I finally have an answer|this took me a while to find out].",
    "[thank you so much for your message|thanks again for calling|thanks for asking|many thanks for your kind letter][.|, it was lovely to hear from you.|, it really made my day.]",
];

/// Asides that state nothing of the matter.
pub const DIGRESSIONS: &[&str] = &[
    "[the weather has been|it has been] [awful|lovely|terribly hot|rather cold|wet and windy] [lately|all week|here], [as you know|to be honest|by the way|I must say].",
    "[to be honest|frankly|I must admit], I [was a bit surprised|had almost forgotten about it|was not expecting that|had hoped for something else][|, but there we are|, but never mind].",
    "[my brother|{name}|the neighbour|somebody from the office] [said|thinks|told me] [it would never happen|it was about time|that is quite normal|that happens every year], [but who knows|for what it is worth|and I tend to agree].",
    "[it is a bit of a nuisance|it is not ideal|I know it is not perfect|it is quite exciting really], [I know|of course|as you can imagine|but it cannot be helped].",
    "[last time|last year|the year before], [it took far too long|everything went well|it rained the whole time|nobody came|we nearly missed it][.|, if you remember.|, as {name} likes to say.]",
    "[I have been meaning to tell you for days|I kept putting it off|I would have called but my phone was dead|I wrote it down somewhere so I would not forget].",
    "[there was some talk of {day}|at first they said {day}|we thought about {day}], but [that did not work out|nobody was free|that was a mistake].",
    "[some people|{n} people|{name} and {name}] [have already asked|were not happy about it|seem to like the idea], [which is nice|which is understandable|which surprised me].",
];

/// How messages end.
pub const CLOSINGS: &[&str] = &[
    "[please let me know if that is a problem|please tell me if anything is unclear|do call if you have any questions|just let me know what you think|feel free to pass this on][.|, and thank you.|, any time.]",
    "[thanks in advance|many thanks|thank you for your help|thank you for understanding|thanks again for everything][.|, as always.|, I really appreciate it.]",
    "[I am sorry for any trouble|we apologise for any inconvenience|I hope that is all right|I hope that works for everyone|that is all for now|that is really all I know].",
    "[looking forward to it|see you then|take care|have a lovely day|all the best|speak soon][.|, and say hello to {name}.|, and give my love to {name}.]",
    "[no need to answer|there is no hurry|no need to bring anything|you do not have to do anything][.|, of course.|, at least for now.]",
];

/// All kinds.
pub const FRAMES: &[Frame] = &[
    Frame {
        whats: "[fix|repair|look at|check|replace|clean|install|mend|take a look at|service|test] the [boiler|kitchen tap|washing machine|front door|roof|heating|printer|lift|fence|window|shower|oven|fridge|dishwasher|garage door|alarm|lights|radiator|gutter|lock|bathroom sink|router|projector|bicycle|car|piano|chimney|gate|phone line|smoke alarm|water pipe]",
        whys: "[it has been leaking|it makes a strange noise|it stopped working|it is very old|it does not close properly|the last storm damaged it|water drips on the floor|it keeps switching itself off|the handle came off|it failed the last test|it trips the fuse]",
        cores: &[
            "[it turns out that|I am told that|it looks as if|I can now say that|apparently] {who} [will come|is coming|is going to come|has promised to come|should be here] {when} to {what}[|, because {why}|, since {why}]. [|That will cost {cost} in all.|The whole thing should be about {cost}.|They want {cost} for it.|The price is {cost}, I think.]",
            "[{who} has agreed to|{who} is ready to|{who} can] {what} {when}[| for {cost}|, and the bill will be {cost}|, which costs {cost}]. [|It is all because {why}.|We need this because {why}.]",
            "we finally found somebody to {what}. [It is {who}, who can come {when}.|The job goes to {who}, and it will be done {when}.|{who} will do it {when}.] [|The price will be {cost}.|That is {cost} for everything.|It comes to {cost}.] [|The work is {where}.]",
            "[somebody has to|we really must|they need to|the plan is to] {what} {when}[|, as {why}|, because {why}]. [{who} will do it[| for {cost}].|I asked {who} to do it.|It will be {who} who does it.] [|You will find the place {where}.]",
            "since {why}, I have asked {who} to {what}. [That is planned for {bare_when}, so {when} somebody should be in.|They will come {when}.|It should happen {when}.] [|It costs {cost}.|We agreed on {cost}.]",
        ],
    },
    Frame {
        whats: "[the|a|our] [staff meeting|parents' evening|book club|choir practice|team meeting|budget meeting|training course|open day|quiz night|yoga class|first aid course|concert|lecture|school play|prize giving|summer fair|committee meeting|fire drill|planning meeting|job interview|cooking class|art class|football match|swimming lesson|piano lesson|dance class|charity run|cake sale|film night|talk on local history|garden party|birthday party|farewell party|wedding rehearsal|science fair|sports day|flu clinic|language course|chess club|board meeting|weekly review|welcome tea|plant sale|blood donation day|puppet show|pottery class|spring concert|safety briefing]",
        whys: "[the hall is being painted|too many people were away|the old date clashed with a holiday|there is a lot to talk about|the heating is broken|the teacher is ill|the room was too small|we need more time|the speaker missed the train|everybody asked for it]",
        cores: &[
            "{what} [will take place|takes place|will be held|is going to be|is now] {when} {where}[|, with {who} in charge|, and {who} will lead it]. [|Tickets are {cost}.|It costs {cost} to get in.|The fee is {cost} each.|Entry is {cost}.]",
            "[please note|please remember|do not forget|may I remind you|just to remind everyone] that {what} is {when}. [We will meet {where}.|It will be {where} this time.|You will find us {where}.] [|{who} will be there to open up.|{who} will run it.|Please speak to {who} if you want to come.] [|It costs {cost}.]",
            "[{who} is organising|{who} will lead|{who} will run|{who} is in charge of] {what}, [which will be {when}|and it starts {when}|planned for {bare_when} and so held {when}] {where}. [|The price is {cost} for each person.|You pay {cost} at the door.] [|It was moved because {why}.]",
            "because {why}, {what} [has been moved|has been put off|had to be changed|will not be where it was]. [It will now be {when} {where}.|The new time is {bare_when}, and it is {where}, so come {when}.|It is now {when}.] [|{who} sends apologies.|Ask {who} if you have questions.]",
            "[would you like to come to|you are all invited to|we would love to see you at|have you signed up for] {what}? [It is {when} {where}.|It is {where} {when}.] [|It will cost you {cost}.|The cost is {cost}, which is not bad.|Bring {cost} with you.] [|{who} will be there too.|{who} is giving the talk.]",
        ],
    },
    Frame {
        whats: "[a|my|the] [blue|red|green|black|brown|grey|yellow|white|small|large|old|new|striped|leather|woollen|silver] [umbrella|scarf|coat|bag|backpack|wallet|purse|notebook|phone|water bottle|hat|glove|key ring|suitcase|jacket|lunch box|watch|ring|camera|laptop|pencil case|jumper|bicycle helmet|pair of glasses|bracelet|teddy bear|library book|set of keys]",
        whys: "[I was in a hurry|I had too many bags|the bus was so full|I was on the phone|the children were tired|I changed seats|my hands were full]",
        cores: &[
            "[I think I lost|I seem to have lost|I am afraid I left|somehow I left|it looks as if I forgot] {what} {where} {when}[|, because {why}|, as {why}]. [|It belongs to {who}.|I borrowed it from {who}.|If you find it, please give it to {who}.] [|It cost {cost}, so I would like it back.|I paid {cost} for it.]",
            "[somebody|a kind passenger|one of the children|a visitor] [found|handed in|picked up] {what} {where}. [It was handed in {when}.|That was {when}.|They found it {when}.] [|{who} has it now.|It is kept by {who} now.|Please ask {who} about it.]",
            "{who} has lost {what}. [It was last seen {where} {when}.|It must have been {when}, probably {where}.|The last time we saw it was {when} {where}.] [|There is a reward of {cost}.|A new one would cost {cost}.|The finder gets {cost}.]",
            "has anyone seen {what}? [{who} had it {when} {where}.|I left it {where} {when}.|It went missing {when}, I think {where}.] [|It is worth {cost}.] [|I forgot it because {why}.]",
        ],
    },
    Frame {
        whats: "[a|the|your|our] [parcel|sofa|new bed|kitchen table|box of books|washing machine|bunch of flowers|pair of shoes|desk|crate of apples|bag of cement|set of chairs|new phone|carpet|bookcase|office chair|case of wine|mattress|cot|lamp|television|fridge|pizza|load of firewood|birthday cake|printer paper|delivery of bread|vegetable box|new laptop|garden bench|winter coat|replacement part]",
        whys: "[the van broke down|the road is closed|nobody was at home|the address was wrong|it was out of stock|there was a strike|the warehouse lost it|the snow is too deep|the driver was ill]",
        cores: &[
            "{what} [will be delivered|will arrive|is due|should come|is going to be delivered] {when}[| by {who}|, and {who} will bring it]. [|It will be left {where}.|They will leave it {where}.|You can pick it up {where}.] [|The delivery costs {cost}.|There is {cost} to pay.|You owe the driver {cost}.]",
            "[{who} will deliver|{who} is bringing|{who} will drop off|{who} is sending] {what} {when}. [|Please make sure that somebody is {where}.|It goes to the flat {where}.|Come and get it {where}.] [|It costs {cost} with delivery.|The bill is {cost}.|{cost} should be paid in cash.]",
            "[I am sorry to say that|unfortunately|we regret that|sadly] {what} [did not come|is late|could not be delivered|was sent back], because {why}. [It should now arrive {when}.|You can collect it {where} {when}.|We will try again {when}.] [|You will get {cost} back.|We will refund {cost}.] [|Please ask {who} about it.]",
            "[{who} ordered|{who} bought|{who} has paid for] {what}, [and it cost {cost}|for {cost}|at a price of {cost}]. [It will come {when}.|It is waiting {where}.|It can be picked up {where} {when}.]",
            "you can [collect|pick up|fetch] {what} {where} {when}. [|Just ask for {who}.|{who} will hand it to you.] [|Please bring {cost}.|There is still {cost} to pay.]",
        ],
    },
    Frame {
        whats: "[a|the|your|my] [dental check-up|eye test|haircut|blood test|driving lesson|flu jab|tax meeting|viewing of the flat|check-up|vet appointment|fitting|massage|passport appointment|piano tuning|hearing test|bank appointment|X-ray|guitar lesson|scan|physio session|car inspection|appointment|interview|consultation|job talk|maths lesson]",
        whys: "[the doctor is away|someone else cancelled|the machine is broken|the office closes early|of a staff meeting|there was a mix-up|the trains are not running|I have a cold|my car will not start]",
        cores: &[
            "[this is to confirm|I am calling to confirm|we are happy to confirm|here are the details of] {what} with {who}[,|, which is] {when}. [|Please come to us {where}.|We are {where}.|It will be {where}.] [|The charge is {cost}.|It costs {cost}.|Please note the fee of {cost}.]",
            "{who} [can see you|has time for you|is free|could fit you in] {when} for {what}. [|That would be {where}.|You should go straight to the desk {where}.] [|It comes to {cost}.|You would have to pay {cost}.]",
            "[I have|I have just booked|we made|I managed to get] {what} {when} {where}. [It is with {who}.|I will see {who}.|{who} will be looking after me.] [|It will set me back {cost}.|They charge {cost}.]",
            "[would it be possible to move|could we change|I need to change|I would like to move] {what} [with {who}|] to another day, because {why}? [{when} would suit me.|I could come {when}.|Is there anything {when}?] [|I know you are {where}.]",
            "{what} [has been moved|had to be moved|has been changed] because {why}. [It is now {when}, with {who}.|{who} will see you {when} instead.] [|Come to the rooms {where}.]",
        ],
    },
    Frame {
        whats: "[the|our] [coach|bus|train|ferry|flight|school bus|night train|boat|tram|minibus|airport bus|taxi|express train|shuttle|steam train|cable car]",
        whys: "[there is snow on the line|the driver is ill|of the strong wind|of a fallen tree|the engine failed|of thick fog|of works on the bridge|there is a strike|of a flood|a signal broke]",
        cores: &[
            "{what} [leaves|will leave|departs|sets off|goes] {when} {where}[|, and a ticket is {cost}|, and a seat costs {cost}]. [|{who} will be driving.|{who} has the tickets.|{who} will wait for you there.]",
            "[attention please|dear passengers|an announcement for all travellers], {what} will [be late|not run|leave later] because {why}. [It will now leave {when} {where}.|The next one goes {when}.|Please wait {where}.] [|A refund of {cost} will be paid.] [|Speak to {who} if you need help.]",
            "[we are going by|we will take|I booked us on|{who} wants to take] {what} {when}. [It goes {where}.|We will meet {where}.|You get on {where}.] [|The ticket was {cost}.|Each of us pays {cost}.|The fare is {cost}.] [|{who} is coming too.]",
        ],
    },
    Frame {
        whats: "[the|our] [library|school|swimming pool|museum|post office|park|road|bridge|car park|canteen|gym|playground|shop|clinic|market|ticket office|office|cafe|nursery|bank|town hall|footpath|north entrance|sports hall|theatre|recycling centre|zoo|ice rink]",
        whys: "[a pipe burst|of the heavy snow|of the storm|the floor is being cleaned|of a power cut|of building works|there is no heating|of a public holiday|of ice on the steps|of a gas leak|the roof is leaking|of staff training|the paint is still wet|a tree came down]",
        cores: &[
            "{what} will [be closed|stay closed|not open|be shut] {when} because {why}. [|Please use the one {where}.|You can go to the other one {where}.|There is another one {where}.] [|{who} is sorry about this.|For questions, please call {who}.]",
            "[we are sorry to tell you|please be aware|the council says|I have just heard] that {what} is closed {when}[|, because {why}|, as {why}]. [|{who} has the details.|{who} told me this.] [|The repairs will cost {cost}.]",
            "because {why}, {what} [must close|has been closed|will close early] {when}. [|{who} made the decision.|{who} is looking into it.] [|We hope to open again soon {where}.]",
            "{what} [opens again|will be open again|reopens] {when}. [It had been closed because {why}.|That is good news, since it was shut because {why}.] [|Entry is {cost}.|A visit costs {cost}.] [|{who} will cut the ribbon.]",
        ],
    },
    Frame {
        whats: "[a|the|some|our] [{n} tickets|cheese sandwich|large pizza|chocolate cake|birthday card|pot of paint|ladder|tent|second-hand bike|table for {n}|dozen eggs|bag of potatoes|new kettle|guitar|violin|winter tyre|box of tiles|bottle of milk|loaf of bread|pair of boots|sewing machine|wooden chair|lawn mower|double room|single room|garden hose|printer|set of plates|drum kit|painting|school uniform|dictionary|map]",
        whys: "[the old one broke|it was on sale|we have guests|it is for a birthday|the children need it|ours was stolen|we are moving house|I promised it|we ran out]",
        cores: &[
            "[I would like to order|could I book|I want to buy|we need|please reserve] {what}[ for {who}|], [please|if I may|if you still have it]. [I will come {when}.|I need it {when}.|We can pay and collect {when}.] [|The shop is {where}, is it not?|I can meet you {where}.] [|I was told it is {cost}.|I can pay {cost}.|The price on the sign was {cost}.]",
            "{who} [is selling|wants to sell|is giving away|has for sale] {what}[| for {cost}|, and is asking {cost}|, and {cost} is the price]. [You can see it {where}.|It is {where}.|Come and look {when}.] [|It is for sale because {why}.]",
            "[yesterday|last week|this morning] {who} bought {what} {where}[| for {cost}|, and paid {cost}|, which was {cost}]. [|It was because {why}.|The reason was that {why}.] [|It will be ready {when}.|We can fetch it {when}.]",
            "we [have set aside|are keeping|have packed] {what} for {who}. [It can be collected {when} {where}.|Please come {when}.|It is ready {where}.] [|The total is {cost}.|That makes {cost}.]",
        ],
    },
    Frame {
        whats: "[water the plants|feed the cat|walk the dog|pick up the children|bring the cake|book the hall|send the report|print the programme|buy the flowers|collect the keys|sign the form|bring a packed lunch|return the books|pay the rent|take out the bins|wash the cups|lock the door|count the chairs|order the food|post the letters|write the minutes|hand in the homework|clean the kitchen|set up the tables|call the bank|finish the slides|send the photos|mow the lawn|paint the fence|look after the baby|collect the tickets|check the list|open the shop|bake some bread|take the minutes|drive the van]",
        whys: "[I will be away|nobody else has time|it was forgotten last time|the office asked for it|we are one person short|my back hurts|the train leaves early|the guests come early]",
        cores: &[
            "[could {who} please|would {who} be so kind and|I was wondering if {who} could|it would be great if {who} could|please ask {who} to] {what} {when}[|, because {why}|, as {why}]? [|It is {where}.|Everything you need is {where}.] [|There are {cost} in the tin for it.|I will pay {cost}.]",
            "{who} [has offered to|has promised to|is going to|will|said yes when asked to] {what} {when}[| because {why}|, since {why}]. [|That will be {where}.|They will start {where}.] [|It will cost {cost}.|We will give them {cost}.]",
            "[do not forget to|please remember to|we all need to|somebody must] {what} {when}. [|{who} will help.|{who} will check.|Tell {who} when it is done.] [|The things are {where}.|Leave it {where}.] [|The reason is that {why}.]",
        ],
    },
];
