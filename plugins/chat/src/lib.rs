//! tinsmith's chat renderers.
