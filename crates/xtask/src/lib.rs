//! Developer commands: what CI runs, and the check of the crate arrows.
