//! The reference of all settings, from the types that read them: `reference.md` must be what they say.

use std::fmt::Write;
use std::path::Path;

use schemars::{JsonSchema, Schema, schema_for};
use serde_json::Value;

use super::{RatingSettings, SocialSettings};

/// A setting of one of the two daemons.
#[derive(PartialEq)]
struct Row {
    section: String,
    line: String,
}

#[test]
fn the_reference_is_what_the_types_say() {
    let rating = rows(&schema_for!(RatingSettings));
    let social = rows(&schema_for!(SocialSettings));
    let mut page = String::from(
        "# Settings\n\nEvery setting of the configuration file of both daemons, with its default. \
         `S3REC_SECTION__KEY` in the environment and `--set section.key=value` override the file; \
         paths are relative to it.\n",
    );
    let mut section = None;
    let ours = rating
        .iter()
        .map(|row| (row, social.contains(row), "rating"));
    let theirs = social.iter().filter(|row| !rating.contains(row));
    let theirs = theirs.map(|row| (row, false, "social"));
    let mut all: Vec<_> = ours.chain(theirs).collect();
    // As the file is written: sections in their order, what both platforms have first.
    let order: Vec<&str> = rating.iter().map(|row| row.section.as_str()).collect();
    all.sort_by_key(|(row, _, _)| order.iter().position(|name| *name == row.section));
    for (row, shared, platform) in all {
        if section != Some(&row.section) {
            section = Some(&row.section);
            let title = match row.section.as_str() {
                "" => "At the top".to_owned(),
                name => format!("`[{name}]`"),
            };
            write!(
                page,
                "\n## {title}\n\n| key | at | default | meaning |\n|---|---|---|---|\n"
            )
            .unwrap();
        }
        let at = if shared { "both" } else { platform };
        writeln!(page, "{}", row.line.replace("{at}", at)).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/reference.md");
    if std::env::var_os("S3REC_WRITE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap() == page,
        "src/config/reference.md is not what the types say: \
         S3REC_WRITE=1 cargo test --workspace --lib the_reference_is_what writes it"
    );
}

fn rows(schema: &Schema) -> Vec<Row> {
    let root = schema.as_value();
    let mut rows = Vec::new();
    collect(root, root, "", &Value::Null, &mut rows);
    rows.sort_by_key(|row| !row.section.is_empty());
    rows
}

/// The properties of `schema`, those of sections below after its own.
fn collect(root: &Value, schema: &Value, section: &str, defaults: &Value, rows: &mut Vec<Row>) {
    let Some(properties) = resolve(root, schema)["properties"].as_object() else {
        return;
    };
    let required = resolve(root, schema)["required"].as_array();
    for (key, property) in properties {
        let target = resolve(root, property);
        let default = match &property["default"] {
            Value::Null => &defaults[key],
            given => given,
        };
        if target["properties"].is_object() {
            collect(root, target, key, default, rows);
            continue;
        }
        let is_required = required.is_some_and(|names| names.iter().any(|name| name == key));
        let shown = match default {
            Value::Null if is_required => "must be given".to_owned(),
            Value::Null => "none".to_owned(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let meaning = property["description"].as_str().unwrap_or_default();
        rows.push(Row {
            section: section.to_owned(),
            line: format!(
                "| `{key}` | {{at}} | {shown} | {} |",
                meaning.replace('\n', " ")
            ),
        });
    }
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'));
    reference
        .and_then(|pointer| root.pointer(pointer))
        .unwrap_or(schema)
}

/// A type that derives the schema in tests alone must still describe itself.
#[test]
fn every_setting_has_a_meaning() {
    fn without_meaning<T: JsonSchema>() -> Vec<String> {
        rows(&schema_for!(T))
            .into_iter()
            .filter(|row| row.line.ends_with("|  |"))
            .map(|row| row.line)
            .collect()
    }
    assert_eq!(without_meaning::<RatingSettings>(), [""; 0]);
    assert_eq!(without_meaning::<SocialSettings>(), [""; 0]);
}
