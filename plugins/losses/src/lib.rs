//! tinsmith's losses, with the Tinker API's math and defaults.
