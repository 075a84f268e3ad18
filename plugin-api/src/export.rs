//! `plugin!`: declares a crate to be a plugin.

/// Declares a crate to be a plugin, linked or loaded from the same source.
///
/// ```ignore
/// plugin! { id: "my-format", renderers: [MyFormat] }
/// ```
#[macro_export]
macro_rules! plugin {
    ($($tokens:tt)*) => {};
}
