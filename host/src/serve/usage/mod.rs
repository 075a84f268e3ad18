/*!
What passed through a server: counted, written down, and kept within the limits of its config.

An operation that costs tokens is a [`Claim`]. What it may cost at most is set aside and on its way to the disk
before the trainer is handed the operation, and put right when it is done. So a server that is killed
has counted at least what it spent, and one that is started again counts on from there.

```text
STATE/usage.jsonl      a line when an operation is asked for, and one when it is done
```
*/

mod billing;
mod limit;
mod line;
mod sample;

pub use billing::{Hours, usage};
pub use limit::Caps;
pub use line::{Line, State, Subject, Tokens, Total};
pub use sample::Counted;

use crate::{Result, plan::Rates, runs, serve::models::internal, training::Log};
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tinsmith_plugin_api::Level;

/// What was spent, over all servers that had the folder.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    path: PathBuf,
    caps: Caps,
    log: Log,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// The number of the next operation.
    next: u64,
    /// Operations that are done.
    spent: Total,
    /// The most that those cost that are under way.
    set_aside: Total,
    under_way: usize,
    /// Whether a line may not be on the disk yet.
    dirty: bool,
}

impl Ledger {
    /// Counts on from what the folder's last server wrote. What it had under way counts in full.
    ///
    /// # Errors
    /// `failed` that names the file.
    pub fn open(path: &Path, caps: Caps, log: Log) -> Result<Self> {
        let last = Line::last(path)?;
        let books = last.map_or_else(Books::default, |last| Books {
            next: last.op + 1,
            spent: last.total,
            ..Books::default()
        });
        Ok(Self(Arc::new(Inner { path: path.into(), caps, log, books: Mutex::new(books) })))
    }

    /// What was spent by operations that are done.
    pub fn spent(&self) -> Total {
        self.0.lock().spent
    }

    /// What was spent, and of how much, for people. None: there is no limit.
    pub fn standing(&self) -> Option<String> {
        self.is_limited().then(|| self.0.caps.standing(self.spent()))
    }

    /// Whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.0.caps != Caps::default()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Sets aside what an operation may cost. `again`: it was promised before, and no limit is asked.
    ///
    /// # Errors
    /// `rejected` where it would exceed a limit; `io` if it cannot be written down.
    pub fn claim(
        &self,
        subject: Subject,
        most: Tokens,
        rates: Rates,
        again: bool,
    ) -> tinsmith_plugin_api::Result<Claim> {
        let mut books = self.0.lock();
        let need = Total { tokens: most, usd: most.usd(rates).unwrap_or(0.0) };
        if !again {
            self.0.caps.check(books.spent, books.set_aside, need)?;
        }
        let op = books.next;
        let total = books.spent + books.set_aside + need;
        let line = entry(op, State::Asked, subject, most, rates, total);
        self.0.write(&mut books, &line).map_err(internal)?;
        books.next += 1;
        books.set_aside = books.set_aside + need;
        books.under_way += 1;
        drop(books);
        let (op, subject) = (line.op, line.subject);
        Ok(Claim { ledger: Arc::clone(&self.0), op, subject, need, rates, open: true })
    }

    /// Brings to the disk what was written since the last time.
    ///
    /// # Errors
    /// `failed` that names the file.
    pub fn sync(&self) -> Result<()> {
        if std::mem::take(&mut self.0.lock().dirty) {
            let path = &self.0.path;
            let file = File::open(path).and_then(|file| file.sync_data());
            file.map_err(|e| crate::Error::io("write", path, &e))?;
        }
        Ok(())
    }
}

impl Inner {
    // A panic while the lock was held leaves plain data: it stays usable.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, books: &mut Books, line: &Line) -> Result<()> {
        books.dirty = true;
        runs::append(&self.path, line, false)
    }
}

fn entry(
    op: u64,
    state: State,
    subject: Subject,
    tokens: Tokens,
    rates: Rates,
    total: Total,
) -> Line {
    Line { time: runs::now(), op, state, subject, tokens, usd: tokens.usd(rates), total }
}

/// What is set aside for an operation. Dropped, it is lost: it counts in full.
pub struct Claim {
    ledger: Arc<Inner>,
    op: u64,
    subject: Subject,
    need: Total,
    rates: Rates,
    open: bool,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("op", &self.op).field("need", &self.need).finish()
    }
}

impl Claim {
    /// It was done.
    pub fn done(mut self, tokens: Tokens) {
        self.settle(State::Done, tokens);
    }

    /// It was refused, after so many tokens.
    pub fn refused(mut self, tokens: Tokens) {
        self.settle(State::Refused, tokens);
    }

    /// What became of it is unknown.
    pub fn lost(self) {}

    fn settle(&mut self, state: State, tokens: Tokens) {
        self.open = false;
        let mut books = self.ledger.lock();
        books.under_way -= 1;
        books.set_aside = match books.under_way {
            // Sums of dollars are not exact.
            0 => Total::default(),
            _ => books.set_aside - self.need,
        };
        let usd = tokens.usd(self.rates).unwrap_or(0.0);
        books.spent = books.spent + Total { tokens, usd };
        let total = books.spent + books.set_aside;
        let line = entry(self.op, state, self.subject.clone(), tokens, self.rates, total);
        if let Err(e) = self.ledger.write(&mut books, &line) {
            // What stands there is more than was spent.
            (self.ledger.log)(Level::Warn, &e.to_string());
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.open {
            self.settle(State::Lost, self.need.tokens);
        }
    }
}

#[cfg(test)]
mod tests;
