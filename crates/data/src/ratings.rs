//! Reading ratings.

use crate::normalise::Users;
use crate::table::{Source, Table, open};
use crate::{
    Column, DataError, Delimiter, Header, IdRule, IdTable, MAX_DECOMPRESSED_BYTES, RatingReport,
};
use s3rec_sparse::Rating;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// The lowest and highest rating there can be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Lowest rating.
    pub min: f32,
    /// Highest rating.
    pub max: f32,
}

impl Scale {
    /// A scale from `min` to `max`.
    ///
    /// # Errors
    /// [`DataError::BadScale`] unless both are finite and `min < max`.
    pub fn new(min: f32, max: f32) -> Result<Self, DataError> {
        if min.is_finite() && max.is_finite() && min < max {
            Ok(Self { min, max })
        } else {
            Err(DataError::BadScale { min, max })
        }
    }

    fn contains(self, value: f32) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// What a second rating of the same item by the same user means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// The later row replaces the earlier one: the user changed their mind.
    #[default]
    Last,
    /// The earlier row stays.
    First,
    /// The mean of all rows of the pair.
    Mean,
    /// The file is refused.
    Refuse,
}

/// What to do with a rating outside the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutOfScale {
    /// Refuse the file.
    #[default]
    Refuse,
    /// Drop and count the row.
    Drop,
}

/// What the rating column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Values {
    /// Ratings on a scale.
    #[default]
    Ratings,
    /// How often a user chose an item (plays, purchases): rows of one pair add up, and the
    /// rating is log₂(1 + count), so that twice as often is about one point more. The scale is
    /// 1 (once) to that of the largest count.
    Counts,
}

/// How to read a rating file. The default reads `user item rating` in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatingOptions {
    /// What separates fields.
    pub delimiter: Delimiter,
    /// Whether there is a header line.
    pub header: Header,
    /// Where the user's id stands.
    pub user: Column,
    /// Where the item's id stands.
    pub item: Column,
    /// Where the rating stands.
    pub rating: Column,
    /// Where the time of the rating stands: an integer, say seconds since 1970. With it, the
    /// later of two rows is the one with the later time.
    pub timestamp: Option<Column>,
    /// What the rating column holds.
    pub values: Values,
    /// The scale; without one, the lowest and highest rating in the file.
    pub scale: Option<Scale>,
    /// What to do with ratings outside a given scale.
    pub out_of_scale: OutOfScale,
    /// What to do with repeated pairs.
    pub duplicates: Duplicates,
    /// How user ids are normalised. Item ids stay as written: nobody else has them.
    pub ids: IdRule,
    /// The most bytes that a compressed file may become.
    pub max_decompressed_bytes: u64,
}

impl Default for RatingOptions {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::default(),
            header: Header::default(),
            user: Column::Index(0),
            item: Column::Index(1),
            rating: Column::Index(2),
            timestamp: None,
            values: Values::default(),
            scale: None,
            out_of_scale: OutOfScale::default(),
            duplicates: Duplicates::default(),
            ids: IdRule::default(),
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
        }
    }
}

/// Ratings by index, with the ids behind the indices.
#[derive(Clone)]
pub struct RatingSet {
    /// Users, by first appearance.
    pub users: IdTable,
    /// Items, by first appearance.
    pub items: IdTable,
    /// Distinct pairs, by first appearance.
    pub ratings: Vec<Rating>,
    /// The time of each rating, in the same order; empty without a timestamp column.
    pub timestamps: Vec<i64>,
    /// The account.
    pub report: RatingReport,
}

impl RatingSet {
    /// Reads a TSV or CSV file, gzipped or not, or a Parquet file; both kinds are told by their
    /// content.
    ///
    /// # Errors
    /// Any [`DataError`] that names a file.
    pub fn read(file: &Path, options: &RatingOptions) -> Result<Self, DataError> {
        Self::read_source(file, open(file, options.max_decompressed_bytes)?, options)
    }

    /// Reads already decompressed text, `name` standing for the file in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from<'a>(
        name: &Path,
        source: impl Read + 'a,
        options: &RatingOptions,
    ) -> Result<Self, DataError> {
        Self::read_source(name, Source::Text(Box::new(source)), options)
    }

    fn read_source(
        name: &Path,
        source: Source<'_>,
        options: &RatingOptions,
    ) -> Result<Self, DataError> {
        let mut fields = vec![
            ("user", options.user.clone()),
            ("item", options.item.clone()),
            ("rating", options.rating.clone()),
        ];
        fields.extend(
            options
                .timestamp
                .clone()
                .map(|column| ("timestamp", column)),
        );
        if options.values == Values::Counts && options.scale.is_some() {
            return Err(DataError::CountsHaveNoScale);
        }
        if let Some(scale) = options.scale {
            Scale::new(scale.min, scale.max)?;
        }
        let mut table = Table::new(name, source, options.delimiter, options.header, fields);
        let mut gathered = Gathered {
            users: Users::new(options.ids),
            ..Gathered::default()
        };
        while table.advance(Some(2))? {
            gathered.take(&table, options)?;
        }
        gathered.finish(name, options)
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
}

impl Gathered {
    fn take(&mut self, table: &Table<'_>, options: &RatingOptions) -> Result<(), DataError> {
        self.rows += 1;
        let (user, item) = (table.id(0)?, table.id(1)?);
        let value = number(table, table.field(2)?)?;
        let time = match options.timestamp {
            Some(_) => Some(integer(table, table.field(3)?)?),
            None => None,
        };
        let scale = match options.values {
            Values::Ratings => options.scale,
            Values::Counts => Some(Scale {
                min: 1.0,
                max: f32::MAX,
            }),
        };
        if let Some(scale) = scale.filter(|scale| !scale.contains(value)) {
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
            self.users.take(table, 0)?,
            self.items.intern(item).ok_or_else(full)?,
        );
        match self.seen.get_mut(&pair) {
            None => {
                self.seen.insert(pair, (self.ratings.len(), 1));
                self.timestamps.extend(time);
                self.ratings.push(Rating {
                    user: pair.0,
                    item: pair.1,
                    value,
                });
            }
            Some((position, rows)) => {
                if options.duplicates == Duplicates::Refuse {
                    return Err(DataError::Duplicate {
                        file: table.file().to_path_buf(),
                        line: table.line(),
                        user: user.to_owned(),
                        item: item.to_owned(),
                    });
                }
                let kept = &mut self.ratings[*position].value;
                *rows += 1;
                self.duplicates_merged += 1;
                self.duplicates_conflicting += u64::from(*kept != value);
                let kept_time = self.timestamps.get_mut(*position);
                let later = kept_time
                    .as_ref()
                    .zip(time)
                    .is_none_or(|(kept, time)| time >= **kept);
                match (options.values, options.duplicates) {
                    (Values::Counts, _) => *kept += value,
                    (_, Duplicates::Last) if later => *kept = value,
                    (_, Duplicates::Mean) => *kept += (value - *kept) / *rows as f32,
                    (_, Duplicates::Last | Duplicates::First | Duplicates::Refuse) => {}
                }
                if let (Some(kept), Some(time)) = (kept_time, time)
                    && options.duplicates != Duplicates::First
                {
                    *kept = time.max(*kept);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, name: &Path, options: &RatingOptions) -> Result<RatingSet, DataError> {
        let file = name.to_path_buf();
        if self.ratings.is_empty() {
            let (rows, dropped) = (self.rows, self.out_of_scale_dropped);
            return Err(DataError::Empty {
                file,
                rows,
                dropped,
            });
        }
        if options.values == Values::Counts {
            for rating in &mut self.ratings {
                rating.value = (1.0 + rating.value).log2();
            }
        }
        let values = || self.ratings.iter().map(|rating| rating.value);
        let (min, max) = values().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), v| {
            (min.min(v), max.max(v))
        });
        if min == max {
            return Err(DataError::Constant { file, value: min });
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

fn number(table: &Table<'_>, text: &str) -> Result<f32, DataError> {
    text.parse::<f32>()
        .ok()
        .filter(|value| value.is_finite())
        .ok_or_else(|| DataError::NotANumber {
            file: table.file().to_path_buf(),
            line: table.line(),
            actual: text.chars().take(40).collect(),
        })
}

fn integer(table: &Table<'_>, text: &str) -> Result<i64, DataError> {
    text.parse().map_err(|_| DataError::NotATime {
        file: table.file().to_path_buf(),
        line: table.line(),
        actual: text.chars().take(40).collect(),
    })
}
