//! Rows out of JSON lines: one object a line, whose keys name the fields.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::DataError;
use crate::record::Record;
use crate::text_rows::Ahead;

/// Separates the elements of an array in the one field that it becomes.
pub(crate) const ELEMENTS: char = '\u{1f}';

/// Rows of the fields that are asked for.
pub(crate) struct JsonRows<'a> {
    file: PathBuf,
    lines: Ahead<'a>,
    /// The line last read.
    text: String,
    /// The keys of the first object.
    pub(crate) names: Vec<String>,
    /// Which of the names to read, in the order of the fields.
    places: Vec<Option<usize>>,
    record: Record,
    line: u64,
}

/// Whether a text that begins with this line is JSON lines.
pub(crate) fn begins(line: &str) -> bool {
    let inside = line.trim_start().strip_prefix('{').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with(['"', '}']))
}

impl<'a> JsonRows<'a> {
    pub(crate) fn new(file: &Path, lines: Ahead<'a>) -> Result<Self, DataError> {
        let first = lines.rows().first().map(|line| object(line));
        let names = match first {
            Some(Ok(object)) => object.into_iter().map(|(key, _)| key).collect(),
            // Said when it is read.
            _ => Vec::new(),
        };
        Ok(Self {
            file: file.to_path_buf(),
            lines,
            text: String::new(),
            names,
            places: Vec::new(),
            record: Record::default(),
            line: 0,
        })
    }

    /// Reads only the keys at `places` of the names.
    pub(crate) fn select(&mut self, places: &[Option<usize>]) {
        self.places = places.to_vec();
    }

    /// Which of the names a field has.
    pub(crate) fn place(&self, field: usize) -> Option<usize> {
        self.places.get(field).copied().flatten()
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    pub(crate) fn read(&mut self) -> Result<bool, DataError> {
        loop {
            let Some(number) = self.lines.next(&mut self.text)? else {
                return Ok(false);
            };
            if self.text.trim().is_empty() {
                continue;
            }
            self.line = number;
            let refused = |reason: String| DataError::BadJson {
                file: self.file.clone(),
                line: number,
                reason,
            };
            let object = object(&self.text).map_err(refused)?;
            self.record.clear();
            for place in &self.places {
                let key = place.and_then(|place| self.names.get(place));
                let value = key.and_then(|key| object.get(key)).unwrap_or(&Value::Null);
                let text = text(value).ok_or_else(|| {
                    refused(format!(
                        "field {:?} holds an object",
                        key.map_or("", String::as_str)
                    ))
                })?;
                self.record.push(&text);
            }
            return Ok(true);
        }
    }
}

fn object(line: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// A value as text would have it; none for what is no field.
fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(elements) => {
            let elements: Option<Vec<String>> = elements.iter().map(text).collect();
            elements?.join(&ELEMENTS.to_string())
        }
        Value::Object(_) => return None,
    })
}
