//! Names: unknown, ambiguous, qualified; and config errors with the key's path.

use super::support::{Home, assert_clear, replace_all, section, services};
use serde_json::json;
use tinsmith::{Kind as ErrorKind, plugins::Kind};

#[test]
fn an_unknown_name_suggests_the_nearest_or_lists_all() {
    let home = Home::new();
    let registry = home.registry(&[]).unwrap();
    let e = registry.loss("focl", &section(json!({}))).map(drop).unwrap_err();
    assert_eq!(e.to_string(), "unknown loss `focl`");
    assert_eq!(e.hint.as_deref(), Some("did you mean `focal`?"));
    assert_eq!(e.kind, ErrorKind::Usage);
    let e = registry.renderer("zzzzzzzz", &section(json!({})), services()).map(drop).unwrap_err();
    let hint = e.hint.as_deref().unwrap();
    assert!(hint.starts_with("available: `bad`, ") && hint.contains("`hello`"), "{hint}");
    let e = registry.loss("focal-los/focal", &section(json!({}))).map(drop).unwrap_err();
    assert_eq!(e.to_string(), "unknown plugin `focal-los`");
    assert_eq!(e.hint.as_deref(), Some("did you mean `focal-loss`?"));
    let e = registry.loss("focal-loss/fokal", &section(json!({}))).map(drop).unwrap_err();
    assert_eq!(e.to_string(), "plugin `focal-loss`: unknown loss `fokal`");
}

#[test]
fn a_name_of_two_plugins_must_be_qualified() {
    let home = Home::new();
    // The same plugin under another id of the same length, as if somebody had forked it.
    let fork = home.patched("hello_renderer", "libfork.so", |bytes| {
        replace_all(bytes, b"hello-renderer", b"jello-renderer");
    });
    let registry = home.registry(&[fork]).unwrap();
    let none = section(json!({}));
    let e = registry.renderer("hello", &none, services()).map(drop).unwrap_err();
    assert_clear(&e);
    assert!(e.to_string().contains("two plugins provide the renderer `hello`"), "{e}");
    assert!(e.hint.as_deref().unwrap().contains("`jello-renderer/hello`"), "{e:?}");
    for name in ["hello-renderer/hello", "jello-renderer/hello"] {
        registry.renderer(name, &none, services()).unwrap();
        assert_eq!(
            format!("{}/hello", registry.describe(Kind::Renderer, name).unwrap().plugin),
            name
        );
    }
}

#[test]
fn config_errors_name_the_key_in_both_linkages() {
    let home = Home::new();
    for (linkage, registry) in home.both(&["hello_renderer", "focal_loss", "dir_store"]) {
        let e = registry.renderer("hello", &section(json!({ "prefx": "Q" })), services());
        let e = e.map(drop).unwrap_err();
        assert_eq!(e.field.as_deref(), Some("prefx"), "{linkage}: {e}");
        assert_eq!(e.hint.as_deref(), Some("did you mean `prefix`?"), "{linkage}");
        assert_eq!(e.kind, ErrorKind::Usage);
        let e = registry.loss("focal", &section(json!({ "gamma": "two" }))).map(drop).unwrap_err();
        assert_eq!(e.field.as_deref(), Some("gamma"), "{linkage}: {e}");
        let e = registry.storage("flat", &section(json!({})), services()).map(drop).unwrap_err();
        assert_eq!(e.field.as_deref(), Some("uri"), "{linkage}: {e}");
        assert!(e.to_string().ends_with("`uri`: is missing"), "{linkage}: {e}");
    }
}

#[test]
fn descriptions_tell_schema_defaults_and_inputs() {
    let home = Home::new();
    for (linkage, registry) in home.both(&["hello_renderer", "focal_loss"]) {
        let hello = registry.describe(Kind::Renderer, "hello").unwrap().item;
        let prefix = &hello.config_schema["properties"]["prefix"];
        assert_eq!(prefix["type"], "string", "{linkage}");
        assert_eq!(prefix["description"], "Text put before every question.");
        assert_eq!(hello.defaults["prefix"], "");
        let focal = registry.describe(Kind::Loss, "focal").unwrap().item;
        assert_eq!(
            (focal.inputs, focal.scope.as_deref()),
            (vec!["weights".to_owned()], Some("token"))
        );
    }
}

#[test]
fn a_folder_of_plugins_can_be_named() {
    let home = Home::new();
    let manifest = "id = \"focal-loss\"\nversion = \"0.3.0\"\napi = \"0.1.0\"\nabi = 2\n\
                    library = \"libfocal.so\"\n[provides]\nlosses = [\"focal\"]\n";
    home.file("folder/focal/plugin.toml", manifest.as_bytes());
    home.patched("focal_loss", "folder/focal/libfocal.so", |_| {});
    for path in ["folder", "folder/focal"] {
        let registry = home.registry(&[home.path().join(path)]).unwrap();
        assert!(registry.entries()[0].sha256().is_none(), "{path} was opened to be listed");
        registry.loss("focal", &section(json!({}))).unwrap();
        assert!(registry.entries()[0].sha256().is_some());
    }
}
