//! One layer between answers and the terminal: text for people, one JSON document for programs.

mod format;
mod table;
pub(crate) mod terminal;

use std::io::Write;

use serde_json::Value;

pub use format::{bytes, count, date_now, duration, moment, name, relative};
pub use s3rec_wire::json::to_json;
pub use table::Table;

use crate::failure::Failure;

/// Where results go and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON documents when `json`, text otherwise.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read along.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Shows one answer of a platform: as it is, or in the words of `text`.
    ///
    /// # Errors
    /// [`Failure::File`] when stdout cannot be written.
    pub fn message<M: prost::Message + prost::Name>(
        self,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            self.write(&pretty(&to_json(message)))
        } else {
            self.write(&terminal::fit(&text(message), terminal::width()))
        }
    }

    /// Shows a value that no message of the conversation carries.
    ///
    /// # Errors
    /// [`Failure::File`] when stdout cannot be written.
    pub fn value(self, value: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            self.write(&pretty(value))
        } else {
            self.write(&terminal::fit(&text(), terminal::width()))
        }
    }

    /// Writes to stdout and ends the line. A reader that has gone away is not an error of ours.
    ///
    /// # Errors
    /// [`Failure::File`] when stdout cannot be written.
    pub fn write(self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
            Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::File {
                path: "standard output".into(),
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Shows a failure on stderr.
    pub fn failure(self, failure: &Failure) {
        let text = if self.json {
            pretty(&failure.to_json())
        } else {
            format!("s3rec: {failure}")
        };
        note(&text);
    }
}

/// One line for people on stderr; nobody to read it is no reason to stop.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
