//! Files of ratings: how they are read, committed to and reported.

use s3rec_data::{
    FileHeader, ImportedRatings, OutOfScale, RatingOptions, RatingSet, Scale, Values,
};
use s3rec_node::datasets::header::{column, delimiter, distinct, first_row, id_rule, invalid};
use s3rec_node::datasets::{Content, Files, Unread, commit_listed, commit_rows, parts};
pub(crate) use s3rec_node::process::blocking;
use s3rec_node::versions::Commitment;
use s3rec_sparse::Rating;
use s3rec_wire::status::Fault;

/// What the rating platform imports.
pub(crate) struct Ratings;

impl Content for Ratings {
    const FOLDER: &'static str = "ratings";
    const ROWS: &'static str = "ratings";
    const PARTS: &'static [&'static str] = &[parts::USERS];
    type Data = RatingSet;
    type Imported = ImportedRatings;

    fn read(files: &Files, header: &FileHeader, limit_bytes: u64) -> Result<RatingSet, Unread> {
        let options = RatingOptions {
            max_decompressed_bytes: limit_bytes,
            ..rating_options(header)?
        };
        let ratings = RatingSet::read(files.main(), &options)?;
        let roster = files.roster(header, limit_bytes)?;
        Ok(match roster {
            Some(roster) => ratings.with_roster(roster),
            None => ratings,
        })
    }

    /// All ratings in the order of users' and items' ids, and users who are only listed.
    fn commit(ratings: &RatingSet, commitment: &mut Commitment) -> Result<(), Fault> {
        let named = |one: &Rating| {
            let user = ratings.users.name(one.user)?;
            let item = ratings.items.name(one.item)?;
            Some((user, item, one.value.to_le_bytes()))
        };
        commit_rows(
            commitment,
            &ratings.ratings,
            named,
            |(user, item, value)| [user.as_bytes(), item.as_bytes(), value],
        )?;
        if ratings.report.roster.is_some() {
            commit_listed(commitment, &ratings.users, ratings.report.users);
        }
        Ok(())
    }

    fn imported(ratings: &RatingSet, header: &FileHeader) -> ImportedRatings {
        ImportedRatings {
            dataset: header.dataset.clone(),
            is_timestamped: !ratings.timestamps.is_empty(),
            report: ratings.report.clone(),
        }
    }

    fn sizes(imported: &ImportedRatings) -> (u64, u64) {
        let report = &imported.report;
        let listed = report.roster.as_ref();
        let listed = listed.map_or(0, |roster| roster.only_listed);
        ((report.users + listed) as u64, report.ratings as u64)
    }
}

/// How a file is to be read.
///
/// # Errors
/// [`s3rec_wire::status::Reason::InvalidRequest`] naming the field of the header that makes no sense.
pub fn rating_options(header: &FileHeader) -> Result<RatingOptions, Fault> {
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
    let user = column(&header.user_column, "user_column")?;
    let item = column(&header.item_column, "item_column")?;
    let rating = column(&header.rating_column, "rating_column")?;
    let timestamp = column(&header.timestamp_column, "timestamp_column")?;
    distinct(&[
        ("user_column", &user),
        ("item_column", &item),
        ("rating_column", &rating),
        ("timestamp_column", &timestamp),
    ])?;
    Ok(RatingOptions {
        delimiter: delimiter(header)?,
        header: first_row(header)?,
        index_column: header.index_column,
        user,
        item,
        rating,
        timestamp,
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
        ids: id_rule(header),
        ..RatingOptions::default()
    })
}
