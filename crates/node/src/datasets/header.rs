//! How a file is to be read, as the header of its upload says: what both platforms share of it.

use std::path::Path;

use s3rec_data::{Column, DataError, Delimiter, Header, IdRule};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::FileHeader;

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
    pub(super) fn fault(self, path: &Path, header: &FileHeader) -> Fault {
        let error = match self {
            Self::Header(fault) => return fault,
            Self::File(error) => error,
        };
        let message = error.to_string();
        let message = message.replace(&path.display().to_string(), &header.file_name);
        match error {
            DataError::TooLarge { .. } => Fault::new(Reason::LimitExceeded, message)
                .remedied_by("The limit is limits.import_bytes."),
            _ => Fault::new(Reason::InvalidFile, message),
        }
        .at("file", &header.file_name)
    }
}

/// Which character is between fields.
///
/// # Errors
/// [`Reason::InvalidRequest`].
pub fn delimiter(header: &FileHeader) -> Result<Delimiter, Fault> {
    let named = Delimiter::named(&header.delimiter, Path::new(&header.file_name));
    named.map_err(|error| invalid(&error, "delimiter"))
}

/// Whether the first row names the columns.
#[must_use]
pub fn first_row(header: &FileHeader) -> Header {
    match header.has_header {
        true => Header::Present,
        false => Header::Detect,
    }
}

/// A column of the field `field`, by default the one at `default`, counted from 0.
///
/// # Errors
/// [`Reason::InvalidRequest`].
pub fn column(text: &str, default: usize, field: &str) -> Result<Column, Fault> {
    Column::named(text, default).map_err(|error| invalid(&error, field))
}

/// A column that may be absent.
///
/// # Errors
/// [`Reason::InvalidRequest`].
pub fn optional_column(text: &str, field: &str) -> Result<Option<Column>, Fault> {
    Column::optional(text).map_err(|error| invalid(&error, field))
}

/// Refuses a file two of whose fields would be read from one column.
///
/// # Errors
/// [`Reason::InvalidRequest`] naming the second of them.
pub fn distinct(columns: &[(&str, Option<&Column>)]) -> Result<(), Fault> {
    for (place, (field, column)) in columns.iter().enumerate() {
        let before = columns.iter().take(place);
        let twin = before
            .clone()
            .find(|(_, other)| column.is_some() && other == column);
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
