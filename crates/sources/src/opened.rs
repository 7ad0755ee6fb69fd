//! What every kind of source gives.

use std::fs::File;

/// Data that was opened.
#[derive(Debug)]
pub struct Opened {
    /// At its beginning. Of what is not on this machine a copy that nobody else can open.
    pub data: File,
    /// A pipe cannot.
    pub can_be_read_again: bool,
}
