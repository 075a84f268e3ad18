//! Installed plugins run only if they are trusted, and as they were when they were.

use super::support::{Home, assert_clear, library, replace_all, section};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};
use tinsmith::{
    Error,
    plugins::{self, PluginOptions, Registry},
};

/// Installs the focal loss without trusting it. (Its id is not that of the linked one.)
fn install(home: &Home) -> PathBuf {
    let library = home.patched("focal_loss", "data/tinsmith/plugins/forked/libfocal.so", |bytes| {
        replace_all(bytes, b"focal-loss", b"forked-los");
    });
    let manifest = "id = \"forked-los\"\nversion = \"0.3.0\"\napi = \"0.1.0\"\nabi = 2\n\
                    library = \"libfocal.so\"\n[provides]\nlosses = [\"focal\"]\n";
    home.file("data/tinsmith/plugins/forked/plugin.toml", manifest.as_bytes());
    library
}

fn build(home: &Home) -> Result<(), Error> {
    home.registry(&[])?.loss("forked-los/focal", &section(json!({}))).map(drop)
}

fn refused(home: &Home) -> String {
    let e = build(home).unwrap_err();
    assert_clear(&e);
    e.to_string()
}

#[test]
fn an_installed_plugin_needs_trust_and_a_change_ends_it() {
    let home = Home::new();
    let library = install(&home);
    assert!(refused(&home).contains("is not trusted"));
    // Its presence harms nobody who does not ask for it.
    home.registry(&[]).unwrap().loss("focal-loss/focal", &section(json!({}))).unwrap();

    let trusted = plugins::trust_path(&home.places(), library.parent().unwrap()).unwrap();
    assert_eq!(trusted.id, "forked-los");
    build(&home).unwrap();
    let registry = home.registry(&[]).unwrap();
    assert_eq!(registry.plugin("forked-los").unwrap().state().words(), "ready");

    let mut bytes = fs::read(&library).unwrap();
    bytes.push(0);
    fs::write(&library, bytes).unwrap();
    assert!(refused(&home).contains("has changed since it was trusted"));
    plugins::trust_path(&home.places(), &library).unwrap();
    build(&home).unwrap();
}

/// As where `~/.local/share` is a link to a larger disk.
#[test]
fn trust_holds_behind_a_symbolic_link() {
    let home = Home::new();
    fs::create_dir(home.path().join("disk")).unwrap();
    std::os::unix::fs::symlink("disk", home.path().join("data")).unwrap();
    let library = install(&home);
    plugins::trust_path(&home.places(), library.parent().unwrap()).unwrap();
    build(&home).unwrap();
}

#[test]
fn a_hash_in_the_manifest_is_kept_to() {
    let home = Home::new();
    let library = install(&home);
    let manifest = library.with_file_name("plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, format!("sha256 = \"{}\"\n{text}", "0".repeat(64))).unwrap();
    let e = plugins::trust_path(&home.places(), library.parent().unwrap()).unwrap_err();
    assert_clear(&e);
    let e = home.registry(&[library.parent().unwrap().to_owned()]).unwrap();
    let e = e.loss("forked-los/focal", &section(json!({}))).map(drop).unwrap_err();
    assert_clear(&e);
    assert!(e.to_string().contains("not the one that its `plugin.toml` describes"), "{e}");
}

#[test]
fn a_plugin_that_a_config_names_needs_trust_and_one_by_hand_does_not() {
    let home = Home::new();
    let library = home.patched("focal_loss", "from-a-stranger/libfocal.so", |bytes| bytes.push(0));
    let configured = PluginOptions { paths: Vec::new(), configured: vec![library.clone()] };
    let e = Registry::load_from(home.places(), &configured).map(drop).unwrap_err();
    assert_clear(&e);
    assert!(e.to_string().contains("is not trusted"), "{e}");
    assert!(e.hint.as_deref().unwrap().contains("tinsmith plugins trust"), "{e:?}");
    home.registry(&[library]).unwrap();
}

#[test]
fn what_others_can_write_is_refused() {
    let home = Home::new();
    for (mode, folder) in [(0o775, false), (0o757, false), (0o777, true)] {
        let library = home.patched("focal_loss", &format!("w{mode:o}/libfocal.so"), |_| {});
        let changed = if folder { library.parent().unwrap().to_owned() } else { library.clone() };
        fs::set_permissions(&changed, fs::Permissions::from_mode(mode)).unwrap();
        let e = home.registry(&[library]).map(drop).unwrap_err();
        assert_clear(&e);
        assert!(e.to_string().contains("others can write to"), "{mode:o}: {e}");
        assert!(e.hint.as_deref().unwrap().starts_with("run `chmod go-w"), "{e:?}");
    }
}

#[test]
fn the_list_of_trusted_plugins_is_checked_itself() {
    let home = Home::new();
    let list = home.file("config/tinsmith/trusted.toml", b"plugin = 3\n");
    let e = home.registry(&[]).map(drop).unwrap_err();
    assert_clear(&e);
    assert!(e.to_string().contains("list of trusted plugins"), "{e}");
    fs::write(&list, "").unwrap();
    fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).unwrap();
    let e = home.registry(&[]).map(drop).unwrap_err();
    assert!(e.to_string().contains("others can write to"), "{e}");
}

#[test]
fn a_manifest_that_lies_is_found_when_its_plugin_is_used() {
    let home = Home::new();
    let library = install(&home);
    let manifest = library.with_file_name("plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("[\"focal\"]", "[\"focal\", \"more\"]")).unwrap();
    plugins::trust_path(&home.places(), library.parent().unwrap()).unwrap();
    assert!(refused(&home).contains("other things than its `plugin.toml` says"));
}

#[test]
fn another_abi_is_told_from_the_manifest_alone() {
    let home = Home::new();
    let library = install(&home);
    let manifest = library.with_file_name("plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("abi = 2", "abi = 3")).unwrap();
    fs::write(&library, "never opened").unwrap();
    let registry = home.registry(&[]).unwrap();
    let words = registry.plugin("forked-los").unwrap().state().words();
    assert!(words.starts_with("speaks plugin ABI 3: rebuild it"), "{words}");
}

#[test]
fn private_copies_are_private() {
    let home = Home::new();
    home.registry(&[library("focal_loss")]).unwrap();
    let cache = home.places().cache.unwrap();
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cache), 0o700);
    let is_copy = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "so");
    let copy = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let copy = copy.into_iter().find(is_copy).unwrap();
    assert_eq!(mode(&copy), 0o500);
    // A copy that was lost or cut short, as by a full disk, is made again.
    fs::remove_file(&copy).unwrap();
    home.registry(&[library("focal_loss")]).unwrap();
    assert!(fs::metadata(&copy).unwrap().len() > 1000);
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, b"short").unwrap();
    home.registry(&[library("focal_loss")]).unwrap().loss("focal", &section(json!({}))).unwrap();
    assert!(fs::metadata(&copy).unwrap().len() > 1000);
}
