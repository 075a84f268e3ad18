//! `tinsmith plugins`: list, show, check, add and trust.

mod check;

use super::{
    Style, Ui,
    args::{
        Format, PluginsAddArgs, PluginsCommand, PluginsListArgs, PluginsShowArgs, PluginsTrustArgs,
    },
};
use crate::{
    Result,
    plugins::{self, Entry, Kind, Places, PluginOptions, Provides, Registry},
};
use serde_json::{Value, json};
use tinsmith_plugin_api::abi::Description;

/// Runs the command.
pub fn run(command: &PluginsCommand, ui: &Ui) -> Result<()> {
    match command {
        PluginsCommand::List(args) => list(args, ui),
        PluginsCommand::Show(args) => show(args, ui),
        PluginsCommand::Check(args) if args.in_process => check::check_here(args, ui),
        PluginsCommand::Check(args) => check::check(args, ui),
        PluginsCommand::Add(args) => add(args, ui),
        PluginsCommand::Trust(args) => trust(args, ui),
    }
}

fn options(ui: &Ui) -> PluginOptions {
    PluginOptions { paths: ui.plugin_paths().to_vec(), configured: Vec::new() }
}

fn list(args: &PluginsListArgs, ui: &Ui) -> Result<()> {
    let registry = Registry::scan(Places::from_env(), &options(ui))?;
    if args.format.format == Format::Json {
        return registry.entries().iter().try_for_each(|entry| ui.json_line(&entry_json(entry)));
    }
    let mut rows = vec![["ID", "VERSION", "ABI", "PROVIDES", "FROM", "STATE"].map(str::to_owned)];
    rows.extend(registry.entries().iter().map(|entry| {
        [
            or_dash(entry.id()),
            or_dash(entry.version()),
            entry.abi().map_or_else(|| "—".to_owned(), |abi| abi.to_string()),
            or_dash(&provides_words(entry.provides())),
            entry.place(),
            entry.state().words(),
        ]
    }));
    ui.data(table(&rows, |text| ui.paint(Style::Bold, text)))
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "—".to_owned() } else { text.to_owned() }
}

/// Names of a kind that the list shows; `plugins show` has them all.
const NAMED: usize = 3;

fn provides_words(provides: &Provides) -> String {
    let kinds = Kind::ALL.into_iter().filter(|kind| !provides.of(*kind).is_empty());
    let words = kinds.map(|kind| {
        let names = provides.of(kind);
        let shown = names[..names.len().min(NAMED)].join(", ");
        match names.len().saturating_sub(NAMED) {
            0 => format!("{kind}: {shown}"),
            more => format!("{kind}: {shown} +{more}"),
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "id": entry.id(),
        "version": entry.version(),
        "abi": entry.abi(),
        "origin": entry.origin(),
        "path": entry.path(),
        "provides": entry.provides(),
        "state": entry.state().words(),
    })
}

fn show(args: &PluginsShowArgs, ui: &Ui) -> Result<()> {
    let registry = Registry::load(&options(ui))?;
    let entry = registry.plugin(&args.plugin)?;
    let plugin = entry.plugin()?;
    let described = plugin.provides().into_iter();
    let described: Vec<Description> = described
        .map(|item| plugin.describe(item.kind, &item.name))
        .collect::<std::result::Result<_, _>>()?;
    if args.format.format == Format::Json {
        let mut value = entry_json(entry);
        value["sha256"] = json!(entry.sha256());
        value["api"] = json!(plugin.api());
        value["rustc"] = json!(plugin.rustc());
        value["provides"] = json!(described);
        return ui.json(&value);
    }
    let mut text = format!("{} {}\n", ui.paint(Style::Bold, plugin.id()), plugin.version());
    text += &format!("  from         {}\n", entry.place());
    text += &format!("  built with   plugin-api {}, {}\n", plugin.api(), plugin.rustc());
    if let Some(sha256) = entry.sha256() {
        text += &format!("  sha256       {sha256}\n");
    }
    for item in &described {
        text += "\n";
        text += &item_text(item, ui);
    }
    ui.data(text)
}

/// One thing that a plugin provides, with the keys of its config section.
fn item_text(item: &Description, ui: &Ui) -> String {
    let name = format!("{} `{}`", item.kind, item.name);
    let mut text = ui.paint(Style::Bold, name);
    if !item.summary.is_empty() {
        text += &format!("  {}", item.summary);
    }
    text.push('\n');
    if !item.inputs.is_empty() {
        text += &format!("  reads {}\n", item.inputs.join(", "));
    }
    let Some(properties) = item.config_schema.get("properties").and_then(Value::as_object) else {
        return text;
    };
    let mut rows = Vec::new();
    for (key, schema) in properties {
        let default = item.defaults.get(key);
        let default = default.map_or_else(|| "required".to_owned(), |value| format!("= {value}"));
        let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        rows.push([format!("  {key}"), default, doc.replace('\n', " ")]);
    }
    text + &table(&rows, str::to_owned)
}

/// Columns as wide as their widest cell; the first row through `head`.
fn table<const N: usize>(rows: &[[String; N]], head: impl Fn(&str) -> String) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += cell;
            line += &" ".repeat(width - cell.chars().count() + 2);
        }
        let line = line.trim_end();
        text += &if i == 0 { head(line) } else { line.to_owned() };
        text.push('\n');
    }
    text
}

fn add(args: &PluginsAddArgs, ui: &Ui) -> Result<()> {
    let facts = check::inspect_in_child(&args.path)?;
    let added = plugins::add(&Places::from_env(), &args.path, &facts, args.replace)?;
    if args.format.format == Format::Json {
        return ui.json(&added);
    }
    ui.data(added.library.display().to_string())?;
    ui.info(format_args!("added and trusted plugin `{}` (sha256 {})", added.id, added.sha256));
    if let Some(item) = facts.provides.first() {
        ui.hint(format_args!("use it in a config: `{}`", usage(item.kind, &item.name)));
    }
    Ok(())
}

/// How a config names a plugin of this kind.
fn usage(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Renderer => format!("renderer: {name}"),
        Kind::Loss => format!("training: {{loss: {name}}}"),
        Kind::Storage => format!("storage: {{name: {name}, uri: …}}"),
        Kind::Trainer => format!("trainer: {name}"),
    }
}

fn trust(args: &PluginsTrustArgs, ui: &Ui) -> Result<()> {
    let trusted = plugins::trust_path(&Places::from_env(), &args.path)?;
    if args.format.format == Format::Json {
        return ui.json(&trusted);
    }
    ui.data(format!("{}  {}", trusted.sha256, trusted.library.display()))?;
    ui.info(format_args!(
        "trusted `{}` as it is now; a hash says that it stays the same file, not that it is good",
        trusted.id
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_by_characters() {
        let rows = [["a", "—"], ["bcd", "e"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, str::to_uppercase), "A    —\nbcd  e\n");
    }
}
