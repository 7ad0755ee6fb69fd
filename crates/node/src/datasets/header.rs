//! How a file is to be read, as the header of its upload says: what both platforms share of it.

use s3rec_data::{Column, DataError, Delimiter, FileHeader, Header, IdRule};
use s3rec_wire::status::{Fault, Reason};

use super::Files;

/// Why a file gave no data.
#[derive(Debug)]
pub enum Unread {
    /// The header of its upload makes no sense.
    Header(Fault),
    /// The file does not read.
    File(DataError),
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Self::Header(fault)
    }
}

impl From<DataError> for Unread {
    fn from(error: DataError) -> Self {
        Self::File(error)
    }
}

impl Unread {
    /// The fault for people, who know the file by its own name and not by where it lies.
    pub(super) fn fault(self, files: &Files, header: &FileHeader) -> Fault {
        let error = match self {
            Self::Header(fault) => return fault,
            Self::File(error) => error,
        };
        let mut message = error.to_string();
        let mut named = header.file_name.as_str();
        for (path, name) in files.names(header) {
            if message.contains(&path) {
                (message, named) = (message.replace(&path, name), name);
            }
        }
        match error {
            DataError::TooLarge { .. } => Fault::new(Reason::LimitExceeded, message)
                .remedied_by("The limit is limits.import_bytes."),
            _ => Fault::new(Reason::InvalidFile, message),
        }
        .at("file", named)
    }
}

/// What stands between fields.
///
/// # Errors
/// [`Reason::InvalidRequest`].
pub fn delimiter(header: &FileHeader) -> Result<Delimiter, Fault> {
    Delimiter::named(&header.delimiter).map_err(|error| invalid(&error, "delimiter"))
}

/// Whether the first row names the columns.
///
/// # Errors
/// [`Reason::InvalidRequest`] where it is said to and not to.
pub fn first_row(header: &FileHeader) -> Result<Header, Fault> {
    match (header.has_header, header.no_header) {
        (false, false) => Ok(Header::Detect),
        (true, false) => Ok(Header::Present),
        (false, true) => Ok(Header::Absent),
        (true, true) => {
            let message = "the first row is either a header or data";
            Err(Fault::new(Reason::InvalidRequest, message).at("field", "no_header"))
        }
    }
}

/// A column of the field `field`.
///
/// # Errors
/// [`Reason::InvalidRequest`].
pub fn column(text: &str, field: &str) -> Result<Column, Fault> {
    Column::named(text).map_err(|error| invalid(&error, field))
}

/// Refuses a file two of whose fields would be read from one column.
///
/// # Errors
/// [`Reason::InvalidRequest`] naming the second of them.
pub fn distinct(columns: &[(&str, &Column)]) -> Result<(), Fault> {
    for (place, (field, column)) in columns.iter().enumerate() {
        let before = columns.iter().take(place);
        // Where the usual ones stand, the file says.
        let twin = before
            .clone()
            .find(|(_, other)| **column != Column::Usual && other == column);
        if let Some((other, _)) = twin {
            let message = format!("{field} and {other} are one column");
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", field));
        }
    }
    Ok(())
}

/// How user ids are normalised.
#[must_use]
pub fn id_rule(header: &FileHeader) -> IdRule {
    match header.fold_case {
        true => IdRule::NfcTrimCaseFold,
        false => IdRule::NfcTrim,
    }
}

/// The fault of a field that makes no sense.
#[must_use]
pub fn invalid(error: &DataError, field: &str) -> Fault {
    Fault::new(Reason::InvalidRequest, error.to_string()).at("field", field)
}
