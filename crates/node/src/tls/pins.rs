//! Which certificates the other platform may present.

use std::path::{Path, PathBuf};

use super::TlsError;
use crate::pki::Pin;

/// Most pins in a file: the present certificate, the next, and room for a mistake.
const MOST_PINS: usize = 8;

/// Where the pins are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinSource {
    /// `peer.pin`: one, until the daemon starts again.
    Fixed(Pin),
    /// `peer.pin_file`: one a line, read again when the file changes. A line may be empty or
    /// begin with `#`.
    File(PathBuf),
}

impl PinSource {
    /// Of the two settings exactly one.
    ///
    /// # Errors
    /// [`TlsError::Pins`] with both or neither.
    pub fn of(pin: Option<Pin>, file: Option<&Path>) -> Result<Self, TlsError> {
        match (pin, file) {
            (Some(pin), None) => Ok(Self::Fixed(pin)),
            (None, Some(file)) => Ok(Self::File(file.to_owned())),
            _ => Err(TlsError::Pins),
        }
    }

    /// The file, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Fixed(_) => None,
            Self::File(path) => Some(path),
        }
    }

    /// The pins now.
    ///
    /// # Errors
    /// [`TlsError::File`], [`TlsError::PinFile`].
    pub fn read(&self) -> Result<Vec<Pin>, TlsError> {
        let path = match self {
            Self::Fixed(pin) => return Ok(vec![*pin]),
            Self::File(path) => path,
        };
        let text = std::fs::read_to_string(path).map_err(TlsError::at(path))?;
        let wrong = |detail: String| TlsError::PinFile {
            path: path.clone(),
            detail,
        };
        let lines = text.lines().map(str::trim);
        let pins: Vec<Pin> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                line.parse::<Pin>()
                    .map_err(|error| wrong(error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        match pins.len() {
            0 => Err(wrong("it names no pin".into())),
            1..=MOST_PINS => Ok(pins),
            count => Err(wrong(format!("it names {count} pins, at most {MOST_PINS}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_the_present_pin_and_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peer.pin");
        let source = PinSource::File(path.clone());
        let (one, two) = (Pin::of(b"one"), Pin::of(b"two"));
        std::fs::write(&path, format!("# theirs\n{one}\n\n sha256:{two} \n")).unwrap();
        assert_eq!(source.read().unwrap(), [one, two]);
        for wrong in ["", "# none\n", "abc\n", &format!("{one}\n").repeat(9)] {
            std::fs::write(&path, wrong).unwrap();
            let refused = source.read().unwrap_err();
            assert!(matches!(refused, TlsError::PinFile { .. }), "{refused}");
        }
    }

    #[test]
    fn exactly_one_of_the_settings_is_given() {
        let (pin, path) = (Pin::of(b"one"), Path::new("peer.pin"));
        assert!(PinSource::of(Some(pin), None).is_ok());
        assert!(PinSource::of(None, Some(path)).is_ok());
        assert!(PinSource::of(Some(pin), Some(path)).is_err());
        assert!(PinSource::of(None, None).is_err());
    }
}
