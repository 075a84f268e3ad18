//! Operations that the trainer has: handed over in their order, and told in the same.

use super::{
    Forward,
    forward::Pass,
    owner::{Owner, Task, Turn, json},
};
use crate::serve::{
    futures::Outcome,
    usage::{Claim, Subject, Tokens},
};
use std::{sync::mpsc::Sender, time::Duration, time::Instant};
use tinsmith_plugin_api::{
    Adam, Done, DoneSink, Error, ErrorKind, Metrics, Result, Ticket, TicketState, ticket,
};
use tinsmith_tinker_wire::messages::OptimStepped;

/// Operations of a model that a trainer has at most: what it has is lost with it.
pub const MOST: usize = 64;

/// What comes to the thread of a model.
pub enum Event {
    /// An operation.
    Task(Box<Task>),
    /// The trainer has answered one that it had.
    Answered,
    /// Nothing more comes.
    End,
}

/// Makes tickets whose answers wake the thread of a model.
#[derive(Clone)]
pub struct Wake(pub Sender<Event>);

impl Wake {
    /// A promise, and the ticket that has its answer by the time of the [`Event`].
    pub fn ticket<T: Send + 'static>(&self) -> (Done<T>, Ticket<T>) {
        let (done, ticket) = ticket();
        (Done::new(Box::new(Nudge { done: Some(done), owner: self.0.clone() })), ticket)
    }
}

struct Nudge<T> {
    done: Option<Done<T>>,
    owner: Sender<Event>,
}

impl<T: Send> DoneSink<T> for Nudge<T> {
    fn finish(&mut self, result: Result<T>) {
        if let Some(done) = self.done.take() {
            done.finish(result);
        }
        // A thread that is gone waits for nothing.
        let _ = self.owner.send(Event::Answered);
    }
}

/// The answer of a ticket, if it is there.
pub fn answer<T>(ticket: &Ticket<T>) -> Option<Result<T>> {
    match ticket.poll(Duration::ZERO) {
        TicketState::Ready(answer) => Some(answer),
        TicketState::Waiting(_) => None,
    }
}

/// What became of an operation whose turn came.
pub enum Begun {
    /// The trainer has it.
    Flies(What),
    /// It is done.
    Done(Outcome),
}

/// An operation that the trainer has.
pub struct Flying {
    pub task: Task,
    pub name: &'static str,
    pub begun: Instant,
    pub what: What,
}

/// Which one.
pub enum What {
    /// A pass over a batch, and what it costs.
    Pass(Box<(Pass, Claim)>),
    /// A step of the optimizer.
    Step(Ticket<Metrics>),
}

impl Flying {
    /// Whether it is a step of the optimizer.
    pub fn is_step(&self) -> bool {
        matches!(self.what, What::Step(_))
    }

    /// Whether nothing may be handed over behind it yet.
    pub fn holds(&self) -> bool {
        matches!(&self.what, What::Pass(paid) if paid.0.holds())
    }
}

impl Owner {
    /// Hands a pass to the trainer, once it may be paid for.
    pub fn begin_pass(&mut self, asked: Forward, task: &Task) -> Result<Begun> {
        self.run()?;
        let claim = self.admit(&asked, task);
        if !asked.only {
            self.gradient.pass(&claim);
        }
        let claim = claim?;
        let wake = self.wake.clone();
        let pass = Pass::begin(self.run()?, asked, &wake);
        Ok(Begun::Flies(What::Pass(Box::new((pass, claim)))))
    }

    /// Hands a step of the optimizer to the trainer, if its gradient is whole.
    pub fn begin_step(&mut self, adam: Adam, task: &Task) -> Result<Begun> {
        self.run()?;
        let whole = self.gradient.step();
        if let Turn::Refused(why) = &task.turn {
            return Err(Error::rejected(why.clone()));
        }
        whole.map_err(|e| self.refused(e, task))?;
        let (done, ticket) = self.wake.ticket();
        self.run()?.optim_step(adam, done);
        Ok(Begun::Flies(What::Step(ticket)))
    }

    /// Claims what a pass costs.
    fn admit(&self, asked: &Forward, task: &Task) -> Result<Claim> {
        if let Turn::Refused(why) = &task.turn {
            return Err(Error::rejected(why.clone()));
        }
        if !asked.only {
            self.gradient.open().map_err(|e| self.refused(e, task))?;
        }
        let tokens = Tokens { train: Pass::cost(asked), ..Tokens::default() };
        let subject = Subject {
            session: Some(super::record::session_of(&self.id).to_owned()),
            of: Some(self.id.clone()),
            base: self.base.clone(),
            operation: if asked.only { "forward" } else { "forward_backward" }.into(),
        };
        let base = self.app.base(&self.base)?;
        let claimed = self.app.usage.claim(subject, tokens, base.rates, task.turn == Turn::Again);
        claimed.map_err(|e| self.refused(e, task))
    }

    /// What a client is told that met a limit. Where a killed server would do it again, it is told the same.
    fn refused(&self, e: Error, task: &Task) -> Error {
        if e.kind() != ErrorKind::REJECTED {
            return e;
        }
        let last = self.app.checkpoints.list(Some(&self.id));
        let way = match last.last() {
            Some(last) => format!("its last checkpoint is `{}`", last.path),
            None => "it has no checkpoint yet".into(),
        };
        let hint = e.hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
        let e = Error::rejected(format!("{e}; hint: {hint}saves and downloads still work; {way}"));
        if let (Some(seq), Some(model)) = (task.seq, self.app.models.get(&self.id)) {
            model.note_refused(&self.app, seq, &e);
        }
        e
    }

    /// Tells what has an answer, oldest first.
    pub fn settle(&mut self) {
        while let Some(mut flying) = self.flying.pop_front() {
            let Some(result) = self.land(&mut flying) else {
                return self.flying.push_front(flying);
            };
            let Flying { task, name, begun, what } = flying;
            if let What::Pass(paid) = what {
                let (pass, claim) = *paid;
                let tokens = Tokens { train: pass.read(), ..Tokens::default() };
                match &result {
                    Ok(_) => claim.done(tokens),
                    Err(e) if e.kind() == ErrorKind::REJECTED => claim.refused(tokens),
                    // It may have been done: it counts in full.
                    Err(_) => claim.lost(),
                }
            }
            let result = self.behind(result);
            self.tell(&task, name, begun, result);
        }
    }

    /// The result of the oldest, if it is there.
    fn land(&mut self, flying: &mut Flying) -> Option<Result<Outcome>> {
        match &mut flying.what {
            What::Step(ticket) => Some(answer(ticket)?.and_then(|metrics| self.stepped(metrics))),
            What::Pass(paid) => {
                let run = match (&mut self.run, &self.failed) {
                    (Some(run), None) => Some(run.as_mut()),
                    _ => None,
                };
                paid.0.poll(run, &self.wake).map(|result| result.map(Outcome::Output))
            }
        }
    }

    /// What is behind a failure was computed on an unknown state.
    fn behind(&mut self, result: Result<Outcome>) -> Result<Outcome> {
        match self.failed {
            Some(_) => Err(self.given_up()),
            None => self.trusted(result),
        }
    }

    fn stepped(&mut self, metrics: Metrics) -> Result<Outcome> {
        if self.failed.is_none() {
            self.steps += 1;
            self.due |= self.steps >= self.app.settings.snapshot_steps;
        }
        let finite = metrics.into_iter().filter(|(_, value)| value.is_finite()).collect();
        json(&OptimStepped { metrics: Some(finite) })
    }
}
