//! `plugin!`: declares a crate to be a plugin.

/// Declares a crate to be a plugin, linked or loaded from the same source.
///
/// ```ignore
/// plugin! { renderers: [MyFormat], losses: [MyLoss] }
/// ```
///
/// Keys, in any order: `id` (default: the package's name without `tinsmith-`), `renderers`,
/// `losses`, `storages`, `trainers`. The macro exports one symbol, `tinsmith_plugin_<crate>`, and
/// registers the same handshake with a program that links the crate.
#[macro_export]
macro_rules! plugin {
    ($($key:ident : $value:tt),* $(,)?) => {
        const _: () = {
            extern "C" fn root() -> $crate::abi::PluginRoot {
                static ROOT: ::std::sync::OnceLock<$crate::abi::PluginRoot> =
                    ::std::sync::OnceLock::new();
                *ROOT.get_or_init(|| {
                    #[allow(unused_mut)]
                    let mut builder = $crate::abi::Builder::default();
                    $($crate::__provide!(builder, $key, $value);)*
                    builder.finish()
                })
            }

            #[unsafe(export_name = concat!("tinsmith_plugin_", env!("CARGO_CRATE_NAME")))]
            pub static HANDSHAKE: $crate::abi::Handshake = $crate::abi::Handshake::new(
                $crate::__plugin_id!($($key $value)*),
                env!("CARGO_PKG_VERSION"),
                root,
            );

            $crate::__private::inventory::submit! { $crate::abi::Linked(&HANDSHAKE) }
        };
    };
}

/// One entry of [`plugin!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __provide {
    ($builder:ident, id, $value:tt) => {};
    ($builder:ident, renderers, [$($item:ty),* $(,)?]) => { $($builder.renderer::<$item>();)* };
    ($builder:ident, losses, [$($item:ty),* $(,)?]) => { $($builder.loss::<$item>();)* };
    ($builder:ident, storages, [$($item:ty),* $(,)?]) => { $($builder.storage::<$item>();)* };
    ($builder:ident, trainers, [$($item:ty),* $(,)?]) => { $($builder.trainer::<$item>();)* };
    ($builder:ident, $key:ident, $value:tt) => {
        compile_error!(concat!(
            "`plugin!` has no `", stringify!($key),
            "`: write `id: \"…\"`, `renderers: [..]`, `losses: [..]`, `storages: [..]` or `trainers: [..]`"
        ));
    };
}

/// The id in the entries of [`plugin!`], or the default.
#[doc(hidden)]
#[macro_export]
macro_rules! __plugin_id {
    () => { $crate::__private::default_id(env!("CARGO_PKG_NAME")) };
    (id $id:literal $($rest:tt)*) => { $id };
    ($key:ident $value:tt $($rest:tt)*) => { $crate::__plugin_id!($($rest)*) };
}

/// A plugin's id where its source names none: the package's name without `tinsmith-`.
#[must_use]
pub const fn default_id(package: &'static str) -> &'static str {
    const PREFIX: &[u8] = b"tinsmith-";
    let bytes = package.as_bytes();
    if bytes.len() <= PREFIX.len() {
        return package;
    }
    let mut i = 0;
    while i < PREFIX.len() {
        if bytes[i] != PREFIX[i] {
            return package;
        }
        i += 1;
    }
    package.split_at(PREFIX.len()).1
}

#[cfg(test)]
mod tests {
    use super::default_id;

    #[test]
    fn the_default_id_drops_the_house_prefix() {
        assert_eq!(default_id("tinsmith-chat"), "chat");
        assert_eq!(default_id("my-format"), "my-format");
        assert_eq!(default_id("tinsmith-"), "tinsmith-");
    }
}
