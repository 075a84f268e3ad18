//! The code of `docs/plugins.md` is the code of the test plugins.

use std::path::Path;

#[test]
fn the_examples_of_the_docs_are_the_plugins_that_are_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = std::fs::read_to_string(root.join("docs/plugins.md")).unwrap();
    for name in ["hello-renderer", "focal-loss"] {
        let path = root.join("tests/plugins").join(name).join("src/lib.rs");
        let source = std::fs::read_to_string(path).unwrap();
        let shown = source.split("#[cfg(test)]").next().unwrap().trim_end();
        assert!(docs.contains(shown), "docs/plugins.md does not show {name} as it is");
    }
}
