//! Everything that crosses the boundary of a shared library.
