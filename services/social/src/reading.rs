//! How a links file is to be read.

use s3rec_data::{Column, DataError, Delimiter, Header, LinkOptions, LinkShape, Weights};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::imports::rule_of;

/// How a file is to be read.
///
/// # Errors
/// [`Reason::InvalidRequest`] naming the field of the header that makes no sense.
pub fn link_options(header: &v1::FileHeader) -> Result<LinkOptions, Fault> {
    let delimiter = Delimiter::named(&header.delimiter);
    let column = |text: &str, field| Column::named(text).map_err(|error| invalid(&error, field));
    Ok(LinkOptions {
        delimiter: delimiter.map_err(|error| invalid(&error, "delimiter"))?,
        header: match (header.has_header, header.no_header) {
            (false, false) => Header::Detect,
            (true, false) => Header::Present,
            (false, true) => Header::Absent,
            (true, true) => {
                let message = "the first row is either a header or data";
                return Err(Fault::new(Reason::InvalidRequest, message).at("field", "no_header"));
            }
        },
        index_column: header.index_column,
        truster: column(&header.truster_column, "truster_column")?,
        trustee: column(&header.trustee_column, "trustee_column")?,
        weight: column(&header.weight_column, "weight_column")?,
        shape: if header.adjacency {
            LinkShape::Lists
        } else {
            LinkShape::Detect
        },
        weights: if header.any_weight {
            Weights::Any
        } else {
            Weights::Positive
        },
        undirected: header.undirected,
        decimal_comma: header.decimal_comma,
        drop_missing: header.drop_missing,
        ids: rule_of(header),
        ..LinkOptions::default()
    })
}

fn invalid(error: &DataError, field: &str) -> Fault {
    Fault::new(Reason::InvalidRequest, error.to_string()).at("field", field)
}
