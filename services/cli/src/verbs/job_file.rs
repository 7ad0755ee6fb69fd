//! `s3rec rating run`: an import and a job as a file says them, for cron and the like.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use serde::Deserialize;
use toml::{Table, Value};

use super::{importing, rating, rating_text};
use crate::arguments::{Arguments, Command, ImportRatingsArgs, ProposeArgs, RatingVerb, RunArgs};
use crate::client;
use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::output::{Output, note};

/// Settings that are paths, relative to the file.
const PATHS: [&str; 3] = ["file", "users", "settings"];

/// The file: sections named like the verbs, settings like their flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobFile {
    /// Client file, relative to this one; as the command line says it unless given.
    client: Option<std::path::PathBuf>,
    /// What to import before; nothing unless given.
    import: Option<Table>,
    /// What to propose.
    propose: Table,
}

/// What a file asks for.
#[derive(Debug)]
struct Asked {
    import: Option<ImportRatingsArgs>,
    propose: Box<ProposeArgs>,
}

/// Imports, proposes, waits for the decision, and follows the job to its end.
///
/// # Errors
/// [`Failure::Usage`] naming file, section and setting before anything is sent; then as `import` and
/// `propose --start`.
pub(super) async fn run(arguments: RunArgs, output: Output) -> Result<(), Failure> {
    let asked = read(&arguments.file, &arguments.connection)?;
    if let Some(import) = asked.import {
        let source = importing::ratings(&import, output)?;
        let mut client = rating::connect(import.connection).await?;
        let imported = client::import_ratings(&mut client, &source).await?;
        // The job's events are the one document on stdout.
        note(&rating_text::imported(&imported));
    }
    rating::propose(*asked.propose, output).await
}

fn read(path: &Path, connection: &ConnectionArgs) -> Result<Asked, Failure> {
    let bad = |what: String| Failure::Usage(format!("job file {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let file: JobFile = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut connection = connection.clone();
    if connection.client.is_none() && connection.context.is_none() {
        connection.client = file.client.map(|client| folder.join(client));
    }
    let parsed = |verb: &str, table: &Table| {
        let line = line(verb, table, folder).map_err(|what| bad(format!("[{verb}] {what}")))?;
        let arguments = Arguments::try_parse_from(line).map_err(|error| {
            let text = error.to_string();
            let said = text.split("\n\n").next().unwrap_or_default();
            bad(format!("[{verb}] {}", said.trim_start_matches("error: ")))
        })?;
        match arguments.command {
            Command::Rating(command) => Ok(command.verb),
            _ => Err(bad(format!("[{verb}] is no verb of the rating platform"))),
        }
    };
    let import = match &file.import {
        Some(table) => match parsed("import", table)? {
            RatingVerb::Import(mut import) => {
                import.connection = connection.clone();
                import.file.yes = true;
                Some(import)
            }
            _ => None,
        },
        None => None,
    };
    match parsed("propose", &file.propose)? {
        RatingVerb::Propose(mut propose) => {
            propose.connection = connection;
            propose.start = !propose.wait;
            Ok(Asked { import, propose })
        }
        _ => Err(bad("[propose] is missing".to_owned())),
    }
}

/// The command line that says the same.
fn line(verb: &str, table: &Table, folder: &Path) -> Result<Vec<OsString>, String> {
    let mut line: Vec<OsString> = ["s3rec", "rating", verb].map(Into::into).into();
    let mut file = None;
    for (key, value) in table {
        let mut said = values(value).ok_or_else(|| format!("{key} is a table"))?;
        if PATHS.contains(&key.as_str()) {
            for path in said.iter_mut().flatten() {
                if *path != "-" && !s3rec_sources::is_url(Path::new(path)) {
                    *path = folder.join(&*path).display().to_string();
                }
            }
        }
        if key == "file" {
            file = said.pop().flatten();
            continue;
        }
        let flag = key.replace('_', "-");
        for value in said {
            line.push(match value {
                Some(value) => format!("--{flag}={value}").into(),
                None => format!("--{flag}").into(),
            });
        }
    }
    if let Some(file) = file {
        line.extend(["--".into(), file.into()]);
    }
    Ok(line)
}

/// The values of a flag, `None` of one that has none; nothing of one that is not said.
fn values(value: &Value) -> Option<Vec<Option<String>>> {
    Some(match value {
        Value::Boolean(true) => vec![None],
        Value::Boolean(false) => Vec::new(),
        Value::String(text) => vec![Some(text.clone())],
        Value::Array(all) => {
            let all: Option<Vec<_>> = all.iter().map(values).collect();
            all?.into_iter().flatten().collect()
        }
        Value::Table(_) => return None,
        number => vec![Some(number.to_string())],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_says_what_flags_say() {
        let (folder, path) = written(
            "client = 'client.toml'\n[import]\nfile = 'ratings'\ncounts = true\nyes = false\n\
             [propose]\npurpose = '--nightly'\noperator = 'friends'\nmu = 0.5\nexpires_days = 3\n",
        );
        let asked = read(&path, &ConnectionArgs::default()).unwrap();
        let import = asked.import.unwrap();
        assert_eq!(import.file.file, folder.path().join("ratings"));
        assert!(import.columns.counts && import.file.yes);
        let client = folder.path().join("client.toml");
        assert_eq!(import.connection.client.as_ref(), Some(&client));
        assert_eq!(asked.propose.connection.client, Some(client));
        assert!(asked.propose.start);
        assert_eq!(asked.propose.purpose, "--nightly");
        assert_eq!(asked.propose.expires_days, 3);
        let request = asked.propose.request();
        assert_eq!(request.release_policy.unwrap().friends.unwrap().mu, 0.5);
    }

    #[test]
    fn places_elsewhere_are_no_paths_beside_it() {
        let (folder, path) = written(
            "[import]\nfile = 'postgres://ann@h/d'\nquery = 'SELECT 1 -- \"a=b\"'\nusers = 's3://b/k'\n\
             [propose]\npurpose = 'x'\n",
        );
        let file = read(&path, &ConnectionArgs::default()).unwrap();
        let file = file.import.unwrap().file;
        assert_eq!(file.file, Path::new("postgres://ann@h/d"));
        assert_eq!(file.query, "SELECT 1 -- \"a=b\"");
        assert_eq!(file.roster.users.as_deref(), Some(Path::new("s3://b/k")));
        drop(folder);
    }

    #[test]
    fn what_it_says_wrong_is_named_with_its_section() {
        for (text, named) in [
            (
                "[propose]\npurpose = 'x'\nronk = 4\n",
                "[propose] unexpected argument '--ronk'",
            ),
            ("[propose]\nrank = 4\n", "--purpose"),
            ("[propose]\npurpose = 'x'\nrank = 'four'\n", "four"),
            (
                "[propose]\npurpose = 'x'\n[propose.rank]\n",
                "rank is a table",
            ),
            (
                "[import]\ncounts = true\n[propose]\npurpose = 'x'\n",
                "[import]",
            ),
            ("[imports]\n[propose]\n", "imports"),
            ("", "propose"),
        ] {
            let (_folder, path) = written(text);
            let refused = read(&path, &ConnectionArgs::default())
                .unwrap_err()
                .to_string();
            assert!(
                refused.contains(named) && refused.contains("job.toml"),
                "{text}: {refused}"
            );
        }
    }
}
