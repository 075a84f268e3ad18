//! Arithmetic on plain slices: no model, no parameters, no errors.
