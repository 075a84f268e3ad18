//! The `tinsmith` binary.
fn main() {}
