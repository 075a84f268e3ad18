//! Where plugins are looked for, and in which order.

use super::support::{Home, assert_clear, replace_all, section, services};
use serde_json::json;
use std::path::PathBuf;
use tinsmith::plugins::{self, Kind, Origin, PluginOptions, Registry};

/// A fork of the renderer under an id of as many bytes, in a folder with its manifest.
fn fork(home: &Home, folder: &str, id: &str) -> PathBuf {
    let library = home.patched("hello_renderer", &format!("{folder}/libfork.so"), |bytes| {
        replace_all(bytes, b"hello-renderer", id.as_bytes());
    });
    let manifest = format!(
        "id = \"{id}\"\nversion = \"0.3.0\"\napi = \"0.1.0\"\nabi = 2\n\
         library = \"libfork.so\"\n[provides]\nrenderers = [\"hello\"]\n"
    );
    home.file(&format!("{folder}/plugin.toml"), manifest.as_bytes());
    plugins::trust_path(&home.places(), library.parent().unwrap()).unwrap();
    library
}

#[test]
fn places_are_searched_in_the_order_that_is_documented() {
    let home = Home::new();
    for (folder, id) in [
        ("hand", "jello-renderer"),
        ("configured", "kello-renderer"),
        ("variable/one", "lello-renderer"),
        ("data/tinsmith/plugins/one", "mello-renderer"),
        ("machine/tinsmith/plugins/one", "nello-renderer"),
    ] {
        fork(&home, folder, id);
    }
    let places = plugins::Places { path: vec![home.path().join("variable")], ..home.places() };
    let options = PluginOptions {
        paths: vec![home.path().join("hand")],
        configured: vec![home.path().join("configured")],
    };
    let registry = Registry::load_from(places, &options).unwrap();
    let found: Vec<(&str, Origin)> =
        registry.entries().iter().map(|entry| (entry.id(), entry.origin())).collect();
    assert_eq!(
        found[..6],
        [
            ("jello-renderer", Origin::CommandLine),
            ("kello-renderer", Origin::Config),
            ("lello-renderer", Origin::Environment),
            ("mello-renderer", Origin::Installed),
            ("nello-renderer", Origin::Machine),
            ("chat", Origin::BuiltIn),
        ]
    );
    let none = section(json!({}));
    for (id, _) in &found[..5] {
        registry.renderer(&format!("{id}/hello"), &none, services()).unwrap();
    }
}

/// A library that nothing describes cannot say what it provides before it may run: who asks for
/// something unknown is told of it.
#[test]
fn a_library_of_the_search_path_that_may_not_run_is_named_where_something_is_missing() {
    let home = Home::new();
    let fork = home.patched("focal_loss", "libfork.so", |bytes| {
        replace_all(bytes, b"focal-loss", b"vocal-loss");
    });
    let places = || plugins::Places { path: vec![fork.clone()], ..home.places() };
    let load = || Registry::load_from(places(), &PluginOptions::default());
    let none = section(json!({}));
    let refused = || {
        let registry = load().unwrap();
        // It is in nobody's way.
        registry.loss("focal", &none).unwrap();
        let asked = ["worse", "vocal-loss/focal"].map(|name| {
            let e = registry.loss(name, &none).map(drop).unwrap_err();
            assert_clear(&e);
            assert!(e.to_string().starts_with("unknown "), "{e}");
            e.hint.unwrap()
        });
        asked.join("\n")
    };
    let hint = refused();
    let why = "libfork.so` was not asked: the library is not trusted";
    assert_eq!(hint.matches(why).count(), 2, "{hint}");
    plugins::trust_path(&home.places(), &fork).unwrap();
    let registry = load().unwrap();
    assert_eq!(registry.describe(Kind::Loss, "vocal-loss/focal").unwrap().plugin, "vocal-loss");
    let mut bytes = std::fs::read(&fork).unwrap();
    bytes.push(0);
    std::fs::write(&fork, bytes).unwrap();
    let hint = refused();
    assert_eq!(hint.matches("was not asked: the library has changed since").count(), 2, "{hint}");
    // Named by hand or by a config, it is an error at once.
    let options = PluginOptions { paths: Vec::new(), configured: vec![fork.clone()] };
    let e = Registry::load_from(home.places(), &options).map(drop).unwrap_err();
    assert_clear(&e);
    assert_eq!(e.field.as_deref(), Some("plugins[0]"), "{e}");
}
