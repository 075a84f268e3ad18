//! `tinsmith upload`: a dataset checked, rendered and staged under the hash of its content.

use super::{
    Ui,
    args::{Format, UploadArgs},
    render::{Hints, Opened, open},
    tooling::tool_options,
};
use crate::{
    Error, Result,
    config::OnBadRecord,
    data::{
        DataReport, Duplicates, Fate, Mapping, Step,
        staged::{Content, Manifest, id, keys, stage},
        stream,
    },
    services::ServicesBuilder,
    text::{grouped, plural},
    training::Stop,
};
use serde_json::{Map, json};
use std::{collections::HashSet, ops::ControlFlow, path::Path, sync::Arc};
use tinsmith_plugin_api::StorageHandle;

/// Bad rows that are shown; `tinsmith data check` shows them all.
const SHOWN: usize = 20;

/// Runs the command.
pub fn run(args: &UploadArgs, ui: &Ui) -> Result<()> {
    let output = match &args.rendering.config {
        None => args.output.dir(None),
        Some(path) => args.output.dir(Some(&crate::config::load(path, &args.rendering.set.set)?)),
    };
    let opened = open(&args.rendering, &args.data, Some(&output), ui)?;
    let uri = match &args.storage {
        Some(uri) => uri.clone(),
        None => folder_uri(&output)?,
    };
    let store = storage(&opened, &uri, ui)?;
    let (manifest, left_out) = check(&opened, ui)?;
    let new = stage(store.as_ref(), &opened.sources, &left_out, &manifest)
        .map_err(|e| e.context(format!("stage in `{uri}`")))?;
    if args.format.format == Format::Json {
        return ui.json_line(&json!({
            "id": manifest.id, "sha256": manifest.sha256, "uri": uri, "data": manifest.data,
            "bytes": manifest.bytes, "rows": manifest.rows, "new": new,
            "report": manifest.report,
        }));
    }
    ui.info(format_args!(
        "{}, {} bytes, {} in `{uri}`",
        plural(manifest.rows, "row"),
        grouped(manifest.bytes),
        if new { "staged" } else { "staged already" }
    ));
    for note in manifest.report.notes() {
        ui.warn(note);
    }
    // Only the folder of runs is looked in for an id.
    match &args.storage {
        None => {
            // What was checked was read by these names: the rows keep theirs.
            let mapped = opened.sources.iter().any(|s| s.mapping != Mapping::default());
            let more = if mapped { ", with `format`, `fields` and `roles` as here" } else { "" };
            ui.info(format_args!(
                "next: `datasets: [{{path: {}}}]` in a config{more}",
                manifest.id
            ));
        }
        Some(_) => ui.info(format_args!(
            "its rows are `{}` there; a config finds ids in its own `output` folder only",
            manifest.data
        )),
    }
    ui.data(&manifest.id)
}

/// Renders everything once; nothing is written before all of it is known to be good.
fn check(opened: &Opened, ui: &Ui) -> Result<(Manifest, HashSet<(usize, u64)>)> {
    let skip = opened.tools.loaded.config.data.on_bad_record == OnBadRecord::Skip;
    let mut report = DataReport::default();
    let mut content = Content::default();
    // Copies, and bad rows: without `skip` nothing is staged once one is bad.
    let mut left_out = HashSet::new();
    let (mut hints, mut duplicates) = (Hints::default(), Duplicates::default());
    let mut shown = 0;
    let sources = &opened.sources;
    let mut judge = opened.judge(opened.limits);
    stream(sources, opened.makers(), opened.limits, ui.threads(), &mut |step| {
        match step {
            Step::Batch(mut batch) => {
                let name = sources[batch.dataset].name();
                let fates = judge.judge(&mut batch);
                for refused in batch.refused.iter().take(SHOWN - shown) {
                    hints.error(ui, refused.placed(&name));
                    shown += 1;
                }
                report.add(&name, &batch, &fates);
                if !opened.dedupes() {
                    report.repeated += duplicates.count(&batch);
                    report.repeated_partial = duplicates.partial;
                }
                let mut bad: HashSet<u64> = batch.refused.iter().map(|r| r.record).collect();
                let copies = fates.iter().zip(&batch.examples.record);
                let copies = copies
                    .filter(|(fate, _)| **fate == Fate::Duplicate)
                    .map(|(_, r)| batch.lines.rows[batch.given[*r as usize] as usize].record);
                let copies: HashSet<u64> = copies.collect();
                left_out.extend(copies.iter().map(|record| (batch.dataset, *record)));
                bad.extend(copies);
                for row in batch.lines.rows.iter().filter(|row| !bad.contains(&row.record)) {
                    content.add(batch.lines.text(row));
                }
                if skip {
                    left_out.extend(bad.into_iter().map(|record| (batch.dataset, record)));
                }
            }
            Step::End { dataset, digest } => report.end(sources[dataset].name(), digest),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    report.check_files()?;
    if report.refused > 0 && !skip {
        return Err(Error::data(format!("{} of {} rows are bad", report.refused, report.rows))
            .hint("mend them, or leave them out with `--set data.on_bad_record=skip`"));
    }
    if report.used == 0 {
        return Err(report.nothing_left());
    }
    let sha256 = content.sha256();
    let manifest = Manifest {
        schema: 1,
        id: id(&sha256),
        bytes: content.bytes,
        rows: content.rows,
        data: keys(&sha256).0,
        sources: report.files.clone(),
        tokenizer: opened.tools.tokenizer.info().fingerprint.clone(),
        renderer: opened.tools.renderer_name().to_owned(),
        report,
        sha256,
    };
    Ok((manifest, left_out))
}

fn folder_uri(output: &Path) -> Result<String> {
    let absolute =
        std::path::absolute(output).map_err(|e| Error::io("use the folder", output, &e))?;
    match absolute.to_str() {
        Some(path) => Ok(format!("file://{path}")),
        None => Err(Error::usage(format!("the path `{}` is not valid UTF-8", output.display()))),
    }
}

fn storage(opened: &Opened, uri: &str, ui: &Ui) -> Result<Arc<dyn StorageHandle>> {
    let scheme = match uri.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => scheme,
        _ => "file",
    };
    let options = tool_options(ui, &Stop::default());
    let services =
        ServicesBuilder::new().threads(options.threads).cancel(options.cancel).log(options.log);
    let config = Map::from_iter([("uri".to_owned(), json!(uri))]);
    opened
        .tools
        .registry
        .storage(scheme, &config, services.build())
        .map_err(|e| e.context(format!("storage `{uri}`")))
}
