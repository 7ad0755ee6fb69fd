//! Entries as lines of JSON: bytes in hexadecimal, fields by name.

use serde_json::{Map, json};

use crate::{Entry, Value};

/// One entry as a JSON value; `hash` is its own.
#[must_use]
pub fn to_json(entry: &Entry, hash: &[u8; 32]) -> serde_json::Value {
    let fields: Map<String, serde_json::Value> = entry
        .fields
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Number(number) => json!(number),
                Value::Text(text) => json!(text),
                Value::Bytes(bytes) => json!(hexadecimal(bytes)),
            };
            (name.clone(), value)
        })
        .collect();
    json!({
        "sequence": entry.sequence,
        "time_unix_ms": entry.time_unix_ms,
        "kind": entry.kind.name(),
        "fields": fields,
        "previous": hexadecimal(&entry.previous),
        "hash": hexadecimal(hash),
    })
}

/// Bytes as people compare them.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
