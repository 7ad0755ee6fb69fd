//! How links are to be read.

use serde::{Deserialize, Serialize};

use crate::columns::{self, Role};
use crate::limits::Limits;
use crate::numbers::Decimal;
use crate::table::{Layout, Table};
use crate::{Column, Delimiter, Header, IdRule, MAX_DECOMPRESSED_BYTES, MAX_ROWS};

/// What a row of links is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkShape {
    /// Lists where a column is called `friends` or the like, or where every row begins with an id
    /// and a colon; else pairs.
    #[default]
    Detect,
    /// One link: truster, trustee.
    Pairs,
    /// A user and all whom they trust.
    Lists,
}

/// Which weights make a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// Those above 0: 0 is no trust, and below it is distrust. Other rows are dropped and counted.
    #[default]
    Positive,
    /// All of them.
    Any,
}

/// How to read a link file. The default takes columns by the names that the file gives them and,
/// in a file without names, `truster trustee` in this order. All links count alike (S is binary).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkOptions {
    /// What separates fields.
    pub delimiter: Delimiter,
    /// Whether there is a header line.
    pub header: Header,
    /// The first column only numbers the rows.
    pub index_column: bool,
    /// Where the id of the one who trusts or follows stands.
    pub truster: Column,
    /// Where the id of the one trusted or followed stands, or the list of them.
    pub trustee: Column,
    /// Where a weight stands. Only in a file that names it where nothing is asked for; never for
    /// the name `none`. A third column without a name may be 1 throughout.
    pub weight: Column,
    /// What a row is.
    pub shape: LinkShape,
    /// Which weights make a link.
    pub weights: Weights,
    /// Every link counts in both directions.
    pub undirected: bool,
    /// Weights have a decimal comma.
    pub decimal_comma: bool,
    /// Rows without a weight are dropped and counted instead of refused.
    pub drop_missing: bool,
    /// How user ids are normalised.
    pub ids: IdRule,
    /// The most bytes that a compressed file may become, or that rows of Parquet hold.
    pub max_decompressed_bytes: u64,
    /// The most rows.
    pub max_rows: u64,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::default(),
            header: Header::default(),
            index_column: false,
            truster: Column::default(),
            trustee: Column::default(),
            weight: Column::default(),
            shape: LinkShape::default(),
            weights: Weights::default(),
            undirected: false,
            decimal_comma: false,
            drop_missing: false,
            ids: IdRule::default(),
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
            max_rows: MAX_ROWS,
        }
    }
}

impl LinkOptions {
    pub(crate) fn layout(&self) -> Layout {
        Layout {
            delimiter: self.delimiter,
            header: self.header,
            index_column: self.index_column,
        }
    }

    pub(crate) fn decimal(&self) -> Decimal {
        match self.decimal_comma {
            true => Decimal::Comma,
            false => Decimal::Point,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            bytes: self.max_decompressed_bytes,
            rows: self.max_rows,
        }
    }

    /// Fields of a row that is one link.
    pub(crate) fn pair(&self) -> [Role; 3] {
        [
            columns::truster(&self.truster),
            columns::trustee(&self.trustee),
            columns::weight(&self.weight),
        ]
    }

    /// Fields of a row that is a list.
    pub(crate) fn list(&self) -> [Role; 2] {
        [
            columns::truster(&self.truster),
            columns::friends(&self.trustee),
        ]
    }

    /// Whether the rows of `table` are lists.
    pub(crate) fn is_lists(&self, table: &Table<'_>) -> bool {
        match self.shape {
            LinkShape::Lists => true,
            LinkShape::Pairs => false,
            LinkShape::Detect => {
                let [_, friends] = self.list();
                let [_, trustee, _] = self.pair();
                let called = |role: &Role| match (&role.column, table.names()) {
                    (Column::Name(name), _) => role.is_called(name),
                    (Column::Index(index), Some(names)) => {
                        names.get(*index).is_some_and(|name| role.is_called(name))
                    }
                    (Column::Usual, Some(names)) => names.iter().any(|name| role.is_called(name)),
                    (_, None) => false,
                };
                table.begins_with_colons() || (called(&friends) && !called(&trustee))
            }
        }
    }
}
