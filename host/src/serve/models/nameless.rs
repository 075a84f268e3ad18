//! Weights without a name, each for the sampling session that is made with it. A client that trains by
//! reinforcement makes some at every step: a model keeps the newest, and its session ends with none.

use super::{
    owner::{Owner, json},
    record::session_of,
    save::internal,
};
use crate::serve::{app::App, futures::Outcome, ids, sessions::Sampling};
use tinsmith_plugin_api::{Result, Save};
use tinsmith_tinker_wire::messages::SavedWeights;

impl Owner {
    /// Saves weights for a sampling session.
    pub fn nameless(&mut self, sampling: String) -> Result<Outcome> {
        let kind = "save_weights_for_sampler".to_owned();
        let sampling_session_id = Some(sampling.clone());
        let answer = SavedWeights { sampling_session_id, kind, ..SavedWeights::default() };
        let durable = self.app.base(&self.base)?.can.deterministic;
        let there = self.app.sessions.sampling(&sampling);
        // Written before a server was killed, which now does again what it had done.
        if durable && there.is_some_and(|(_, there)| there.uri.is_some() || there.evicted) {
            return json(&answer);
        }
        // What is done again after a crash must leave what clients have: in memory it would be gone.
        let files = ids::random().map_err(internal)?;
        if durable {
            self.app.begin_files(&files, &self.base).map_err(internal)?;
        }
        let saved = self.saved(match durable {
            true => Save::Sampler { name: files.clone() },
            false => Save::Ephemeral,
        })?;
        let made = Sampling {
            id: sampling,
            base: self.base.clone(),
            uri: Some(saved.uri),
            ephemeral: true,
            durable,
            model: Some(self.id.clone()),
            files: files.clone(),
            ..Sampling::default()
        };
        let added = self.app.sessions.change(session_of(&self.id), |session| {
            session.samplings.retain(|old| old.id != made.id);
            session.samplings.push(made);
        });
        added.and_then(|()| self.app.settle_files(&files)).map_err(internal)?;
        // The new weights are there, whatever becomes of the old ones.
        self.app.warn_of(self.app.make_room(&self.id));
        json(&answer)
    }
}

impl App {
    /// Deletes the oldest weights without a name that a model has too many of. Their sampling sessions
    /// stay, and say so.
    fn make_room(&self, model: &str) -> crate::Result<()> {
        let session = session_of(model);
        let mut old = self.sessions.get(session).unwrap_or_default().samplings;
        old.retain(|s| s.uri.is_some() && s.model.as_deref() == Some(model));
        old.truncate(old.len().saturating_sub(self.settings.nameless_weights));
        self.delete_nameless(session, old)
    }

    /// Deletes the weights without a name of a session that has ended.
    ///
    /// # Errors
    /// `failed` if that cannot be done; what is left is looked for when a server is started again.
    pub fn forget_nameless(&self, session: &str) -> crate::Result<()> {
        let mut old = self.sessions.get(session).unwrap_or_default().samplings;
        // Those of a base model that is not served now are deleted when it is again.
        old.retain(|sampling| sampling.uri.is_some() && self.base(&sampling.base).is_ok());
        self.delete_nameless(session, old)
    }

    fn delete_nameless(&self, session: &str, old: Vec<Sampling>) -> crate::Result<()> {
        if old.is_empty() {
            return Ok(());
        }
        for sampling in old.iter().filter(|sampling| sampling.durable) {
            self.begin_files(&sampling.files, &sampling.base)?;
        }
        self.sessions.change(session, |session| {
            for sampling in &mut session.samplings {
                if old.iter().any(|old| old.id == sampling.id) {
                    (sampling.uri, sampling.evicted) = (None, true);
                }
            }
        })?;
        for Sampling { base, uri, files, durable, .. } in old {
            if let (Some(uri), Ok(base)) = (uri, self.base(&base)) {
                self.samplers.forget(&base.name, &uri);
                base.trainer.delete(&uri)?;
            }
            if durable {
                self.settle_files(&files)?;
            }
        }
        Ok(())
    }
}
