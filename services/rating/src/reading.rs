//! How a ratings file is to be read, and what is told of it.

use s3rec_data::{
    Column, DataError, Delimiter, Header, OutOfScale, RatingOptions, RatingReport, Scale, Values,
};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::imports::rule_of;

/// How a file is to be read.
///
/// # Errors
/// [`Reason::InvalidRequest`] naming the field of the header that makes no sense.
pub fn rating_options(header: &v1::FileHeader) -> Result<RatingOptions, Fault> {
    let delimiter = Delimiter::named(&header.delimiter);
    let column = |text: &str, field| Column::named(text).map_err(|error| invalid(&error, field));
    let scale = match (header.scale_min, header.scale_max) {
        (0.0, 0.0) => None,
        (min, max) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "ratings are single precision"
            )]
            let scale = Scale::new(min as f32, max as f32);
            Some(scale.map_err(|error| invalid(&error, "scale_min"))?)
        }
    };
    Ok(RatingOptions {
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
        user: column(&header.user_column, "user_column")?,
        item: column(&header.item_column, "item_column")?,
        rating: column(&header.rating_column, "rating_column")?,
        timestamp: column(&header.timestamp_column, "timestamp_column")?,
        decimal_comma: header.decimal_comma,
        drop_missing: header.drop_missing,
        values: if header.counts {
            Values::Counts
        } else {
            Values::Ratings
        },
        scale,
        out_of_scale: if header.drop_out_of_scale {
            OutOfScale::Drop
        } else {
            OutOfScale::Refuse
        },
        ids: rule_of(header),
        ..RatingOptions::default()
    })
}

/// What the operators are told of how a file was read.
pub(crate) fn told(report: &RatingReport) -> v1::DataReading {
    v1::DataReading {
        sample_items: report.sample_items.clone(),
        ..s3rec_node::reading::told(&report.reading)
    }
}

fn invalid(error: &DataError, field: &str) -> Fault {
    Fault::new(Reason::InvalidRequest, error.to_string()).at("field", field)
}
