//! Records of benchmarks on their way out: to a directory, and as text or JSON to the terminal.

use std::path::Path;

use s3rec_bench::Document;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::RecordArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Keeps a measurement where it was asked for, and shows it.
pub(super) fn conclude<T: Serialize>(
    bench: &str,
    record: &RecordArgs,
    repeats: u32,
    body: T,
    output: Output,
    text: impl FnOnce(&T) -> String,
) -> Result<Document<T>, Failure> {
    let label = record.label.as_deref().unwrap_or_default();
    let document = Document::new(bench, label, record.quick, repeats.into(), body);
    if let Some(directory) = &record.out {
        document.write(directory)?;
    }
    output.value(&json(&document)?, || text(&document.body))?;
    Ok(document)
}

/// A record as a JSON value.
pub(super) fn json(report: &impl Serialize) -> Result<Value, Failure> {
    let failed = Failure::at("the benchmark's record");
    serde_json::to_value(report).map_err(|error| failed(error.into()))
}

/// Writes a file, naming it when that fails.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(Failure::at(path))
}
