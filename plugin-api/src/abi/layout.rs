//! Pins the layout of everything that crosses: no change without a new ABI number.

use super::{ABI_VERSION, root_layout};
use abi_stable::type_layout::TypeLayout;
use std::{collections::HashSet, fmt::Write};

/// Where the layout of [`ABI_VERSION`] is kept.
const PINNED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/abi-layout.txt");

/// Every type of this crate that crosses, with its fields and functions, in the order in which they
/// are reached from the root.
fn describe() -> String {
    let mut text = format!("abi {ABI_VERSION}\n");
    let mut seen = HashSet::new();
    let mut waiting = vec![root_layout()];
    while let Some(layout) = waiting.pop() {
        if !seen.insert(layout.get_utypeid()) {
            continue;
        }
        if layout.package().as_str() == env!("CARGO_PKG_NAME") {
            one(&mut text, layout);
        }
        let inner = layout.shared_vars().type_layouts().iter().map(|get| get());
        waiting.extend(inner.rev());
    }
    text
}

fn one(text: &mut String, layout: &TypeLayout) {
    let (size, alignment) = (layout.size(), layout.alignment());
    writeln!(text, "\n{}: {size} bytes, aligned to {alignment}", name(layout, 0)).unwrap();
    for field in layout.get_fields().into_iter().flatten() {
        writeln!(text, "  {}: {}", field.name(), name(field.layout(), 2)).unwrap();
        for function in field.function_range().iter() {
            let inputs = function.param_type_layouts.iter().map(|get| name(get(), 2));
            let inputs = inputs.collect::<Vec<_>>().join(", ");
            let output =
                function.return_type_layout().map_or("()".to_owned(), |get| name(get(), 2));
            writeln!(text, "    ({inputs}) -> {output}").unwrap();
        }
    }
}

/// A type with what it is made of, two steps deep; types of this crate have entries of their own.
fn name(layout: &TypeLayout, depth: u32) -> String {
    let inner = layout.shared_vars().type_layouts();
    if layout.package().as_str() == env!("CARGO_PKG_NAME") || inner.is_empty() || depth == 0 {
        return layout.full_type().to_string();
    }
    let inner: Vec<String> = inner.iter().map(|get| name(get(), depth - 1)).collect();
    format!("{}({})", layout.name(), inner.join(" "))
}

#[test]
fn the_layout_is_that_of_the_abi_number() {
    let now = describe();
    if std::env::var_os("TINSMITH_BLESS").is_some() {
        std::fs::write(PINNED, &now).unwrap();
    }
    let pinned = std::fs::read_to_string(PINNED).unwrap();
    let changed = now.lines().zip(pinned.lines()).find(|(new, old)| new != old);
    assert!(
        now == pinned,
        "what crosses the boundary has changed, first at {changed:?}: raise `ABI_VERSION`, then \
         run this test with TINSMITH_BLESS=1 and review the change of {PINNED}"
    );
}
