//! What a place is called, and what messages call it, without secrets.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::error::{SourceError, Trouble};

/// Names standard input in place of a file.
const STANDARD_INPUT: &str = "-";
/// What can be named, for messages.
const PLACES: &str = "name a file, or postgres://, s3://, gs://, az:// or file://";

/// Somewhere, as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `-`.
    StandardInput,
    /// A file, a folder or a pattern.
    Path(PathBuf),
    /// `postgres://…`, which may hold a password.
    Postgres(String),
    /// An object, or all below a prefix.
    Objects(ObjectPlace),
}

/// Whose object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `s3://`.
    S3,
    /// `gs://`.
    Gcs,
    /// `az://`.
    Azure,
}

/// `s3://bucket/key`, `gs://bucket/key` or `az://container/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPlace {
    /// Whose.
    pub service: Service,
    /// Or container.
    pub bucket: String,
    /// Empty: the whole bucket.
    pub key: String,
}

impl Place {
    /// The place that `path` names.
    ///
    /// # Errors
    /// [`Trouble::Place`] for a URL that is none of those that are read.
    pub fn named(path: &Path) -> Result<Self, SourceError> {
        if path.as_os_str() == STANDARD_INPUT {
            return Ok(Self::StandardInput);
        }
        let Some((scheme, rest)) = url(path) else {
            return Ok(Self::Path(path.to_owned()));
        };
        let refused = |what: String, remedy: &str| {
            SourceError::new(&shown(path), Trouble::Place, what, remedy)
        };
        let objects = |service| {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() || rest.contains(['?', '#']) || bucket.contains(['@', ':']) {
                let remedy =
                    "write SERVICE://BUCKET/KEY; keys and endpoints come from the environment";
                return Err(refused("this names no bucket and key".into(), remedy));
            }
            Ok(Self::Objects(ObjectPlace {
                service,
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            }))
        };
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres(format!("{scheme}://{rest}"))),
            "s3" => objects(Service::S3),
            "gs" => objects(Service::Gcs),
            "az" => objects(Service::Azure),
            "file" => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                let decoded = percent_decode_str(path).decode_utf8();
                match decoded {
                    Ok(path) if path.starts_with('/') => Ok(Self::Path(path.into_owned().into())),
                    _ => {
                        let what = "this names no file of this machine";
                        Err(refused(what.into(), "write file:///FOLDER/FILE"))
                    }
                }
            }
            "http" | "https" => {
                let what = format!("{scheme}:// is not read");
                Err(refused(
                    what,
                    "fetch it and import it from a pipe: curl … | s3rec … import -",
                ))
            }
            _ => Err(refused(format!("{scheme}:// is not read"), PLACES)),
        }
    }

    /// The path on this machine, where it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }
}

impl ObjectPlace {
    /// How people write it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}", self.root(), self.key)
    }

    /// What stands before every key.
    pub(crate) fn root(&self) -> String {
        let scheme = match self.service {
            Service::S3 => "s3",
            Service::Gcs => "gs",
            Service::Azure => "az",
        };
        format!("{scheme}://{}/", self.bucket)
    }
}

/// Whether `path` is a URL, and not a path on this machine.
#[must_use]
pub fn is_url(path: &Path) -> bool {
    url(path).is_some()
}

/// The scheme and the rest of a URL.
fn url(path: &Path) -> Option<(&str, &str)> {
    let (scheme, rest) = path.to_str()?.split_once("://")?;
    let mut letters = scheme.chars();
    let is_scheme = letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c));
    is_scheme.then_some((scheme, rest))
}

/// What messages call a place: no password, and no parameter, which may be one.
#[must_use]
pub fn shown(path: &Path) -> String {
    if path.as_os_str() == STANDARD_INPUT {
        return "standard input".to_owned();
    }
    let Some((scheme, rest)) = url(path) else {
        return path.display().to_string();
    };
    let rest = rest.split("password=").next().unwrap_or_default();
    // A host follows the last @, whatever a password holds.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (user.split([':', '/', '?']).next().unwrap_or_default(), rest),
        None => ("", rest),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, below) = match rest.split_once('/') {
        Some((host, below)) => (host, format!("/{below}")),
        None => (rest, String::new()),
    };
    // Where the host was forgotten, a password stands where a port should.
    let hosts: Vec<&str> = host
        .split(',')
        .map(|host| match host.rsplit_once(':') {
            Some((name, port)) if !port.chars().all(|c| c.is_ascii_digit()) => name,
            _ => host,
        })
        .collect();
    let at = if user.is_empty() { "" } else { "@" };
    format!("{scheme}://{user}{at}{}{below}", hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_their_scheme() {
        let named = |text: &str| Place::named(Path::new(text));
        assert_eq!(named("-").unwrap(), Place::StandardInput);
        assert_eq!(named("a/b.tsv").unwrap(), Place::Path("a/b.tsv".into()));
        assert_eq!(
            named("file:///a/b%20c").unwrap(),
            Place::Path("/a/b c".into())
        );
        let Place::Objects(found) = named("gs://bucket/a/b*").unwrap() else {
            panic!("no object")
        };
        assert_eq!(
            (found.bucket.as_str(), found.key.as_str()),
            ("bucket", "a/b*")
        );
        assert_eq!(found.name(), "gs://bucket/a/b*");
        assert!(matches!(named("postgresql://h/d"), Ok(Place::Postgres(_))));
        for (text, part) in [
            ("mysql://h/d", "mysql:// is not read"),
            ("https://h/ratings.csv", "curl"),
            ("s3://", "no bucket"),
            ("s3://key:secret@bucket/a", "no bucket"),
            ("az://c/a?sig=secret", "no bucket"),
            ("file://elsewhere/a", "file:///"),
        ] {
            let refused = named(text).unwrap_err();
            assert_eq!(refused.trouble, Trouble::Place);
            let said = refused.to_string();
            assert!(said.contains(part) && !said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        for (text, expected) in [
            ("-", "standard input"),
            ("a/b@c?d", "a/b@c?d"),
            ("postgres://ann@h:5432/d", "postgres://ann@h:5432/d"),
            ("postgres://ann:secret@h/d", "postgres://ann@h/d"),
            (
                "postgres://ann:se/c@r?et@h1,h2:1/d",
                "postgres://ann@h1,h2:1/d",
            ),
            ("postgres://h/d?password=secret", "postgres://h/d"),
            (
                "postgres://h/d?sslmode=disable&password=secret@x",
                "postgres://h/d",
            ),
            ("postgres://ann:secret", "postgres://ann"),
            ("az://c/a?sig=secret", "az://c/a"),
        ] {
            let shown = shown(Path::new(text));
            assert_eq!(shown, expected);
        }
    }
}
