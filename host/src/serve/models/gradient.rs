//! Whether the gradient that a model has gathered is whole. Where a limit refuses one of the passes of a
//! step, the step is refused too, however the others went: a limit must not change what is learnt.

use tinsmith_plugin_api::{Error, Result};
use tinsmith_tinker_wire::answer::with_hint;

/// What was handed over, and what was refused, since the last step.
#[derive(Debug, Default)]
pub struct Gradient {
    /// Whether the trainer has gathered something.
    begun: bool,
    /// Why a pass was refused.
    torn: Option<String>,
}

impl Gradient {
    /// Notes a pass that was handed over, or why it was not.
    pub fn pass<T>(&mut self, handed_over: &Result<T>) {
        match handed_over {
            Ok(_) => self.begun = true,
            Err(e) => {
                self.torn.get_or_insert_with(|| e.to_string());
            }
        }
    }

    /// Whether a pass may add to it.
    ///
    /// # Errors
    /// `rejected` behind a pass of the same step that was refused.
    pub fn open(&self) -> Result<()> {
        match &self.torn {
            None => Ok(()),
            Some(why) => Err(torn(why, self.begun)),
        }
    }

    /// Ends it: whether the step may be made. Where nothing was gathered, the next one may.
    ///
    /// # Errors
    /// As [`Gradient::open`].
    pub fn step(&mut self) -> Result<()> {
        let whole = self.open();
        match whole {
            Ok(()) => self.begun = false,
            Err(_) if !self.begun => self.torn = None,
            Err(_) => {}
        }
        whole
    }
}

fn torn(why: &str, begun: bool) -> Error {
    let (why, _) = with_hint(why);
    let e = Error::rejected(format!("a pass of the same step was refused: {why}"));
    // The protocol has no way to forget a gradient but another run.
    match begun {
        true => e.with_hint("load a checkpoint to train on: the step is half done"),
        false => e,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<()> {
        Err(Error::rejected("too dear"))
    }

    #[test]
    fn a_step_is_whole_or_not_made() {
        let mut gradient = Gradient::default();
        gradient.pass(&Ok(()));
        assert!(gradient.open().is_ok() && gradient.step().is_ok());
        // Nothing of this step was handed over: the next one may be.
        gradient.pass(&refused());
        assert!(gradient.open().is_err());
        assert!(gradient.step().unwrap_err().to_string().contains("too dear"));
        assert!(gradient.open().is_ok() && gradient.step().is_ok());
        // Half of this one was.
        gradient.pass(&Ok(()));
        gradient.pass(&refused());
        for _ in 0..2 {
            assert!(gradient.open().unwrap_err().hint().is_some_and(|h| h.contains("load")));
            assert!(gradient.step().is_err());
        }
    }
}
