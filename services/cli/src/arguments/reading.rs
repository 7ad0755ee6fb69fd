//! How data files are read: the same options wherever a command reads one.

use std::path::PathBuf;

use clap::Args;
use s3rec_data::{
    Column, IdRule, LinkOptions, LinkSet, RatingOptions, RatingSet, Roster, RosterOptions,
};
use s3rec_wire::convert::file_header_from_wire;

use crate::client::{Columns, FileSource, UsersFile};
use crate::failure::Failure;

/// How a file of text is laid out.
#[derive(Args, Clone, Debug, Default)]
pub struct TextArgs {
    /// What stands between fields: tab, ',', ';', '|', '::' or spaces; told from the first lines
    /// unless given.
    #[arg(long, value_name = "DELIMITER", value_parser = delimiter, default_value = "",
          hide_default_value = true, allow_hyphen_values = true)]
    pub delimiter: String,
    /// The first row names the columns; told from the row unless given.
    #[arg(long)]
    pub header: bool,
    /// The first row is data.
    #[arg(long, conflicts_with = "header")]
    pub no_header: bool,
    /// The first column only numbers the rows, as pandas and R write it.
    #[arg(long)]
    pub index_column: bool,
}

/// How the links file is laid out, where a ratings file is given too.
#[derive(Args, Clone, Debug, Default)]
pub struct LinksTextArgs {
    /// As --delimiter, of the links file.
    #[arg(long, value_name = "DELIMITER", value_parser = delimiter, default_value = "",
          hide_default_value = true, allow_hyphen_values = true)]
    pub links_delimiter: String,
    /// As --header, of the links file.
    #[arg(long)]
    pub links_header: bool,
    /// As --no-header, of the links file.
    #[arg(long, conflicts_with = "links_header")]
    pub links_no_header: bool,
    /// As --index-column, of the links file.
    #[arg(long)]
    pub links_index_column: bool,
}

impl From<&LinksTextArgs> for TextArgs {
    fn from(arguments: &LinksTextArgs) -> Self {
        Self {
            delimiter: arguments.links_delimiter.clone(),
            header: arguments.links_header,
            no_header: arguments.links_no_header,
            index_column: arguments.links_index_column,
        }
    }
}

/// How values are written.
#[derive(Args, Clone, Debug, Default)]
pub struct ValueArgs {
    /// Numbers have a decimal comma, and perhaps points between thousands: 1.234,5.
    #[arg(long)]
    pub decimal_comma: bool,
    /// Drop and count rows without a rating or weight (empty, NULL, NA, \N), or with a count of 0,
    /// instead of refusing the file.
    #[arg(long)]
    pub drop_missing: bool,
    /// Upper and lower case of user ids count alike; both platforms must do the same.
    #[arg(long)]
    pub fold_case: bool,
}

/// Where the fields of ratings stand, and what the ratings are.
#[derive(Args, Clone, Debug, Default)]
pub struct RatingColumnArgs {
    /// Lowest and highest value of the scale, for example 1:5; taken from the data unless given.
    #[arg(long, value_name = "MIN:MAX", value_parser = scale, allow_hyphen_values = true)]
    pub scale: Option<(f64, f64)>,
    /// Drop and count rows outside the scale instead of refusing the file.
    #[arg(long, requires = "scale")]
    pub drop_out_of_scale: bool,
    /// Column of the user, by name or by number from 1; unless given by the names that the file
    /// gives its columns, or else the first.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN"
    )]
    pub user_column: String,
    /// Column of the item; the second of a file without names.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN"
    )]
    pub item_column: String,
    /// Column of the rating; the third of a file without names.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN"
    )]
    pub rating_column: String,
    /// Column of the rating's time: seconds or milliseconds since 1970, or ISO 8601; the later of
    /// two ratings counts. `none` where a column that is named so holds no times.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN"
    )]
    pub timestamp_column: String,
    /// The rating column counts plays, purchases or the like: counts of a pair add up, and the
    /// rating is log2(1 + count).
    #[arg(long, conflicts_with = "scale")]
    pub counts: bool,
}

/// Where the fields of links stand, and what a link is.
#[derive(Args, Clone, Debug, Default)]
pub struct LinkColumnArgs {
    /// Column of who trusts or follows, by name or by number from 1; unless given by the names
    /// that the file gives its columns, or else the first.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN"
    )]
    pub truster_column: String,
    /// Column of who is trusted or followed, or of the list of them; the second of a file without
    /// names.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN"
    )]
    pub trustee_column: String,
    /// Column of a weight: rows where it is not positive are dropped, and all others count alike.
    /// `none` where a column that is named so is no weight.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN"
    )]
    pub weight_column: String,
    /// Rows of any weight are links, also of 0 and below.
    #[arg(long)]
    pub any_weight: bool,
    /// Every link counts in both directions.
    #[arg(long)]
    pub undirected: bool,
    /// Every row is a user and all whom they trust: user a b c.
    #[arg(long)]
    pub adjacency: bool,
}

/// A list of users beside ratings or links.
#[derive(Args, Clone, Debug, Default)]
pub struct RosterArgs {
    /// A list of the platform's users, one id a row: users without a rating or a link are users
    /// too, and being a common user then says nothing about having one.
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// Column of the id in the list of users, by name or by number from 1.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COLUMN",
        requires = "users"
    )]
    pub users_column: String,
}

impl RosterArgs {
    /// The file, where there is one.
    #[must_use]
    pub fn source(&self) -> Option<UsersFile> {
        let column = self.users_column.clone();
        let path = self.users.clone()?;
        Some(UsersFile {
            path,
            column,
            ..UsersFile::default()
        })
    }
}

/// How both files are read, for whoever holds both.
#[derive(Args, Clone, Debug, Default)]
pub struct BothReadingArgs {
    /// The users of both platforms.
    #[command(flatten)]
    pub roster: RosterArgs,
    /// The text of the ratings file.
    #[command(flatten)]
    pub text: TextArgs,
    /// The text of the links file.
    #[command(flatten)]
    pub links_text: LinksTextArgs,
    /// Values of both.
    #[command(flatten)]
    pub values: ValueArgs,
    /// Columns of the ratings.
    #[command(flatten)]
    pub ratings: RatingColumnArgs,
    /// Columns of the links.
    #[command(flatten)]
    pub links: LinkColumnArgs,
}

impl BothReadingArgs {
    /// The ratings at `path`.
    #[must_use]
    pub fn ratings(&self, path: PathBuf) -> FileSource {
        FileSource {
            path,
            users: self.roster.source(),
            ..ratings_source(&self.text, &self.values, &self.ratings)
        }
    }

    /// The links at `path`.
    #[must_use]
    pub fn links(&self, path: PathBuf) -> FileSource {
        FileSource {
            path,
            users: self.roster.source(),
            ..links_source(&(&self.links_text).into(), &self.values, &self.links)
        }
    }
}

/// Both files in the clear, for whoever holds both.
#[derive(Args, Clone, Debug)]
pub struct BothFiles {
    /// Ratings file: user, item, rating; packed or not.
    #[arg(long, value_name = "FILE")]
    pub ratings: PathBuf,
    /// Links file: truster, trustee.
    #[arg(long, value_name = "FILE")]
    pub links: PathBuf,
    /// How they are read.
    #[command(flatten)]
    pub reading: BothReadingArgs,
}

impl BothFiles {
    /// The files, and how the readers read them.
    ///
    /// # Errors
    /// [`Failure::Usage`] for options that make no sense.
    pub fn inputs(&self) -> Result<s3rec_data::BothFiles, Failure> {
        Ok(s3rec_data::BothFiles {
            ratings: self.ratings.clone(),
            rating_options: rating_options(&self.reading.ratings(self.ratings.clone()))?,
            links: self.links.clone(),
            link_options: link_options(&self.reading.links(self.links.clone()))?,
            roster: roster(&self.reading.ratings(self.ratings.clone()))?,
        })
    }
}

impl BothFiles {
    /// How user ids are normalised.
    #[must_use]
    pub fn id_rule(&self) -> IdRule {
        id_rule(self.reading.values.fold_case)
    }
}

fn id_rule(fold_case: bool) -> IdRule {
    match fold_case {
        true => IdRule::NfcTrimCaseFold,
        false => IdRule::NfcTrim,
    }
}

/// The list of users that goes with `source`, and how it is read.
fn roster(source: &FileSource) -> Result<Option<(PathBuf, RosterOptions)>, Failure> {
    let Some(users) = &source.users else {
        return Ok(None);
    };
    let options = RosterOptions {
        user: Column::named(&users.column)?,
        ids: id_rule(source.fold_case),
        ..RosterOptions::default()
    };
    Ok(Some((users.path.clone(), options)))
}

/// Ratings as a platform has them after importing `source`.
pub(crate) fn read_ratings(source: &FileSource) -> Result<RatingSet, Failure> {
    let ratings = RatingSet::read(&source.path, &rating_options(source)?)?;
    Ok(match roster(source)? {
        Some((file, options)) => ratings.with_roster(Roster::read(&file, &options)?),
        None => ratings,
    })
}

/// Links as a platform has them after importing `source`.
pub(crate) fn read_links(source: &FileSource) -> Result<LinkSet, Failure> {
    let links = LinkSet::read(&source.path, &link_options(source)?)?;
    Ok(match roster(source)? {
        Some((file, options)) => links.with_roster(Roster::read(&file, &options)?),
        None => links,
    })
}

/// How a rating platform reads `source`.
pub(crate) fn rating_options(source: &FileSource) -> Result<RatingOptions, Failure> {
    let options = s3rec_rating::rating_options(&file_header_from_wire(source.header()));
    options.map_err(|fault| Failure::Usage(fault.to_string()))
}

/// How a social platform reads `source`.
pub(crate) fn link_options(source: &FileSource) -> Result<LinkOptions, Failure> {
    let options = s3rec_social::link_options(&file_header_from_wire(source.header()));
    options.map_err(|fault| Failure::Usage(fault.to_string()))
}

/// Ratings read so, whichever their file is.
pub(crate) fn ratings_source(
    text: &TextArgs,
    values: &ValueArgs,
    columns: &RatingColumnArgs,
) -> FileSource {
    FileSource {
        scale: columns.scale,
        drop_out_of_scale: columns.drop_out_of_scale,
        counts: columns.counts,
        columns: Columns {
            from: columns.user_column.clone(),
            to: columns.item_column.clone(),
            value: columns.rating_column.clone(),
            timestamp: columns.timestamp_column.clone(),
        },
        ..source(text, values)
    }
}

/// Links read so, whichever their file is.
pub(crate) fn links_source(
    text: &TextArgs,
    values: &ValueArgs,
    columns: &LinkColumnArgs,
) -> FileSource {
    FileSource {
        columns: Columns {
            from: columns.truster_column.clone(),
            to: columns.trustee_column.clone(),
            value: columns.weight_column.clone(),
            ..Columns::default()
        },
        any_weight: columns.any_weight,
        undirected: columns.undirected,
        adjacency: columns.adjacency,
        ..source(text, values)
    }
}

fn source(text: &TextArgs, values: &ValueArgs) -> FileSource {
    FileSource {
        delimiter: text.delimiter.clone(),
        has_header: text.header,
        no_header: text.no_header,
        index_column: text.index_column,
        decimal_comma: values.decimal_comma,
        drop_missing: values.drop_missing,
        fold_case: values.fold_case,
        ..FileSource::default()
    }
}

fn delimiter(text: &str) -> Result<String, String> {
    match s3rec_data::Delimiter::named(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads `1:5`.
fn scale(text: &str) -> Result<(f64, f64), String> {
    let numbers = text.split_once(':').and_then(|(min, max)| {
        let (min, max) = (min.parse::<f64>().ok()?, max.parse::<f64>().ok()?);
        (min.is_finite() && max.is_finite() && min < max).then_some((min, max))
    });
    numbers.ok_or_else(|| "give the lowest and highest rating, for example 1:5".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        files: BothFiles,
    }

    fn parse(options: &[&str]) -> Result<s3rec_data::BothFiles, String> {
        let line = ["s3rec", "--ratings", "r", "--links", "l"]
            .iter()
            .chain(options);
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        line.files.inputs().map_err(|error| error.to_string())
    }

    #[test]
    fn a_scale_has_a_lower_and_a_higher_end() {
        assert_eq!(scale("0.5:4"), Ok((0.5, 4.0)));
        assert_eq!(scale("-1:1"), Ok((-1.0, 1.0)));
        for text in ["5:1", "1", "1:", "a:b", "NaN:1", ""] {
            assert!(scale(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_reach_the_readers_of_both_files() {
        let plain = parse(&[]).unwrap();
        assert_eq!(plain.rating_options, RatingOptions::default());
        assert_eq!(plain.link_options, LinkOptions::default());
        let files = parse(&[
            "--delimiter",
            "::",
            "--timestamp-column",
            "4",
            "--drop-missing",
            "--links-header",
            "--weight-column",
            "w",
            "--undirected",
            "--scale",
            "-1:5",
        ])
        .unwrap();
        let (ratings, links) = (files.rating_options, files.link_options);
        assert_eq!(ratings.delimiter, s3rec_data::Delimiter::DoubleColon);
        assert_eq!(links.delimiter, s3rec_data::Delimiter::Detect);
        assert_eq!(links.header, s3rec_data::Header::Present);
        assert_eq!(ratings.scale.map(|scale| scale.min), Some(-1.0));
        assert!(ratings.drop_missing && links.drop_missing && links.undirected);
        assert_eq!(ratings.timestamp, s3rec_data::Column::Index(3));
        assert_eq!(links.weight, s3rec_data::Column::Name("w".into()));
    }

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        for (options, part) in [
            (&["--delimiter", "=>"][..], "=>"),
            (&["--user-column", "0"], "column 0"),
            (&["--scale", "5:1"], "1:5"),
            (&["--header", "--no-header"], "--no-header"),
            (&["--counts", "--scale", "1:5"], "--scale"),
        ] {
            let refused = parse(options).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
