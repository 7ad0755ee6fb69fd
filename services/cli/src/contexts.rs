//! Contexts: which platforms `s3rec rating` and `s3rec social` mean when nothing else says so.
//!
//! They are kept in `contexts.toml` of `$XDG_CONFIG_HOME/s3rec` (`~/.config/s3rec`), and name client
//! files; without one in use `client.toml` beside it is the client file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use s3rec_node::pki::CertificateRole;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// All contexts, and the one in use.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// Name of the one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// By name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

/// Client files of one pair of platforms, or of the one that its user operates.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Of the rating platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<PathBuf>,
    /// Of the social platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub social: Option<PathBuf>,
}

impl Context {
    /// The client file for operators of that role.
    #[must_use]
    pub fn file(&self, operator: CertificateRole) -> Option<&PathBuf> {
        match operator {
            CertificateRole::Rating | CertificateRole::RatingOperator => self.rating.as_ref(),
            CertificateRole::Social | CertificateRole::SocialOperator => self.social.as_ref(),
        }
    }
}

impl Contexts {
    /// Reads them; none where there is no file.
    ///
    /// # Errors
    /// [`Failure::File`]; [`Failure::Usage`] naming the line of a file that is none.
    pub fn read(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join("contexts.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Failure::File { path, source }),
        }
    }

    /// Writes them, whole or not at all.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub fn write(&self, directory: &Path) -> Result<PathBuf, Failure> {
        let path = directory.join("contexts.toml");
        let failed = Failure::at(&path);
        let text =
            toml::to_string_pretty(self).map_err(|error| failed(std::io::Error::other(error)))?;
        std::fs::create_dir_all(directory).map_err(&failed)?;
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(&failed)?;
        file.write_all(text.as_bytes()).map_err(&failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }

    /// The client file for operators of that role: of the context `name`, or without one of the one
    /// in use, or `client.toml`; `None` where there is none of these.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a context that is not there or not for this platform.
    pub fn client_file(
        directory: &Path,
        name: Option<&str>,
        operator: CertificateRole,
    ) -> Result<Option<PathBuf>, Failure> {
        let contexts = Self::read(directory)?;
        let Some(name) = name.or(contexts.current.as_deref()) else {
            let usual = directory.join("client.toml");
            return Ok(usual.is_file().then_some(usual));
        };
        let context = contexts.named(name)?;
        match context.file(operator) {
            Some(file) => Ok(Some(file.clone())),
            None => {
                let platform = operator.name().trim_end_matches("-operator");
                Err(Failure::Usage(format!(
                    "the context {name} has no client file for the {platform} platform; add it with: \
                     s3rec context add {name} --{platform} FILE"
                )))
            }
        }
    }

    /// The context of that name.
    ///
    /// # Errors
    /// [`Failure::Usage`] naming those that are there.
    pub fn named(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let there = match names.is_empty() {
                true => "there are none; s3rec init and s3rec context add make them".to_owned(),
                false => format!("there are {}", names.join(", ")),
            };
            Failure::Usage(format!("there is no context {name:?}: {there}"))
        })
    }
}

/// Where the person's own files of s3rec are: `$XDG_CONFIG_HOME/s3rec`, or `~/.config/s3rec`.
///
/// `None` for a process without either variable.
#[must_use]
pub fn directory() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        // A relative one is to be ignored, says the specification.
        path.is_absolute().then_some(path)
    };
    let home = || Some(absolute("HOME")?.join(".config"));
    Some(absolute("XDG_CONFIG_HOME").or_else(home)?.join("s3rec"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATING: CertificateRole = CertificateRole::RatingOperator;
    const SOCIAL: CertificateRole = CertificateRole::SocialOperator;

    #[test]
    fn the_context_in_use_names_the_client_file_of_either_platform() {
        let home = tempfile::tempdir().unwrap();
        let of = |name, operator| Contexts::client_file(home.path(), name, operator);
        assert_eq!(of(None, RATING).unwrap(), None);
        std::fs::write(home.path().join("client.toml"), "").unwrap();
        assert_eq!(
            of(None, RATING).unwrap(),
            Some(home.path().join("client.toml"))
        );
        let mut contexts = Contexts::default();
        let pilot = Context {
            rating: Some("/pilot/rating/client.toml".into()),
            social: None,
        };
        contexts.contexts.insert("pilot".into(), pilot);
        contexts.current = Some("pilot".into());
        contexts.write(home.path()).unwrap();
        assert_eq!(Contexts::read(home.path()).unwrap(), contexts);
        let file = of(None, RATING).unwrap();
        assert_eq!(file, Some("/pilot/rating/client.toml".into()));
        let refused = of(None, SOCIAL).unwrap_err().to_string();
        assert!(
            refused.contains("context add pilot --social FILE"),
            "{refused}"
        );
        let refused = of(Some("pilt"), RATING).unwrap_err().to_string();
        assert!(
            refused.contains("pilt") && refused.contains("there are pilot"),
            "{refused}"
        );
    }
}
