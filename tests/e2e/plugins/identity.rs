//! One library by several ways, and two libraries of one id.

use super::support::{Home, assert_clear, library, section, services};
use serde_json::json;

#[test]
fn the_same_library_by_any_way_is_one_plugin() {
    let home = Home::new();
    let original = library("hello_renderer");
    let copy = home.patched("hello_renderer", "copy/libother_name.so", |_| {});
    let link = home.path().join("liblink.so");
    std::os::unix::fs::symlink(&original, &link).unwrap();
    for paths in [[&original, &original], [&original, &copy], [&link, &original]] {
        let registry = home.registry(&paths.map(Clone::clone)).unwrap();
        let states: Vec<String> = registry
            .entries()
            .iter()
            .filter(|e| e.id() == "hello-renderer")
            .map(|e| e.state().words())
            .collect();
        // The third is the one that is linked into the test.
        assert_eq!(states, ["ready", "overridden", "overridden"], "{paths:?}");
        registry.renderer("hello", &section(json!({})), services()).unwrap();
    }
    // One content, one private copy, however often and from wherever it was loaded.
    let is_copy = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|e| e == "so");
    let copies = std::fs::read_dir(home.places().cache.unwrap()).unwrap().map(Result::unwrap);
    let copies = copies.filter(is_copy).count();
    assert_eq!(copies, 1);
}

#[test]
fn two_libraries_of_one_id_are_an_error_that_names_both() {
    let home = Home::new();
    let other = home.patched("hello_renderer", "other/libhello.so", |bytes| bytes.push(0));
    let original = library("hello_renderer");
    let e = home.registry(&[original.clone(), other.clone()]).map(drop).unwrap_err();
    assert_clear(&e);
    let text = e.to_string();
    assert!(text.contains("two plugins have the id `hello-renderer`"), "{text}");
    assert!(
        text.contains("other/libhello.so") && text.contains("deps/libhello_renderer"),
        "{text}"
    );
}

#[test]
fn a_library_named_by_hand_goes_before_the_built_in_of_its_id() {
    let home = Home::new();
    let registry = home.registry(&[library("hello_renderer")]).unwrap();
    let described = registry.describe(tinsmith::plugins::Kind::Renderer, "hello").unwrap();
    assert_eq!(described.plugin, "hello-renderer");
    let sha256 = described.sha256.expect("it is the library's");
    assert_eq!(registry.notices().len(), 1);
    assert!(registry.notices()[0].contains(&sha256), "the user sees the hash of what runs");
}

#[test]
fn the_private_copy_survives_the_file() {
    let home = Home::new();
    let path = home.patched("focal_loss", "libfocal.so", |_| {});
    let registry = home.registry(std::slice::from_ref(&path)).unwrap();
    // Rebuilt under a running host: truncating the mapped file itself would be SIGBUS.
    std::fs::write(&path, b"being rebuilt").unwrap();
    let loss = registry.loss("focal", &section(json!({}))).unwrap();
    assert_eq!(loss.inputs(), ["weights"]);
}

/// A library with a manifest, trusted, in a folder of its own below the installed plugins.
fn install(home: &Home, folder: &str) {
    let folder = format!("data/tinsmith/plugins/{folder}");
    let bytes = folder.as_bytes();
    let library = home.patched("focal_loss", &format!("{folder}/libfocal.so"), |library| {
        library.extend_from_slice(bytes);
    });
    let manifest = "id = \"focal-loss\"\nversion = \"0.3.0\"\napi = \"0.1.0\"\nabi = 2\n\
                    library = \"libfocal.so\"\n[provides]\nlosses = [\"focal\"]\n";
    home.file(&format!("{folder}/plugin.toml"), manifest.as_bytes());
    tinsmith::plugins::trust_path(&home.places(), library.parent().unwrap()).unwrap();
}

/// However many there are: the last one must not win because the others are in each other's way.
#[test]
fn a_third_plugin_of_one_id_is_in_conflict_too() {
    let home = Home::new();
    // One of the id is linked into this test.
    for folder in ["one", "two", "three"] {
        install(&home, folder);
        let registry = home.registry(&[]).unwrap();
        for name in ["focal", "focal-loss/focal"] {
            let e = registry.loss(name, &section(json!({}))).map(drop).unwrap_err();
            assert_clear(&e);
            assert!(e.to_string().contains("two plugins have the id `focal-loss`"), "{e}");
        }
    }
}
