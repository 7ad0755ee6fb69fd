//! Reading ratings.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use s3rec_sparse::Rating;

use crate::normalise::Users;
use crate::numbers::{Decimal, is_missing, number, time_ms};
use crate::report::samples;
use crate::source::{Source, open};
use crate::table::Table;
use crate::{
    DataError, Duplicates, IdTable, OutOfScale, RatingOptions, RatingReport, Reading, Scale,
    Suspicion, SuspicionKind, Values, id_forms, value_forms,
};

/// Fields of a row, in the order of [`RatingOptions::roles`].
const USER: usize = 0;
const ITEM: usize = 1;
const RATING: usize = 2;
const TIMESTAMP: usize = 3;

/// Ratings by index, with the ids behind the indices.
#[derive(Clone)]
pub struct RatingSet {
    /// Users, by first appearance.
    pub users: IdTable,
    /// Items, by first appearance.
    pub items: IdTable,
    /// Distinct pairs, by first appearance.
    pub ratings: Vec<Rating>,
    /// The time of each rating in milliseconds since 1970, in the same order; empty without a
    /// timestamp column.
    pub timestamps: Vec<i64>,
    /// The account.
    pub report: RatingReport,
}

impl RatingSet {
    /// Reads delimited text, JSON lines or Parquet, packed or not; the kind is told by content.
    ///
    /// # Errors
    /// Any [`DataError`] that names a file.
    pub fn read(file: &Path, options: &RatingOptions) -> Result<Self, DataError> {
        Self::read_source(file, open(file, &options.limits())?, options)
    }

    /// Reads text that is not packed, `name` standing for the file in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from<'a>(
        name: &Path,
        source: impl Read + 'a,
        options: &RatingOptions,
    ) -> Result<Self, DataError> {
        Self::read_source(name, Source::text(source), options)
    }

    fn read_source(
        name: &Path,
        source: Source<'_>,
        options: &RatingOptions,
    ) -> Result<Self, DataError> {
        options.check()?;
        let roles = options.roles();
        let mut table = Table::open(
            name,
            source,
            options.limits(),
            options.layout(),
            &roles,
            false,
        )?;
        table.place(roles.to_vec(), false)?;
        let mut gathered = Gathered {
            users: Users::new(options.ids),
            ..Gathered::default()
        };
        while table.advance()? {
            gathered.take(&table, options)?;
        }
        gathered.finish(&table, options)
    }
}

#[derive(Default)]
struct Gathered {
    users: Users,
    items: IdTable,
    ratings: Vec<Rating>,
    timestamps: Vec<i64>,
    /// Where each pair stands in `ratings`, and how many rows it has had.
    seen: HashMap<(u32, u32), (usize, u32)>,
    rows: u64,
    duplicates_merged: u64,
    duplicates_conflicting: u64,
    out_of_scale_dropped: u64,
    missing_dropped: u64,
}

impl Gathered {
    fn take(&mut self, table: &Table<'_>, options: &RatingOptions) -> Result<(), DataError> {
        self.rows += 1;
        let (user, item) = (table.raw(USER)?, table.raw(ITEM)?);
        // Checked also in rows that are dropped.
        table.at(USER).check(user)?;
        table.at(ITEM).check(item)?;
        let Some(value) = rating(table, options)? else {
            self.missing_dropped += 1;
            return Ok(());
        };
        let time = match table.has(TIMESTAMP) {
            true => Some(time(table, options.decimal())?),
            false => None,
        };
        if let Some(scale) = options.scale.filter(|scale| !scale.contains(value)) {
            match options.out_of_scale {
                OutOfScale::Drop => {
                    self.out_of_scale_dropped += 1;
                    return Ok(());
                }
                OutOfScale::Refuse => {
                    return Err(DataError::OutOfScale {
                        file: table.file().to_path_buf(),
                        line: table.line(),
                        actual: value,
                        min: scale.min,
                        max: scale.max,
                    });
                }
            }
        }
        let full = || DataError::TooManyIds {
            file: table.file().to_path_buf(),
            field: "item",
            limit: u32::MAX,
        };
        let pair = (
            self.users.take(table.at(USER), user)?,
            self.items.intern(item).ok_or_else(full)?,
        );
        if let Some((place, rows)) = self.seen.get(&pair).copied() {
            if options.duplicates == Duplicates::Refuse {
                return Err(DataError::Duplicate {
                    file: table.file().to_path_buf(),
                    line: table.line(),
                    user: user.to_owned(),
                    item: item.to_owned(),
                });
            }
            self.seen.insert(pair, (place, rows + 1));
            self.merge(place, rows + 1, value, time, options);
            return Ok(());
        }
        self.seen.insert(pair, (self.ratings.len(), 1));
        self.timestamps.extend(time);
        self.ratings.push(Rating {
            user: pair.0,
            item: pair.1,
            value,
        });
        Ok(())
    }

    /// The `rows`th row of the pair whose rating stands at `place`.
    fn merge(
        &mut self,
        place: usize,
        rows: u32,
        value: f32,
        time: Option<i64>,
        options: &RatingOptions,
    ) {
        let kept = &mut self.ratings[place].value;
        self.duplicates_merged += 1;
        self.duplicates_conflicting += u64::from(*kept != value);
        let kept_time = self.timestamps.get_mut(place);
        let later = kept_time
            .as_ref()
            .zip(time)
            .is_none_or(|(kept, time)| time >= **kept);
        match (options.values, options.duplicates) {
            (Values::Counts, _) => *kept += value,
            (_, Duplicates::Last) if later => *kept = value,
            (_, Duplicates::Mean) => *kept += (value - *kept) / rows as f32,
            (_, Duplicates::Last | Duplicates::First | Duplicates::Refuse) => {}
        }
        if let (Some(kept), Some(time)) = (kept_time, time)
            && options.duplicates != Duplicates::First
        {
            *kept = time.max(*kept);
        }
    }

    fn finish(
        mut self,
        table: &Table<'_>,
        options: &RatingOptions,
    ) -> Result<RatingSet, DataError> {
        let file = || table.file().to_path_buf();
        if self.ratings.is_empty() {
            return Err(DataError::Empty {
                file: file(),
                rows: self.rows,
                dropped: self.out_of_scale_dropped + self.missing_dropped,
            });
        }
        if options.values == Values::Counts {
            for rating in &mut self.ratings {
                rating.value = (1.0 + rating.value).log2();
            }
        }
        let values = || self.ratings.iter().map(|rating| rating.value);
        let (mut min, max) = values().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), v| {
            (min.min(v), max.max(v))
        });
        if min == max {
            match options.values {
                Values::Ratings => {
                    return Err(DataError::Constant {
                        file: file(),
                        value: min,
                    });
                }
                // Whoever has no row has never chosen the item.
                Values::Counts => min = 0.0,
            }
        }
        let mut found = self.users.suspicions(table.file())?;
        found.extend(id_forms::of_ids("item", &self.items));
        if options.values == Values::Ratings && options.scale.is_none() {
            found.extend(value_forms::of_values(values()));
        }
        let report = RatingReport {
            rows: self.rows,
            users: self.users.len(),
            items: self.items.len(),
            ratings: self.ratings.len(),
            density: self.ratings.len() as f64
                / (self.users.len() as f64 * self.items.len() as f64),
            scale: options.scale.unwrap_or(Scale { min, max }),
            mean: values().map(f64::from).sum::<f64>() / self.ratings.len() as f64,
            duplicates_merged: self.duplicates_merged,
            duplicates_conflicting: self.duplicates_conflicting,
            out_of_scale_dropped: self.out_of_scale_dropped,
            missing_dropped: self.missing_dropped,
            roster: None,
            reading: reading(table, self.users.table(), found),
            sample_items: samples(&self.items),
        };
        Ok(RatingSet {
            users: self.users.into_table(),
            items: self.items,
            ratings: self.ratings,
            timestamps: self.timestamps,
            report,
        })
    }
}

/// How a table was read, and what was odd about it.
pub(crate) fn reading(
    table: &Table<'_>,
    users: &IdTable,
    mut suspicions: Vec<Suspicion>,
) -> Reading {
    let (comment_lines, like_rows) = table.comments();
    if like_rows > 0 {
        suspicions.push(Suspicion {
            kind: SuspicionKind::CommentLikeRow,
            field: "line".into(),
            count: like_rows,
            of: comment_lines,
            example: "#".into(),
        });
    }
    Reading {
        read_as: table.read_as(),
        comment_lines,
        sample_users: samples(users),
        suspicions,
    }
}

/// The rating of a row; none where it has none and such rows are dropped.
fn rating(table: &Table<'_>, options: &RatingOptions) -> Result<Option<f32>, DataError> {
    let text = table.raw(RATING)?;
    let place = table.at(RATING);
    let (file, line) = (|| place.file.to_path_buf(), place.line);
    let cut = || text.chars().take(40).collect();
    if is_missing(text) {
        return match options.drop_missing {
            true => Ok(None),
            false => Err(DataError::Missing {
                file: file(),
                line,
                field: place.field,
                actual: cut(),
            }),
        };
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "ratings are single precision"
    )]
    let value = number(text, options.decimal()).map(|value| value as f32);
    let value = value
        .filter(|value| value.is_finite())
        .ok_or_else(|| DataError::NotANumber {
            file: file(),
            line,
            field: place.field,
            remedy: match text.contains(',') {
                true if options.decimal_comma => {
                    "a comma is decimal and points stand between thousands"
                }
                true => "where a comma is decimal, say so (--decimal-comma)",
                false => {
                    "is it the right column (--rating-column), and is line 1 a header (--header)?"
                }
            },
            actual: cut(),
        })?;
    if options.values == Values::Counts && value < 1.0 {
        let is_dropped =
            (value == 0.0 && options.drop_missing) || options.out_of_scale == OutOfScale::Drop;
        return match is_dropped {
            true => Ok(None),
            false => Err(DataError::NotACount {
                file: file(),
                line,
                actual: value,
            }),
        };
    }
    Ok(Some(value))
}

fn time(table: &Table<'_>, decimal: Decimal) -> Result<i64, DataError> {
    let text = table.raw(TIMESTAMP)?;
    time_ms(text, decimal).ok_or_else(|| DataError::NotATime {
        file: table.file().to_path_buf(),
        line: table.line(),
        actual: text.chars().take(40).collect(),
    })
}
