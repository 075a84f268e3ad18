//! The author's testing kit.
