//! All plugins of a run, by what they provide.

use super::{Entry, Kind, Origin, Places, State, search, trust::Trusted};
use crate::{Error, Result, text::nearest};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{path::PathBuf, sync::Arc};
use tinsmith_plugin_api::{
    LossHandle, RendererHandle, Services, StorageHandle, TrainerHandle, abi,
};

/// Which plugins to look for besides the installed and the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct PluginOptions {
    /// Named by hand, with `--plugin`: that is consent to run them, this once.
    pub paths: Vec<PathBuf>,
    /// Named by a config, which somebody else may have written: they must be trusted.
    pub configured: Vec<PathBuf>,
}

/// All plugins of a run.
#[derive(Debug)]
pub struct Registry {
    entries: Vec<Entry>,
}

/// One thing that a plugin provides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Id of the plugin.
    pub plugin: String,
    /// Version of the plugin.
    pub version: String,
    /// sha256 of its library; none for a built-in.
    pub sha256: Option<String>,
    /// The rest, in the plugin's own words.
    #[serde(flatten)]
    pub item: abi::Description,
}

// `Services` is a handle: whoever builds something hands it over.
#[allow(clippy::needless_pass_by_value)]
impl Registry {
    /// Finds all plugins. Reads manifests only; a library without one is loaded if the user named
    /// or trusted it, since nothing else tells what it provides. If it cannot be loaded, that is an
    /// error where this command or its config names it; of others the entry tells.
    ///
    /// # Errors
    /// `failed` for a named path without a plugin and for two plugins of one id. [`Error::field`] is
    /// `plugins[i]` where the i-th of the configured paths is to blame.
    pub fn load(options: &PluginOptions) -> Result<Self> {
        Self::load_from(Places::from_env(), options)
    }

    /// As [`Registry::load`], from other folders than the environment names.
    ///
    /// # Errors
    /// As there.
    pub fn load_from(places: Places, options: &PluginOptions) -> Result<Self> {
        let mut registry = Self::gather(places, options)?;
        for entry in &mut registry.entries {
            if !entry.is_anonymous() {
                continue;
            }
            match entry.introduce() {
                Err(e) if entry.origin > Origin::Config => entry.state = State::Unusable(e),
                result => result?,
            }
        }
        registry.settle_ids();
        let refused = registry.entries.iter().find_map(|entry| match &entry.state {
            State::Unusable(e) if entry.origin <= Origin::Config => {
                Some(entry.at_its_key(e.clone().context(format!("plugin `{}`", entry.place()))))
            }
            _ => None,
        });
        refused.map_or(Ok(registry), Err)
    }

    /// Finds all plugins for a listing: no library is opened, and no problem of one plugin hides
    /// the others.
    ///
    /// # Errors
    /// `failed` for a named path without a plugin.
    pub fn scan(places: Places, options: &PluginOptions) -> Result<Self> {
        let mut registry = Self::gather(places, options)?;
        registry.settle_ids();
        Ok(registry)
    }

    /// Everything that is found, in the order of importance.
    fn gather(places: Places, options: &PluginOptions) -> Result<Self> {
        let places = Arc::new(places);
        let trusted = Trusted::read(&places)?;
        let found = search::find(&places, &options.paths, &options.configured)?;
        let mut entries: Vec<Entry> =
            found.into_iter().map(|candidate| Entry::found(&places, candidate, &trusted)).collect();
        let mut linked = abi::linked()
            .map(|handshake| Entry::linked(&places, handshake))
            .collect::<Result<Vec<_>>>()?;
        linked.sort_by(|a, b| a.id.cmp(&b.id));
        entries.extend(linked);
        Ok(Self { entries })
    }

    /// Of plugins with one id, the one named by hand goes first; the same library found twice is
    /// no conflict; everything else is, however many there are.
    fn settle_ids(&mut self) {
        let is_ready = |entry: &Entry| matches!(entry.state, State::Ready) && !entry.id.is_empty();
        let ready: Vec<bool> = self.entries.iter().map(is_ready).collect();
        for later in 1..self.entries.len() {
            let (before, rest) = self.entries.split_at_mut(later);
            let entry = &mut rest[0];
            let mut rivals = before.iter_mut().zip(&ready).filter(|(_, ready)| **ready);
            let Some((first, _)) = rivals.find(|(earlier, _)| earlier.id == entry.id) else {
                continue;
            };
            if !ready[later] {
                continue;
            }
            if first.same_as(entry)
                || first.origin == Origin::CommandLine && entry.origin != Origin::CommandLine
            {
                entry.state = State::Overridden;
                continue;
            }
            let message = format!(
                "two plugins have the id `{}`: `{}` and `{}`",
                entry.id,
                first.place(),
                entry.place()
            );
            let e = Error::failed(message).hint("remove one of them, or name one with `--plugin`");
            first.state = State::Unusable(e.clone());
            entry.state = State::Unusable(e);
        }
    }

    /// Every plugin, in the order of importance.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The plugin of this id.
    ///
    /// # Errors
    /// `usage`, with the nearest id.
    pub fn plugin(&self, id: &str) -> Result<&Entry> {
        let found = self.entries.iter().filter(|entry| entry.id == id);
        // A usable one before one that says why it is not.
        found.min_by_key(|entry| !matches!(entry.state, State::Ready)).ok_or_else(|| {
            let known: Vec<&str> = self.usable().map(Entry::id).collect();
            let e = Error::usage(format!("unknown plugin `{id}`")).hint(suggestion(id, &known));
            self.name_the_nameless(e)
        })
    }

    /// Builds a renderer by `name` or `plugin/name`.
    ///
    /// # Errors
    /// `usage` for an unknown or ambiguous name; what the plugin says of its config, with
    /// [`Error::field`] inside of `config`.
    pub fn renderer(
        &self,
        name: &str,
        config: &Map<String, Value>,
        services: Services,
    ) -> Result<Arc<dyn RendererHandle>> {
        let (entry, name) = self.find(Kind::Renderer, name)?;
        Ok(entry.plugin()?.renderer(name, config, &services)?)
    }

    /// Builds a loss by `name` or `plugin/name`.
    ///
    /// # Errors
    /// As [`Registry::renderer`].
    pub fn loss(&self, name: &str, config: &Map<String, Value>) -> Result<Arc<dyn LossHandle>> {
        let (entry, name) = self.find(Kind::Loss, name)?;
        Ok(entry.plugin()?.loss(name, config)?)
    }

    /// Opens a storage by its URI's scheme or `plugin/scheme`.
    ///
    /// # Errors
    /// As [`Registry::renderer`].
    pub fn storage(
        &self,
        scheme: &str,
        config: &Map<String, Value>,
        services: Services,
    ) -> Result<Arc<dyn StorageHandle>> {
        let (entry, scheme) = self.find(Kind::Storage, scheme)?;
        Ok(entry.plugin()?.storage(scheme, config, &services)?)
    }

    /// Builds a trainer by `name` or `plugin/name`.
    ///
    /// # Errors
    /// As [`Registry::renderer`].
    pub fn trainer(
        &self,
        name: &str,
        config: &Map<String, Value>,
        services: Services,
    ) -> Result<Arc<dyn TrainerHandle>> {
        let (entry, name) = self.find(Kind::Trainer, name)?;
        Ok(entry.plugin()?.trainer(name, config, &services)?)
    }

    /// What a plugin says about one thing it provides.
    ///
    /// # Errors
    /// As [`Registry::renderer`].
    pub fn describe(&self, kind: Kind, name: &str) -> Result<Description> {
        let (entry, name) = self.find(kind, name)?;
        let item = entry.plugin()?.describe(kind, name)?;
        Ok(Description {
            plugin: entry.id.clone(),
            version: entry.version.clone(),
            sha256: entry.sha256().map(str::to_owned),
            item,
        })
    }

    /// A line for each library that runs because the user named it: which, and its hash.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let named = self.usable().filter(|entry| entry.origin == Origin::CommandLine);
        named
            .filter_map(|entry| {
                let sha256 = entry.sha256()?;
                Some(format!("plugin `{}` from {} (sha256 {sha256})", entry.id, entry.place()))
            })
            .collect()
    }

    /// The plugin that provides `kind` `name`, and the name within it.
    fn find<'a>(&self, kind: Kind, name: &'a str) -> Result<(&Entry, &'a str)> {
        if let Some((id, item)) = name.split_once('/') {
            let entry = self.plugin(id)?;
            return match entry.provides.of(kind).iter().any(|known| known == item) {
                true => Ok((entry, item)),
                false => {
                    Err(unknown(kind, item, entry.provides.of(kind))
                        .context(format!("plugin `{id}`")))
                }
            };
        }
        let provides = |entry: &&Entry| entry.provides.of(kind).iter().any(|known| known == name);
        let mut usable = self.usable().filter(provides);
        match (usable.next(), usable.next()) {
            (Some(entry), None) => Ok((entry, name)),
            (Some(one), Some(two)) => {
                let (one, two) = (one.id(), two.id());
                Err(Error::usage(format!(
                    "two plugins provide the {kind} `{name}`: `{one}` and `{two}`"
                ))
                .hint(format!("write `{one}/{name}` or `{two}/{name}`")))
            }
            (None, _) => Err(self.not_found(kind, name)),
        }
    }

    fn not_found(&self, kind: Kind, name: &str) -> Error {
        let refused = self.entries.iter().find_map(|entry| match &entry.state {
            State::Unusable(e) if entry.provides.of(kind).iter().any(|known| known == name) => {
                Some((entry, e))
            }
            _ => None,
        });
        if let Some((entry, e)) = refused {
            let context = format!("{kind} `{name}` of plugin `{}` in {}", entry.id, entry.place());
            return e.clone().context(context);
        }
        let known: Vec<String> =
            self.usable().flat_map(|entry| entry.provides.of(kind)).cloned().collect();
        self.name_the_nameless(unknown(kind, name, &known))
    }

    /// Adds to the hint the first plugin that cannot be used and of which nothing is known: it might
    /// be the one that was meant.
    fn name_the_nameless(&self, mut e: Error) -> Error {
        let nameless = self.entries.iter().find_map(|entry| match &entry.state {
            State::Unusable(why) if entry.id.is_empty() => Some((entry, why)),
            _ => None,
        });
        if let (Some((entry, why)), Some(hint)) = (nameless, &mut e.hint) {
            *hint += &format!("; `{}` was not asked: {}", entry.place(), why.message);
        }
        e
    }

    fn usable(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| matches!(entry.state, State::Ready))
    }
}

fn unknown(kind: Kind, name: &str, known: &[String]) -> Error {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Error::usage(format!("unknown {kind} `{name}`")).hint(suggestion(name, &known))
}

fn suggestion(name: &str, known: &[&str]) -> String {
    let mut known: Vec<&str> = known.iter().copied().filter(|name| !name.is_empty()).collect();
    known.sort_unstable();
    known.dedup();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "none is installed".to_owned(),
        None => format!("available: `{}`", known.join("`, `")),
    }
}
