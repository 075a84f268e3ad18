//! Installing and trusting plugins.

use super::{
    dirs::{self, Places},
    load::{self, Inspection},
    manifest::{self, Manifest, Provides},
    search,
    trust::{Pin, Trusted},
};
use crate::{Error, Result, env, runs};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tinsmith_plugin_api::abi::{self, Kind};

/// What was installed or trusted.
#[derive(Clone, Debug, Serialize)]
pub struct Installed {
    /// The plugin's id.
    pub id: String,
    /// sha256 of its library.
    pub sha256: String,
    /// Its library.
    pub library: PathBuf,
}

/// Copies a plugin, which was inspected in a process of its own, below `XDG_DATA_HOME` and trusts
/// the copy.
///
/// # Errors
/// `failed` if it is installed already and `replace` is false, if a built-in plugin has its id, if
/// the library is not the one that was inspected, or if nothing can be written.
pub fn add(places: &Places, path: &Path, facts: &Inspection, replace: bool) -> Result<Installed> {
    manifest::check_id(&facts.id)?;
    let is_it = |plugin: abi::Plugin| plugin.id() == facts.id;
    if abi::linked().any(|handshake| abi::admit(handshake).is_ok_and(is_it)) {
        return Err(Error::failed(format!("plugin `{}` is built in", facts.id)).hint(
            "`--plugin PATH` puts yours in its place for one command; to install it, give it an \
             `id` of its own in `plugin!`",
        ));
    }
    let source = load::real_path(&search::request_for(path)?.library)?;
    let library = super::cache::Library::read(&source)?;
    if library.sha256 != facts.sha256 {
        return Err(Error::failed(format!(
            "`{}` changed while it was installed",
            source.display()
        ))
        .hint("run the command again"));
    }
    let plugins = dirs::required(&places.installed, env::XDG_DATA_HOME)?;
    runs::create_folder(plugins)?;
    let folder = plugins.join(&facts.id);
    if folder.exists() && !replace {
        return Err(Error::failed(format!("plugin `{}` is installed already", facts.id))
            .hint("add `--replace` to install this one in its place"));
    }
    let name = format!("lib{}{}", facts.id.replace('-', "_"), std::env::consts::DLL_SUFFIX);
    let staged = stage(plugins, &name, &library.bytes, &manifest_of(facts, &name))?;
    // Dropped behind it, the staging folder takes an earlier plugin with it.
    runs::replace_folder(staged.path(), &folder)
        .and_then(|()| runs::sync_folder(plugins))
        .map_err(|e| Error::io("install into", &folder, &e))?;
    pin(places, &facts.id, &folder.join(name), library.sha256)
}

/// Trusts the library at `path` as it is now.
///
/// # Errors
/// `failed` if it cannot be read or others could change it.
pub fn trust_path(places: &Places, path: &Path) -> Result<Installed> {
    let request = search::request_for(path)?;
    let library = load::real_path(&request.library)?;
    super::trust::check_owner(&library)?;
    let sha256 = super::cache::Library::read(&library)?.sha256;
    if request.sha256.is_some_and(|pinned| pinned != sha256) {
        return Err(Error::failed(format!(
            "`{}` is not the library that its `plugin.toml` describes",
            dirs::short(&library)
        ))
        .hint("write its sha256 into `plugin.toml`, or remove the line"));
    }
    let id = match Manifest::read(path) {
        Ok(manifest) => manifest.id,
        Err(_) => library.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    pin(places, &id, &library, sha256)
}

fn pin(places: &Places, id: &str, path: &Path, sha256: String) -> Result<Installed> {
    let library = load::real_path(path)?;
    Trusted::add(
        places,
        Pin { id: id.to_owned(), path: library.clone(), sha256: sha256.clone(), date: runs::now() },
    )?;
    Ok(Installed { id: id.to_owned(), sha256, library })
}

fn manifest_of(facts: &Inspection, library: &str) -> Manifest {
    let of = |kind: Kind| {
        let items = facts.provides.iter().filter(move |item| item.kind == kind);
        items.map(|item| item.name.clone()).collect()
    };
    Manifest {
        id: facts.id.clone(),
        version: facts.version.clone(),
        api: facts.api.clone(),
        abi: facts.abi,
        library: library.to_owned(),
        sha256: Some(facts.sha256.clone()),
        symbol: None,
        provides: Provides {
            renderers: of(Kind::Renderer),
            losses: of(Kind::Loss),
            storages: of(Kind::Storage),
            trainers: of(Kind::Trainer),
        },
    }
}

/// Writes the plugin's folder under a temporary name.
fn stage(
    plugins: &Path,
    library: &str,
    bytes: &[u8],
    manifest: &Manifest,
) -> Result<tempfile::TempDir> {
    let io = |e: std::io::Error| Error::io("write", plugins, &e);
    let staged = tempfile::Builder::new().prefix(".tmp-").tempdir_in(plugins).map_err(io)?;
    runs::replace(&staged.path().join(library), bytes)?;
    runs::replace(&staged.path().join(manifest::FILE), manifest.to_toml()?.as_bytes())?;
    Ok(staged)
}
