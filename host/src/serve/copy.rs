//! Copies of checkpoints: records of their own over the same bytes. A copy keeps the kind of its source and
//! belongs to a training run that holds nothing else and cannot be trained on.

use super::{
    app::App,
    checkpoints::Record,
    ids,
    models::{MadeFrom, ModelRecord},
    moment,
    sessions::{Ended, Standing},
};
use crate::{Result, runs};
use tinsmith_plugin_api::Error;
use tinsmith_tinker_wire::{
    messages::CreateSession,
    path::{Kind, TinkerPath},
};

/// Where a copy goes.
pub enum Place {
    /// A training run of a session, by its number.
    Run(String, u64),
    /// A session of its own in a project.
    Project(String),
}

impl App {
    /// Copies the checkpoint at `path`; a `request` that was done is answered as it was. Answers the
    /// copy's path.
    ///
    /// # Errors
    /// `not_found` for a checkpoint that is not there, `rejected` for a place that is taken.
    pub fn copy_weights(
        &self,
        path: &str,
        place: Place,
        ttl: Option<u64>,
        request: &str,
    ) -> Result<String> {
        // One at a time: two that look for the same place see each other.
        let _alone = self.copying();
        let request = format!("copy:{request}");
        let source = self.checkpoints.at(path)?;
        let record = match self.checkpoints.made_by(&request) {
            Some(there) => there,
            None => {
                let run = self.run_of(place)?;
                let mut to: TinkerPath = source.path.parse()?;
                to.run = run;
                let name = ids::random()?;
                self.checkpoints.add_copy(&source.path, |source| Record {
                    name,
                    path: to.to_string(),
                    run: to.run.clone(),
                    created: runs::now(),
                    public: false,
                    expires: ttl.map(moment::after),
                    made_by: request,
                    files: Some(source.files().to_owned()),
                    ..source.clone()
                })?
            }
        };
        self.hold(&record, &source)?;
        Ok(record.path)
    }

    /// The training run that is to hold a copy.
    fn run_of(&self, place: Place) -> Result<String> {
        let (session, n) = match place {
            Place::Run(session, n) => (session, n),
            Place::Project(project) => {
                let asked = CreateSession { project_id: Some(project), ..CreateSession::default() };
                let session = self.sessions.begin(asked)?;
                // No client will end it.
                let detail = Some("made to hold a copy of weights".to_owned());
                self.sessions.end(&session, Ended { reason: "success".into(), detail })?;
                return Ok(ids::model(&session, 0));
            }
        };
        if self.sessions.standing(&session) != Standing::Alive {
            return Err(Error::rejected(format!("the session `{session}` is not alive")).into());
        }
        let run = ids::model(&session, n);
        if self.model_record(&run).is_some() {
            let e = Error::rejected(format!("the session has a training run `{run}` already"));
            return Err(e.at("model_seq_id").with_hint("take the next number").into());
        }
        Ok(run)
    }

    /// Writes down the training run of a copy, unless it is.
    fn hold(&self, copy: &Record, source: &Record) -> Result<()> {
        if self.model_record(&copy.run).is_some() {
            return Ok(());
        }
        let lora = copy.lora.clone();
        let mut run = ModelRecord::new(copy.run.clone(), &copy.base, lora, None);
        let (path, uri) = (source.path.clone(), source.uri.clone());
        let optimizer = copy.kind == Kind::Training.word();
        (run.made_from, run.unloaded) = (Some(MadeFrom { path, uri, optimizer }), true);
        let session = run.session().to_owned();
        self.sessions.change(&session, |session| session.models.push(run))
    }
}
