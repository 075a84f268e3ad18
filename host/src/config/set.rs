//! `--set key=value`: a value laid over the tree. Keys are dotted paths, list items are numbered
//! from 0, values follow the scalar rules of YAML.

use super::{
    scalar, secret,
    tree::{Entry, Kind, MAX_DEPTH, Node, Origin, segments},
    yaml,
};
use crate::{Error, Result};
use std::path::Path;

/// Sections in which a string stands for `{name: …}`: `--set renderer.prefix=x` keeps the name.
const NAMED: &[&str] = &["renderer", "schedule", "storage", "trainer", "training.loss"];

/// Lays one `--set` over the tree.
///
/// # Errors
/// A usage error that names the flag.
pub fn apply(tree: &mut Node, text: &str) -> Result<()> {
    let shown = secret::redact_setting(text);
    let fail = |message: String| Error::usage(message).context(format!("`--set {shown}`"));
    let Some((key, value)) = text.split_once('=') else {
        return Err(fail("expected KEY=VALUE".into())
            .hint("for example `--set optimizer.learning_rate=1e-4`"));
    };
    let (key, value) = (key.trim(), value.trim());
    let path = segments(key);
    if path.is_empty() || path.len() > MAX_DEPTH {
        return Err(fail("the key is missing".into())
            .hint("for example `--set optimizer.learning_rate=1e-4`"));
    }
    let origin = Origin::Set(shown.clone());
    let kind = match value.chars().next() {
        // Lists, maps and quoted text are whole YAML values.
        Some('[' | '{' | '"' | '\'') => {
            let mut node = yaml::read(value).map_err(|e| fail(e.message))?;
            relabel(&mut node, &origin);
            node.kind
        }
        _ => scalar::resolve(value).map_err(|m| fail(m.to_owned()))?,
    };
    put(tree, &path, Node { kind, origin })
        .map_err(|message| fail(message).hint("`tinsmith config show` prints the keys as they are"))
}

/// Lays the text of an environment variable over a key of the root.
pub fn from_env(tree: &mut Node, key: &str, value: &str, variable: &'static str) {
    let value = Node { kind: Kind::Text(value.to_owned()), origin: Origin::Env(variable) };
    // The root is a map, or decoding will say that it is none.
    let _ = put(tree, &[key.to_owned()], value);
}

fn put(tree: &mut Node, path: &[String], value: Node) -> Result<(), String> {
    let mut node = tree;
    for (depth, segment) in path.iter().enumerate() {
        let here = path[..depth].join(".");
        if NAMED.contains(&here.as_str()) {
            name_to_map(node);
        }
        if matches!(node.kind, Kind::Null) {
            node.kind = Kind::Map(Vec::new());
        }
        node = match &mut node.kind {
            Kind::Map(entries) => {
                let at = match entries.iter().position(|e| e.key == *segment) {
                    Some(at) => at,
                    None => {
                        let origin = value.origin.clone();
                        let empty = Node { kind: Kind::Null, origin: origin.clone() };
                        entries.push(Entry { key: segment.clone(), origin, value: empty });
                        entries.len() - 1
                    }
                };
                &mut entries[at].value
            }
            Kind::List(items) => {
                let index: usize = segment
                    .parse()
                    .map_err(|_| format!("`{here}` is a list; `{segment}` is no index"))?;
                if index > items.len() {
                    return Err(format!("`{here}` has {} items; they count from 0", items.len()));
                }
                if index == items.len() {
                    items.push(Node { kind: Kind::Null, origin: value.origin.clone() });
                }
                &mut items[index]
            }
            _ => return Err(format!("`{here}` is a single value and has no `{segment}`")),
        };
    }
    *node = value;
    Ok(())
}

/// `chatml` becomes `{name: chatml}`.
fn name_to_map(node: &mut Node) {
    if let Kind::Text(name) = &node.kind {
        let value = Node { kind: Kind::Text(name.clone()), origin: node.origin.clone() };
        let entry = Entry { key: "name".into(), origin: node.origin.clone(), value };
        node.kind = Kind::Map(vec![entry]);
    }
}

/// Everything below came by this flag.
fn relabel(node: &mut Node, origin: &Origin) {
    node.origin = origin.clone();
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| relabel(item, origin)),
        Kind::Map(entries) => {
            for entry in entries {
                entry.origin = origin.clone();
                relabel(&mut entry.value, origin);
            }
        }
        _ => {}
    }
}

/// Paths in a config are relative to its folder; paths typed on the command line or set in the
/// environment are relative to the current folder, and are made absolute here.
pub fn anchor_paths(tree: &mut Node) {
    for_path(tree, &["output"], true);
    for_path(tree, &["data", "eval", "path"], true);
    for_path(tree, &["model", "base_model"], false);
    for_path(tree, &["model", "tokenizer"], false);
    for_path(tree, &["datasets", "*", "path"], true);
    for_path(tree, &["plugins", "*"], true);
    for_path(tree, &["serve", "state"], true);
}

/// `always`: whatever stands there is a path. Otherwise it may also be a name such as `org/name`.
fn for_path(node: &mut Node, path: &[&str], always: bool) {
    let Some((first, rest)) = path.split_first() else {
        if let (Kind::Text(text), Origin::Set(_) | Origin::Env(_)) = (&mut node.kind, &node.origin)
            && (always || text.starts_with('.') || Path::new(text).exists())
            && let Ok(absolute) = std::path::absolute(&*text)
            && let Some(absolute) = absolute.to_str()
        {
            absolute.clone_into(text);
        }
        return;
    };
    match &mut node.kind {
        Kind::Map(entries) => {
            for entry in entries.iter_mut().filter(|e| e.key == *first) {
                for_path(&mut entry.value, rest, always);
            }
        }
        Kind::List(items) if *first == "*" => {
            for item in items {
                for_path(item, rest, always);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(text: &str, sets: &[&str]) -> Result<serde_json::Value> {
        let mut tree = yaml::read(text)?;
        for set in sets {
            apply(&mut tree, set)?;
        }
        Ok(tree.to_json())
    }

    #[test]
    fn values_lie_over_the_file() {
        let tree = with(
            "renderer: chatml\ndatasets: [{path: a}]\nlora: {rank: 1}\n",
            &[
                "renderer.prefix=x",
                "datasets.0.path=b",
                "datasets[1].path=c",
                "lora.rank=16",
                "lora.seed=1e3",
                "optimizer.learning_rate=1e-4",
                "data.eval={count: 3}",
                "run_name='12'",
                "training.max_steps=null",
            ],
        )
        .unwrap();
        assert_eq!(
            tree,
            json!({
                "renderer": {"name": "chatml", "prefix": "x"},
                "datasets": [{"path": "b"}, {"path": "c"}],
                "lora": {"rank": 16, "seed": 1000.0},
                "optimizer": {"learning_rate": 1e-4},
                "data": {"eval": {"count": 3}},
                "run_name": "12",
                "training": {"max_steps": null},
            })
        );
    }

    #[test]
    fn bad_sets_name_the_flag() {
        for (set, message) in [
            ("lora.rank", "`--set lora.rank`: expected KEY=VALUE"),
            ("=1", "`--set =1`: the key is missing"),
            (
                "lora.rank.x=1",
                "`--set lora.rank.x=1`: `lora.rank` is a single value and has no `x`",
            ),
            ("datasets.x=1", "`--set datasets.x=1`: `datasets` is a list; `x` is no index"),
            ("datasets.7=1", "`--set datasets.7=1`: `datasets` has 1 items; they count from 0"),
        ] {
            let error = with("lora: {rank: 1}\ndatasets: [{path: a}]", &[set]).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint.is_some());
        }
    }
}
