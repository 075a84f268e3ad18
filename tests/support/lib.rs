//! Support code of tinsmith's tests.
