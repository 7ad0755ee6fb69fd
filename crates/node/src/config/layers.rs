//! Flags over environment over file.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{PeerSettings, Settings};

/// Prefix of the environment variables; `__` stands between levels: `S3REC_PEER__PIN`.
const ENVIRONMENT_PREFIX: &str = "S3REC_";

/// Sections of the file, which is what an environment variable may name.
const SECTIONS: [&str; 11] = [
    "data_dir",
    "name",
    "operator",
    "peer",
    "tls",
    "log",
    "observability",
    "console",
    "limits",
    "retention",
    "workers",
];

/// Flags that override the file and the environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Overrides {
    /// Where the store and imported data live.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address for the people here.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub operator_listen: Option<String>,
    /// Which log lines are written, for example `info,s3rec_link=debug`.
    #[arg(long, value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// `text` or `json`.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// File of the workers that compute for this platform.
    #[arg(long, value_name = "FILE")]
    pub workers: Option<PathBuf>,
    /// Any setting, for example `peer.pin=…` or `limits.idle_seconds=60`; may be repeated.
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// Failures of reading the configuration. Each names the place to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or a field of it is unknown or of the wrong form.
    #[error("configuration file {path}: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A field is unknown, missing or of the wrong form, after all layers were applied.
    #[error("configuration {path} (with S3REC_ variables and flags applied): {source}")]
    Field {
        /// The file.
        path: PathBuf,
        /// Which and why.
        source: Box<toml::de::Error>,
    },
    /// A host to listen at that is none.
    #[error("{field}: {given:?} is neither ADDRESS:PORT nor NAME:PORT of a host: {source}")]
    Listen {
        /// The setting.
        field: String,
        /// What was given.
        given: String,
        /// Why.
        source: std::io::Error,
    },
    /// `--set` without `=`, or a variable that names a section as if it were a value.
    #[error("{given:?} overrides nothing: expected SECTION.KEY=VALUE")]
    Override {
        /// What was given.
        given: String,
    },
}

/// Reads the file and applies the environment and the flags.
///
/// # Errors
/// [`ConfigError`], also for unknown fields in any layer.
pub fn load<P: PeerSettings>(
    file: &Path,
    overrides: &Overrides,
) -> Result<Settings<P>, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::File {
        path: file.to_owned(),
        source,
    })?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    layered(file, &text, environment, overrides)
}

fn layered<P: PeerSettings>(
    file: &Path,
    text: &str,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Settings<P>, ConfigError> {
    let mut table: Table = text.parse().map_err(|source| ConfigError::Syntax {
        path: file.to_owned(),
        source: Box::new(source),
    })?;
    for (name, value) in environment {
        // Other programs of ours have variables too (S3REC_DATA); only sections are ours here.
        let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        let levels: Vec<String> = key.split("__").map(str::to_lowercase).collect();
        if levels
            .first()
            .is_some_and(|first| SECTIONS.contains(&first.as_str()))
        {
            set(&mut table, &levels, &value)?;
        }
    }
    for (key, value) in overrides.pairs()? {
        let levels: Vec<String> = key.split('.').map(String::from).collect();
        set(&mut table, &levels, &value)?;
    }
    super::named::resolve(&mut table)?;
    let mut settings: Settings<P> = table
        .try_into()
        .map_err(|source| in_its_place::<P>(file, text, source))?;
    settings.rebase(file.parent().unwrap_or(Path::new("")));
    Ok(settings)
}

/// A field that is wrong in the file itself is told with its line; one that a variable or a flag has
/// set has none.
fn in_its_place<P: PeerSettings>(file: &Path, text: &str, found: toml::de::Error) -> ConfigError {
    let path = file.to_owned();
    match toml::from_str::<Settings<P>>(text) {
        Err(source) if source.message() == found.message() => ConfigError::Syntax {
            path,
            source: Box::new(source),
        },
        _ => ConfigError::Field {
            path,
            source: Box::new(found),
        },
    }
}

impl Overrides {
    fn pairs(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let mut pairs = Vec::new();
        for given in &self.set {
            let (key, value) = given.split_once('=').ok_or_else(|| ConfigError::Override {
                given: given.clone(),
            })?;
            pairs.push((key.trim().to_owned(), value.trim().to_owned()));
        }
        // Unlike in the file, relative to wherever the command was given.
        let from_here = |path: &PathBuf| {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            path.to_string_lossy().into_owned()
        };
        let named = [
            ("data_dir", self.data_dir.as_ref().map(from_here)),
            ("workers", self.workers.as_ref().map(from_here)),
            ("operator.listen", self.operator_listen.clone()),
            ("log.filter", self.log_filter.clone()),
            ("log.format", self.log_format.clone()),
        ];
        for (key, value) in named {
            pairs.extend(value.map(|value| (key.to_owned(), value)));
        }
        Ok(pairs)
    }
}

/// Sections whose values are numbers; no other has any.
const NUMBERS: [&str; 2] = ["limits", "retention"];

/// Sets one value, making tables on the way.
fn set(table: &mut Table, levels: &[String], value: &str) -> Result<(), ConfigError> {
    let refused = || ConfigError::Override {
        given: format!("{}={value}", levels.join(".")),
    };
    let (last, parents) = levels.split_last().ok_or_else(refused)?;
    let mut table = table;
    for parent in parents {
        let entry = table
            .entry(parent.clone())
            .or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(refused)?;
    }
    if matches!(table.get(last), Some(Value::Table(_))) {
        return Err(refused());
    }
    let number = value.parse::<i64>().ok();
    let value = match number {
        Some(number)
            if parents
                .first()
                .is_some_and(|first| NUMBERS.contains(&first.as_str())) =>
        {
            Value::Integer(number)
        }
        _ => Value::String(value.to_owned()),
    };
    table.insert(last.clone(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{LogFormat, RatingPeer, RatingSettings};
    use super::*;

    const FILE: &str = r#"
        data_dir = "state"
        name = "rating.example"
        [operator]
        listen = "127.0.0.1:0"
        [peer]
        address = "https://127.0.0.1:7201"
        pin = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        [tls]
        ca = "ca.pem"
        certificate = "/keys/rating.pem"
        key = "rating.key"
    "#;

    fn read(
        text: &str,
        environment: &[(&str, &str)],
        overrides: &Overrides,
    ) -> Result<RatingSettings, ConfigError> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        layered::<RatingPeer>(
            Path::new("/etc/s3rec/rating.toml"),
            text,
            environment,
            overrides,
        )
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let settings = read(FILE, &[], &Overrides::default()).unwrap();
        assert_eq!(settings.data_dir, Path::new("/etc/s3rec/state"));
        assert_eq!(settings.tls.certificate, Path::new("/keys/rating.pem"));
    }

    #[test]
    fn flags_override_environment_overrides_file() {
        let environment = [
            ("S3REC_NAME", "from-environment"),
            ("S3REC_LOG__FORMAT", "json"),
            ("S3REC_LIMITS__IDLE_SECONDS", "7"),
            ("S3REC_DATA", "/somewhere"),
        ];
        let overrides = Overrides {
            set: vec!["limits.idle_seconds=9".into()],
            ..Overrides::default()
        };
        let settings = read(FILE, &environment, &overrides).unwrap();
        assert_eq!(settings.name, "from-environment");
        assert_eq!(settings.log.format, LogFormat::Json);
        assert_eq!(settings.limits.idle_seconds, 9);
    }

    #[test]
    fn every_section_may_be_named_by_a_variable() {
        let environment = [("S3REC_OBSERVABILITY__LISTEN", "127.0.0.1:9464")];
        let settings = read(FILE, &environment, &Overrides::default()).unwrap();
        let listen = settings.observability.listen.unwrap();
        assert_eq!(listen.to_string(), "127.0.0.1:9464");

        // What serde expects are the fields there are.
        let unknown = read(&format!("x = 1\n{FILE}"), &[], &Overrides::default());
        let message = unknown.unwrap_err().to_string();
        let (_, expected) = message.split_once("expected one of ").unwrap();
        let line = expected.lines().next().unwrap();
        let mut fields: Vec<&str> = line
            .split(", ")
            .map(|field| field.trim_matches('`'))
            .collect();
        let mut sections = SECTIONS.to_vec();
        fields.sort_unstable();
        sections.sort_unstable();
        assert_eq!(fields, sections);
    }

    #[test]
    fn unknown_fields_are_refused_in_every_layer() {
        let in_file = format!("colour = 1\n{FILE}");
        assert!(matches!(
            read(&in_file, &[], &Overrides::default()),
            Err(ConfigError::Syntax { .. })
        ));
        let message = read(&in_file, &[], &Overrides::default());
        let message = message.unwrap_err().to_string();
        assert!(
            message.contains("line 1") && message.contains("colour"),
            "{message}"
        );
        let in_environment = [("S3REC_PEER__PINN", "x")];
        assert!(read(FILE, &in_environment, &Overrides::default()).is_err());
        let in_flags = Overrides {
            set: vec!["tls.kay=x".into()],
            ..Overrides::default()
        };
        assert!(read(FILE, &[], &in_flags).is_err());
    }

    #[test]
    fn a_section_cannot_be_overwritten_by_a_value() {
        let environment = [("S3REC_TLS", "x")];
        assert!(matches!(
            read(FILE, &environment, &Overrides::default()),
            Err(ConfigError::Override { .. })
        ));
    }
}
