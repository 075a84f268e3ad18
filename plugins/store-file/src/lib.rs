//! tinsmith's file storage.
