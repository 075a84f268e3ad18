//! Files that are no plugins, or no longer: each gives one clear line, and the host lives on.

use super::support::{Home, assert_clear, library, replace_all};
use std::path::PathBuf;
use tinsmith::{Error, plugins};

fn refused(home: &Home, path: PathBuf) -> Error {
    let e = home.registry(&[path]).map(|_| ()).unwrap_err();
    assert_clear(&e);
    // The host is as it was.
    home.registry(&[library("hello_renderer")]).unwrap();
    e
}

#[test]
fn what_is_no_library_is_named() {
    let home = Home::new();
    let text = refused(&home, home.file("libtext.so", b"hello, I am a text\n"));
    assert!(text.to_string().contains("no shared library"), "{text}");
    let empty = refused(&home, home.file("libempty.so", b""));
    assert!(empty.to_string().contains("empty"), "{empty}");
    let missing = refused(&home, home.path().join("libmissing.so"));
    assert!(missing.to_string().contains("libmissing.so"), "{missing}");
    home.file("folder/readme.txt", b"no plugin here");
    let folder = refused(&home, home.path().join("folder"));
    assert!(folder.to_string().contains("no plugin lies in"), "{folder}");
}

/// A device that everybody may write to: the hint must not be to forbid that.
#[test]
fn what_is_no_file_is_not_opened() {
    let home = Home::new();
    let e = refused(&home, PathBuf::from("/dev/null"));
    assert!(e.to_string().contains("no file"), "{e}");
    assert!(!e.hint.as_deref().unwrap().contains("chmod"), "{e:?}");
}

#[test]
fn a_broken_manifest_has_a_place_and_a_hint() {
    let home = Home::new();
    let good = "id = \"focal-loss\"\nversion = \"0.3.0\"\napi = \"0.1.0\"\nabi = 2\n\
                library = \"libfocal.so\"\n[provides]\nlosses = [\"focal\"]\n";
    for (right, wrong, line) in [
        ("abi = 2", "abi = ", Some(4)),
        ("abi = 2", "abi = \"one\"", Some(4)),
        ("version", "versoin", Some(2)),
        ("focal-loss", "Focal Loss", None),
        ("libfocal.so", "../libfocal.so", None),
        ("0.3.0", "0\\u001b[2J", None),
        ("[provides]", "symbol = \"malloc\"\n[provides]", None),
    ] {
        home.file("folder/plugin.toml", good.replace(right, wrong).as_bytes());
        let e = refused(&home, home.path().join("folder"));
        let place = e.place.as_ref().unwrap_or_else(|| panic!("{wrong}: no place: {e}"));
        assert!(place.path.ends_with("folder/plugin.toml"), "{wrong}: {e}");
        assert_eq!(place.line, line, "{wrong}: {e}");
    }
    // A manifest without its library.
    home.file("folder/plugin.toml", good.as_bytes());
    let registry = home.registry(&[home.path().join("folder")]).unwrap();
    let e = registry.loss("focal", &serde_json::Map::new()).map(drop).unwrap_err();
    assert_clear(&e);
    assert!(e.to_string().contains("libfocal.so"), "{e}");
}

#[test]
fn a_library_cut_short_anywhere_is_refused_before_it_is_mapped() {
    let home = Home::new();
    let whole = std::fs::read(library("hello_renderer")).unwrap();
    let places = home.places();
    let lengths = (0..48).map(|i| whole.len() * i / 48).chain([1, 4, 63, 64, whole.len() - 1]);
    for length in lengths {
        let path = home.file("libcut.so", &whole[..length]);
        let e = plugins::inspect(&places, &path).unwrap_err();
        assert_clear(&e);
    }
}

#[test]
fn a_library_that_is_no_plugin_is_told_apart() {
    // Procedural macros are shared libraries without our symbol.
    let folder = library("hello_renderer").parent().unwrap().to_owned();
    let foreign = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_macro = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("libserde_derive-") && name.ends_with(std::env::consts::DLL_SUFFIX)
    };
    let foreign = foreign.into_iter().find(is_macro).expect("serde_derive was built");
    let home = Home::new();
    let copy = home.file("libforeign.so", &std::fs::read(foreign).unwrap());
    let e = refused(&home, copy);
    assert!(e.to_string().contains("is no tinsmith plugin"), "{e}");
}

#[test]
fn another_machine_is_named() {
    let home = Home::new();
    // `e_machine` (40 is 32-bit ARM, 243 is RISC-V), 32-bit class, big-endian data.
    for (at, value) in [(18, 40), (18, 243), (4, 1), (5, 2)] {
        let path = home.patched("hello_renderer", "libother.so", |bytes| bytes[at] = value);
        let e = refused(&home, path);
        assert!(e.to_string().contains("built for another machine"), "{at}, {value}: {e}");
    }
}

/// The files that lie beside a library, and those of other systems.
#[test]
fn other_products_of_a_compiler_are_no_libraries() {
    let home = Home::new();
    // `e_type` 1 is an object file, 2 a program of a fixed address.
    for kind in [1, 2] {
        let path = home.patched("hello_renderer", "libkind.so", |bytes| bytes[16] = kind);
        let e = refused(&home, path);
        assert!(e.to_string().contains("no shared library"), "{kind}: {e}");
    }
    let archive: &[u8] = b"!<arch>\n/               0           0     0     0       8       `\n";
    let foreign: [(&str, &[u8]); 3] = [
        ("libarchive.rlib", archive),
        ("libmac.dylib", b"\xcf\xfa\xed\xfe\x07\x00\x00\x01"),
        ("windows.dll", b"MZ\x90\x00\x03\x00\x00\x00"),
    ];
    for (name, bytes) in foreign {
        let e = refused(&home, home.file(name, bytes));
        assert!(e.to_string().contains("no shared library"), "{name}: {e}");
        assert!(e.to_string().contains(name), "{e}");
    }
}

/// Where the handshake lies in a library: the magic, followed by a size and our ABI number. Other
/// copies of the magic are constants that code compares with.
fn handshake(bytes: &[u8]) -> usize {
    let size = size_of::<tinsmith_plugin_api::abi::Handshake>() as u32;
    let mut wanted = b"TINSMITH".to_vec();
    wanted.extend(size.to_le_bytes());
    wanted.extend(tinsmith_plugin_api::abi::ABI_VERSION.to_le_bytes());
    memchr::memmem::find(bytes, &wanted).expect("a handshake")
}

#[test]
fn another_abi_number_is_named_with_both_versions() {
    let home = Home::new();
    let path = home.patched("hello_renderer", "libabi.so", |bytes| {
        let at = handshake(bytes);
        bytes[at + 12] = 99;
    });
    let e = refused(&home, path);
    assert!(e.to_string().contains("`hello-renderer` 0.3.0 speaks plugin ABI 99"), "{e}");
    assert!(e.hint.as_deref().unwrap().contains("rebuild"), "{e:?}");
}

#[test]
fn a_damaged_handshake_is_no_plugin() {
    let home = Home::new();
    for (offset, what) in [(0, "magic"), (8, "size")] {
        let path = home.patched("hello_renderer", &format!("lib{what}.so"), |bytes| {
            let at = handshake(bytes) + offset;
            bytes[at] = 1;
        });
        let e = refused(&home, path);
        assert!(e.to_string().contains("is no tinsmith plugin"), "{what}: {e}");
    }
}

#[test]
fn a_changed_layout_is_found_although_the_number_agrees() {
    let home = Home::new();
    // The name of a field in the layout descriptions, as if plugin-api had been changed without a
    // new ABI number.
    let path = home.patched("hello_renderer", "liblayout.so", |bytes| {
        replace_all(bytes, b"ordinal", b"0rdinal");
    });
    let e = refused(&home, path);
    let abi = tinsmith_plugin_api::abi::ABI_VERSION;
    assert!(e.to_string().contains(&format!("claims ABI {abi} but its types differ")), "{e}");
}
