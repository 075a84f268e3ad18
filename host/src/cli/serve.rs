//! `tinsmith serve`: the Tinker API in front of any trainer.

use super::{
    Style, Ui,
    args::{Format, ServeArgs},
    tooling::tool_options,
};
use crate::{
    Error, Result,
    config::{Loaded, Serve, load_recorded, load_serving},
    serve::{self, Options},
    training::Stop,
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tinsmith_plugin_api::Secret;

/// Folder of a server where nothing names another one, below the current folder.
const STATE: &str = "models/serve";

/// Answers the first Ctrl-C.
const STOPPING: &str =
    "\nstopping: what is being computed is finished; press Ctrl-C again to stop at once";

/// Runs the command.
pub fn run(args: &ServeArgs, ui: &Ui) -> Result<()> {
    let terminal = ui.terminal();
    let stop = Stop::on_interrupt(move || terminal.line(&STOPPING))?;
    let named = args.models.iter().map(|text| named(text)).collect::<Result<Vec<_>>>()?;
    let loaded = match (&args.config, named.first()) {
        (Some(config), _) => load_serving(config, &args.set.set)?,
        (None, Some((_, folder))) => of_model(folder, args)?,
        (None, None) => return Err(Error::usage("there is no model to serve")),
    };
    let options = options(args, &loaded, named)?;
    let tools = tool_options(ui, &stop);
    serve::run(&loaded, &tools, options, &stop, |listening| {
        let address = format!("http://{}", listening.address);
        ui.info(format_args!(
            "serving {} at {}, state in {}",
            listening.models.join(", "),
            ui.paint_err(Style::Bold, &address),
            listening.state.display()
        ));
        ui.hint(format_args!(
            "point a client at it: TINKER_BASE_URL={address}; any key that begins with `tml-` will do \
             unless one is set"
        ));
        match args.format.format {
            Format::Json => ui.json_line(&json!({
                "url": address, "models": listening.models, "state": listening.state,
            })),
            Format::Table => ui.data(&address),
        }
    })
}

/// Flag, then file, then default.
fn options(args: &ServeArgs, loaded: &Loaded, named: Vec<(String, String)>) -> Result<Options> {
    let section = loaded.config.serve.clone().unwrap_or_default();
    let Serve { models, host, port, state, api_key, .. } = section.clone();
    let models = if !named.is_empty() {
        named
    } else if models.is_empty() {
        let folder = loaded.config.model.base_model.clone();
        vec![(name_of(&loaded.resolve(&folder), &folder), folder)]
    } else {
        models.into_iter().collect()
    };
    let key = args.api_key_env.clone().or(api_key.map(|key| key.env));
    let key = key.map(|variable| key_of(&variable)).transpose()?;
    let state = args.state.clone().or_else(|| state.map(|state| loaded.resolve(&state)));
    let max_body = usize::try_from(section.max_body_bytes).unwrap_or(usize::MAX);
    Ok(Options {
        models,
        host: args.host.clone().unwrap_or(host),
        port: args.port.unwrap_or(port),
        state: state.unwrap_or_else(|| PathBuf::from(STATE)),
        key,
        public_url: section.public_url.map(|url| url.trim_end_matches('/').to_owned()),
        session_timeout: Duration::from_secs(section.session_timeout_seconds.max(1)),
        max_body: max_body.max(1),
        snapshot_steps: section.snapshot_steps.max(1),
        nameless_weights: usize::try_from(section.nameless_weights.max(1)).unwrap_or(usize::MAX),
        retrieve_futures: section.retrieve_futures,
    })
}

/// The key is never told, not even its length.
fn key_of(variable: &str) -> Result<Secret> {
    match std::env::var(variable) {
        Ok(key) if !key.trim().is_empty() => Ok(Secret::new(key.trim())),
        _ => Err(Error::usage(format!("the environment variable `{variable}` holds no key"))
            .hint(format!("set it: `export {variable}=…`"))),
    }
}

/// `NAME=DIR` or `DIR`, the folder absolute.
fn named(text: &str) -> Result<(String, String)> {
    let (name, folder) = match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !Path::new(text).exists() => {
            (Some(name), folder)
        }
        _ => (None, text),
    };
    let path = Path::new(folder);
    let absolute = path.canonicalize().map_err(|e| {
        Error::usage(format!("read the model `{folder}`: {e}"))
            .hint("name the folder of a base model")
    })?;
    let name = name.map_or_else(|| name_of(&absolute, folder), str::to_owned);
    let absolute = absolute
        .into_os_string()
        .into_string()
        .map_err(|_| Error::usage(format!("the path `{folder}` is not valid UTF-8")))?;
    Ok((name, absolute))
}

/// The last part of a folder; a name that is no folder as it is.
fn name_of(path: &Path, written: &str) -> String {
    let known = path.canonicalize().ok();
    let last = known.as_deref().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
    last.unwrap_or_else(|| written.to_owned())
}

/// A config for a model that no file describes.
fn of_model(folder: &str, args: &ServeArgs) -> Result<Loaded> {
    let written = json!({"model": {"base_model": folder}, "datasets": [{"path": "-"}]});
    let place = Path::new(folder);
    load_recorded(&written, &place.join("config.json"), place, &args.set.set)
}
