//! `tinsmith download`: a run's adapter, verified, in a folder of the user's.

use super::{
    Ui,
    args::{DownloadArgs, Format},
    tooling::{tools_of_run, typed},
};
use crate::{
    Error, Result,
    config::Mode,
    runs::{CheckpointEntry, CheckpointKind, RunFolder, RunRecord, Staging},
    training::Stop,
};
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf};
use tinsmith_plugin_api::Export;

/// Runs the command.
pub fn run(args: &DownloadArgs, ui: &Ui) -> Result<()> {
    let folder = RunFolder::find(&args.output.dir(None), &args.run)?;
    let record = RunRecord::read(&folder.record())?;
    let checkpoint = choose_checkpoint(&folder, &record, args.checkpoint.as_deref())?;
    let (tools, trainer) = tools_of_run(&folder, &record, &[], ui, &Stop::default())?;
    let what = match tools.loaded.config.training.mode {
        Mode::Full => Export::Model,
        Mode::Lora => Export::Adapter,
    };
    let dest = args.dest.clone().unwrap_or_else(|| PathBuf::from(folder.id()));
    let mut staging = Staging::new(&dest)?;
    trainer.export(&checkpoint.uri, what, &mut staging).map_err(|e| {
        Error::from(e)
            .not_of_the_data()
            .context(format!("download checkpoint `{}`", checkpoint.name))
    })?;
    if checkpoint.kind == CheckpointKind::Final {
        compare(&record, staging.files())?;
    }
    if !args.replace {
        staging.check_same()?;
    }
    let files = staging.commit()?;
    match args.format.format {
        Format::Json => ui.json(&json!({
            "run": record.id, "checkpoint": checkpoint.name, "step": checkpoint.step,
            "path": dest, "files": files,
        })),
        Format::Table => {
            for (name, sha256) in &files {
                ui.data(format!("{sha256}  {}", dest.join(name).display()))?;
            }
            let of = &checkpoint.name;
            ui.info(format_args!("checkpoint {of} of step {}, verified", checkpoint.step));
            if what == Export::Adapter {
                ui.hint(format_args!(
                    "`PeftModel.from_pretrained(base, \"{}\")` loads it in Python, \
                     `tinsmith sample {}` talks to it",
                    dest.display(),
                    dest.display()
                ));
            }
            Ok(())
        }
    }
}

/// The checkpoint of that name, or the newest one.
///
/// # Errors
/// `usage` that lists those that exist.
pub fn choose_checkpoint<'a>(
    folder: &RunFolder,
    record: &'a RunRecord,
    name: Option<&str>,
) -> Result<&'a CheckpointEntry> {
    let newest = || record.live_checkpoints().max_by_key(|c| c.step);
    let found = match name {
        Some(name) => record.live_checkpoints().find(|c| c.name == name),
        None => newest(),
    };
    found.ok_or_else(|| {
        let live: Vec<String> =
            record.live_checkpoints().map(|c| format!("`{}`", c.name)).collect();
        let wanted = name.map(|n| format!(" `{n}`")).unwrap_or_default();
        let e = Error::usage(format!("run `{}` has no checkpoint{wanted}", record.id));
        match live.is_empty() {
            true => {
                e.hint(format!("train on with `tinsmith train --resume {}`", typed(folder, record)))
            }
            false => e.hint(format!("it has {}", live.join(", "))),
        }
    })
}

/// What the run recorded of its adapter must be what was downloaded.
fn compare(record: &RunRecord, files: &BTreeMap<String, String>) -> Result<()> {
    let Some(adapter) = &record.adapter else { return Ok(()) };
    match adapter.files.iter().find(|(name, sha256)| files.get(*name) != Some(sha256)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::failed(format!(
            "`{name}` is not what run `{}` recorded when it was trained",
            record.id
        ))
        .hint("the checkpoint was changed since; do not use it")),
    }
}
