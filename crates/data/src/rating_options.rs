//! How ratings are to be read.

use serde::{Deserialize, Serialize};

use crate::columns::{self, Role};
use crate::limits::Limits;
use crate::numbers::Decimal;
use crate::table::Layout;
use crate::{Column, DataError, Delimiter, Header, IdRule, MAX_DECOMPRESSED_BYTES, MAX_ROWS};

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

    pub(crate) fn contains(self, value: f32) -> bool {
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
    /// 1 (once) to that of the largest count, and 0 (never) to 1 where every count is 1.
    Counts,
}

/// How to read a rating file. The default takes columns by the names that the file gives them
/// and, in a file without names, `user item rating` in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatingOptions {
    /// What separates fields.
    pub delimiter: Delimiter,
    /// Whether there is a header line.
    pub header: Header,
    /// The first column only numbers the rows.
    pub index_column: bool,
    /// Where the user's id stands.
    pub user: Column,
    /// Where the item's id stands.
    pub item: Column,
    /// Where the rating stands.
    pub rating: Column,
    /// Where the time of the rating stands. With it, the later of two rows is the one with the
    /// later time. Only in a file that names it where nothing is asked for; never for the name
    /// `none`.
    pub timestamp: Column,
    /// Numbers have a decimal comma, and perhaps points between groups of three digits.
    pub decimal_comma: bool,
    /// Rows without a rating (empty, `NULL`, `NA`, `\N` and the like), or with a count of 0, are
    /// dropped and counted instead of refused.
    pub drop_missing: bool,
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
    /// The most bytes that a compressed file may become, or that rows of Parquet hold.
    pub max_decompressed_bytes: u64,
    /// The most rows.
    pub max_rows: u64,
}

impl Default for RatingOptions {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::default(),
            header: Header::default(),
            index_column: false,
            user: Column::default(),
            item: Column::default(),
            rating: Column::default(),
            timestamp: Column::default(),
            decimal_comma: false,
            drop_missing: false,
            values: Values::default(),
            scale: None,
            out_of_scale: OutOfScale::default(),
            duplicates: Duplicates::default(),
            ids: IdRule::default(),
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
            max_rows: MAX_ROWS,
        }
    }
}

impl RatingOptions {
    /// User, item, rating, timestamp.
    pub(crate) fn roles(&self) -> [Role; 4] {
        [
            columns::user(&self.user),
            columns::item(&self.item),
            columns::rating(&self.rating),
            columns::timestamp(&self.timestamp),
        ]
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout {
            delimiter: self.delimiter,
            header: self.header,
            index_column: self.index_column,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            bytes: self.max_decompressed_bytes,
            rows: self.max_rows,
        }
    }

    pub(crate) fn decimal(&self) -> Decimal {
        match self.decimal_comma {
            true => Decimal::Comma,
            false => Decimal::Point,
        }
    }

    /// Refuses what contradicts itself.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        match self.scale {
            Some(_) if self.values == Values::Counts => Err(DataError::CountsHaveNoScale),
            Some(scale) => Scale::new(scale.min, scale.max).map(|_| ()),
            None => Ok(()),
        }
    }
}
