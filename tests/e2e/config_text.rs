//! Any text at all: reading a config ends in a config or in an error, never in a panic; and YAML,
//! TOML and what `config show` prints say the same of one tree.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tinsmith::config;

const FULL: &str = include_str!("../../configs/training.yaml");

/// Loads a text as a file of this name. The folder goes with the guard.
fn load(name: &str, text: &[u8]) -> (tempfile::TempDir, tinsmith::Result<config::Loaded>) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let loaded = config::load(&path, &[]);
    (dir, loaded)
}

fn never_panics(text: &[u8]) {
    for name in ["a.yaml", "a.toml"] {
        if let (_dir, Err(e)) = load(name, text) {
            assert_eq!(e.kind, tinsmith::Kind::Usage);
            assert!(!e.to_string().contains('\n'), "one line: {e}");
        }
    }
}

/// Pieces that mean something to a reader of YAML or TOML.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "model",
        "base_model",
        "datasets",
        "path",
        "lora",
        "rank",
        ": ",
        ":",
        "\n",
        "\n  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "&a ",
        "*a",
        "!t ",
        "|",
        ">",
        "---",
        "...",
        "%",
        "#",
        "\t",
        "\r\n",
        "<<",
        "=",
        "[[",
        "]]",
        "1e-4",
        "0x",
        "~",
        ".nan",
        "\u{feff}",
        "é",
        "\u{0}",
        "? ",
        "@",
        "`",
        "\\u12",
        "\"\"\"",
        "1979-05-27",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|list| list.concat())
}

/// Texts that a config may hold, awkward ones among them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        prop::sample::select(vec![
            "true", "null", "1e5", "yes", "- x", "a: b", "#", " x ", "'\"\\", "é\n"
        ])
        .prop_map(str::to_owned),
        any::<String>().prop_map(|s| s.replace('\u{0}', "")),
    ]
    .prop_filter("a path must not be empty", |s| !s.is_empty())
}

/// What a plugin may find in its section. No null: TOML has none.
fn plugin_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|b| json!(b)),
        any::<i32>().prop_map(|n| json!(n)),
        (-1e6..1e6f64).prop_map(|x| json!(x)),
        text().prop_map(|s| json!(s)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,6}", inner), 0..3)
                .prop_map(|list| Value::Object(list.into_iter().collect())),
        ]
    })
}

fn tree() -> impl Strategy<Value = Value> {
    (
        text(),
        prop::collection::vec(text(), 1..3),
        1u32..100,
        1e-8..1f64,
        prop::sample::select(vec!["linear", "cosine", "constant", "wsd"]),
        any::<bool>(),
        prop::collection::vec(("[a-m]{1,6}", plugin_value()), 0..3),
    )
        .prop_map(|(base, paths, rank, rate, curve, shuffle, plugin)| {
            let mut renderer: Map<String, Value> = plugin.into_iter().collect();
            renderer.insert("name".into(), json!("chatml"));
            json!({
                "model": {"base_model": base},
                "datasets": paths.iter().map(|p| json!({"path": p})).collect::<Vec<_>>(),
                "lora": {"rank": rank, "alpha": rank},
                "optimizer": {"learning_rate": rate},
                "schedule": curve,
                "data": {"shuffle": shuffle},
                "renderer": renderer,
            })
        })
}

/// The root's keys as TOML, sections as inline tables.
fn toml(value: &Value, root: bool) -> String {
    let pairs = |map: &Map<String, Value>, between: &str| {
        let pairs = map.iter().map(|(k, v)| format!("{} = {}", json!(k), toml(v, false)));
        pairs.collect::<Vec<_>>().join(between)
    };
    match value {
        Value::Object(map) if root => pairs(map, "\n"),
        Value::Object(map) => format!("{{{}}}", pairs(map, ", ")),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|v| toml(v, false)).collect::<Vec<_>>().join(", "))
        }
        // TOML's strings know JSON's escapes, and no control characters besides.
        Value::String(text) => json!(text).to_string().replace('\u{7f}', "\\u007f"),
        other => other.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        never_panics(&bytes);
    }

    #[test]
    fn any_text(text in any::<String>()) {
        never_panics(text.as_bytes());
    }

    #[test]
    fn any_pieces(text in pieces()) {
        never_panics(text.as_bytes());
    }

    /// The full config with a part cut out and something put in its place.
    #[test]
    fn any_wound(at in 0..FULL.len(), cut in 0..40usize, put in pieces()) {
        let mut bytes = FULL.as_bytes().to_vec();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        never_panics(&bytes);
    }

    /// Any `--set` ends in a config or an error.
    #[test]
    fn any_set(key in "[a-z.\\[\\]0-9]{0,20}", value in pieces()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        std::fs::write(&path, FULL).unwrap();
        let _ = config::load(&path, &[format!("{key}={value}")]);
    }

    #[test]
    fn yaml_toml_and_show_agree(tree in tree()) {
        let (_a, yaml) = load("a.yaml", tree.to_string().as_bytes());
        let yaml = yaml.unwrap();
        let (_b, toml) = load("a.toml", toml(&tree, true).as_bytes());
        prop_assert_eq!(&yaml.config, &toml.unwrap().config);
        let (_c, again) = load("a.yaml", yaml.show().as_bytes());
        prop_assert_eq!(&yaml.config, &again.unwrap().config);
    }
}
