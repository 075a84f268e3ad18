//! The model that a loss is measured against: the base, or a checkpoint, which is never trained.

use super::{Watch, wait};
use crate::{
    Error, Result,
    plan::{REFERENCE, StepBatch},
};
use std::sync::Arc;
use tinsmith_plugin_api::{AdapterSpec, ColumnData, OpenRun, Outcome, Run, TrainerHandle, ticket};

/// A model beside the trained one.
pub struct Reference(Box<dyn Run>);

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reference")
    }
}

impl Reference {
    /// Opens the base model, under an adapter that does nothing yet, or a checkpoint.
    ///
    /// # Errors
    /// Whatever the trainer answers.
    pub fn open(
        trainer: &dyn TrainerHandle,
        base: &str,
        adapter: &AdapterSpec,
        checkpoint: Option<&str>,
    ) -> Result<Self> {
        let from = match checkpoint {
            Some(uri) => OpenRun::Saved { uri: uri.to_owned(), optimizer: false },
            None => OpenRun::Base { model: base.to_owned(), adapter: adapter.clone() },
        };
        let run = trainer
            .open(from)
            .map_err(|e| Error::from(e).not_of_the_data().context("open the reference model"))?;
        Ok(Self(run))
    }

    /// The batch with the reference's log-probabilities.
    ///
    /// # Errors
    /// Whatever the trainer answers.
    pub fn fill(&mut self, mut step: StepBatch, watch: &dyn Watch) -> Result<StepBatch> {
        let (done, answer) = ticket();
        self.0.forward(Arc::clone(&step.batch), done);
        let answer =
            wait(&answer, watch).map_err(|e| Error::from(e).context("ask the reference model"))?;
        step.check_answer(&answer.logprobs)?;
        let batch = Arc::make_mut(&mut step.batch);
        if let Some(column) = batch.columns.iter_mut().find(|c| c.name == REFERENCE) {
            column.data = ColumnData::F32(answer.logprobs);
        }
        Ok(step)
    }

    /// It is needed no more.
    pub fn close(self, watch: &dyn Watch) {
        if let Err(e) = self.0.close(Outcome::Success) {
            watch.warn(&format!("the trainer could not close the reference model: {e}"));
        }
    }
}
