//! Factors of a recommender that is not ours: a vector for every user, and for every item if there
//! are any, so that u·v orders a user's items.
//!
//! | file | ids | vectors |
//! |---|---|---|
//! | Parquet | column `id`, `user`, `item` or the like, text or whole numbers | column `vector`, `factors`, `embedding` or the like, a list of floats |
//! | safetensors | tensor `user_ids` of whole numbers, or metadata `user_ids`, a JSON array of texts | tensor `user_factors`, users × k, float32 or float64 |
//!
//! Of items likewise, in the same safetensors file (`item_ids`, `item_factors`) or in a second file
//! of either kind. Every row is kept or the file is refused by it: half a model is none.

mod parquet_vectors;
mod tensors;
#[cfg(test)]
mod tests;
mod write;

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::normalise::Users;
use crate::table::Place;
use crate::{DataError, IdRule, IdTable, MAX_DECOMPRESSED_BYTES, MAX_ROWS};

pub use write::{FriendsRow, FriendsWriter, GROUP_ROWS};

/// The longest vector.
pub const MAX_WIDTH: usize = 512;

/// How factors are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactorOptions {
    /// How user ids are normalised: as in the ratings that the factors go with.
    pub ids: IdRule,
    /// The most bytes of a file, and of the vectors it becomes.
    pub max_bytes: u64,
}

impl Default for FactorOptions {
    fn default() -> Self {
        Self {
            ids: IdRule::default(),
            max_bytes: MAX_DECOMPRESSED_BYTES,
        }
    }
}

/// Vectors of one length by id.
#[derive(Clone, Default)]
pub struct Vectors {
    /// Whose, by first appearance.
    pub ids: IdTable,
    /// k.
    pub width: usize,
    /// One row after another.
    pub values: Vec<f32>,
}

impl Vectors {
    /// The vector of an id's index.
    #[must_use]
    pub fn row(&self, index: u32) -> &[f32] {
        let start = index as usize * self.width;
        self.values
            .get(start..start + self.width)
            .unwrap_or_default()
    }
}

/// Factors of users and, if there are any, of items.
#[derive(Clone)]
pub struct FactorSet {
    /// Of users.
    pub users: Vectors,
    /// Of items; none where lists are to be made from users' vectors and ratings.
    pub items: Option<Vectors>,
    /// The account.
    pub report: FactorReport,
}

/// The account of a file of factors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FactorReport {
    /// Users with a vector.
    pub users: usize,
    /// Items with one.
    pub items: usize,
    /// Length of a vector.
    pub width: usize,
    /// Rows of zeros among the users: nothing is said of them.
    pub zero_users: usize,
    /// Kind of the file, in words.
    pub read_as: String,
    /// The first users, as they are kept.
    pub sample_users: Vec<String>,
    /// The first items.
    pub sample_items: Vec<String>,
}

/// What a side's ids and vectors are called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Users,
    Items,
}

impl Side {
    fn field(self) -> &'static str {
        match self {
            Self::Users => "user",
            Self::Items => "item",
        }
    }
}

impl FactorSet {
    /// Reads users' vectors, and items' from the same file or from `items`.
    ///
    /// # Errors
    /// [`DataError::BadVector`] naming the row, and whatever opening a file may end in.
    pub fn read(
        users: &Path,
        items: Option<&Path>,
        options: &FactorOptions,
    ) -> Result<Self, DataError> {
        let (own, beside, read_as) = read(users, Side::Users, options)?;
        let items = match (items, beside) {
            (Some(file), None) => Some(read(file, Side::Items, options)?.0),
            (Some(file), Some(_)) => {
                return Err(DataError::OtherKind {
                    file: file.to_path_buf(),
                    kind: "a second file of items' factors".into(),
                    remedy: "leave it out, or take item_factors out of the first",
                });
            }
            (None, beside) => beside,
        };
        if let Some(of) = items.as_ref().filter(|of| of.width != own.width) {
            return Err(DataError::BadVector {
                file: users.to_path_buf(),
                row: 1,
                id: own.ids.name(0).unwrap_or_default().to_owned(),
                what: format!(
                    "its vector has {} values, and those of items have {}",
                    own.width, of.width
                ),
            });
        }
        let is_zero = |row: &[f32]| row.iter().all(|x| *x == 0.0);
        let report = FactorReport {
            users: own.ids.len(),
            items: items.as_ref().map_or(0, |items| items.ids.len()),
            width: own.width,
            zero_users: own
                .values
                .chunks(own.width.max(1))
                .filter(|r| is_zero(r))
                .count(),
            read_as: read_as.into(),
            sample_users: crate::report::samples(&own.ids),
            sample_items: items
                .as_ref()
                .map_or_else(Vec::new, |items| crate::report::samples(&items.ids)),
        };
        Ok(Self {
            users: own,
            items,
            report,
        })
    }

    /// Refuses ids that the ratings do not know: factors of another data set, mostly.
    ///
    /// # Errors
    /// [`DataError::BadVector`] naming the first row whose id is not among `users` or `items`.
    pub fn check_known(
        &self,
        file: &Path,
        users: &IdTable,
        items: &IdTable,
    ) -> Result<(), DataError> {
        let sides = [
            (Some(&self.users), users, "user"),
            (self.items.as_ref(), items, "item"),
        ];
        for (vectors, known, field) in sides {
            let Some(vectors) = vectors else { continue };
            let mut rows = (1u64..).zip(vectors.ids.names());
            if let Some((row, id)) = rows.find(|(_, id)| known.find(id).is_none()) {
                let missing = rows.filter(|(_, id)| known.find(id).is_none()).count();
                return Err(DataError::BadVector {
                    file: file.to_path_buf(),
                    row,
                    id: id.to_owned(),
                    what: format!(
                        "no such {field} is among the ratings and the users listed beside them, nor \
                         are {missing} others; import those first, or leave such rows out"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// Vectors on their way in.
struct Gathered<'a> {
    file: &'a Path,
    side: Side,
    limit: u64,
    users: Users,
    items: IdTable,
    width: usize,
    values: Vec<f32>,
    row: u64,
}

impl<'a> Gathered<'a> {
    fn new(file: &'a Path, side: Side, options: &FactorOptions) -> Self {
        Self {
            file,
            side,
            limit: options.max_bytes,
            users: Users::new(options.ids),
            items: IdTable::new(),
            width: 0,
            values: Vec::new(),
            row: 0,
        }
    }

    /// Takes the next row.
    fn take(
        &mut self,
        id: &str,
        vector: impl Iterator<Item = Option<f64>>,
    ) -> Result<(), DataError> {
        self.row += 1;
        if self.row > MAX_ROWS {
            return Err(DataError::TooManyRows {
                file: self.file.to_path_buf(),
                limit: MAX_ROWS,
            });
        }
        let place = Place {
            file: self.file,
            line: self.row,
            field: self.side.field(),
        };
        place.check(id)?;
        let before = self.values.len();
        let known = match self.side {
            Side::Users => self.users.len(),
            Side::Items => self.items.len(),
        };
        let index = match self.side {
            Side::Users => Some(self.users.take(place, id)?),
            Side::Items => self.items.intern(id),
        };
        if index.map(|index| index as usize) != Some(known) {
            return Err(self.bad(id, format!("this {} has a row already", self.side.field())));
        }
        for (column, value) in (1usize..).zip(vector) {
            if column > MAX_WIDTH {
                return Err(self.bad(id, format!("its vector has more than {MAX_WIDTH} values")));
            }
            #[expect(clippy::cast_possible_truncation, reason = "kept in single precision")]
            let value = value
                .map(|value| value as f32)
                .filter(|value| value.is_finite());
            let Some(value) = value else {
                let what = format!("value {column} of its vector is no finite number");
                return Err(self.bad(id, what));
            };
            self.values.push(value);
        }
        let width = self.values.len() - before;
        match self.width {
            _ if width == 0 => return Err(self.bad(id, "its vector is empty".into())),
            0 => self.width = width,
            expected if expected != width => {
                let what = format!("its vector has {width} values, those before it {expected}");
                return Err(self.bad(id, what));
            }
            _ => {}
        }
        if self.values.len() as u64 * 4 > self.limit {
            return Err(DataError::TooLarge {
                file: self.file.to_path_buf(),
                limit: self.limit,
            });
        }
        Ok(())
    }

    fn bad(&self, id: &str, what: String) -> DataError {
        DataError::BadVector {
            file: self.file.to_path_buf(),
            row: self.row,
            id: id.chars().take(60).collect(),
            what,
        }
    }

    fn finish(self) -> Result<Vectors, DataError> {
        if self.row == 0 {
            return Err(DataError::Empty {
                file: self.file.to_path_buf(),
                rows: 0,
                dropped: 0,
            });
        }
        Ok(Vectors {
            ids: match self.side {
                Side::Users => self.users.into_table(),
                Side::Items => self.items,
            },
            width: self.width,
            values: self.values,
        })
    }
}

type Found = (Vectors, Option<Vectors>, &'static str);

/// Vectors of one side, and of items where a file of users has them too.
fn read(file: &Path, side: Side, options: &FactorOptions) -> Result<Found, DataError> {
    let failed = |source| DataError::Open {
        file: file.to_path_buf(),
        source,
    };
    let mut start = [0; 4];
    let mut opened = std::fs::File::open(file).map_err(failed)?;
    let length = opened.metadata().map_err(failed)?.len();
    if length > options.max_bytes {
        return Err(DataError::TooLarge {
            file: file.to_path_buf(),
            limit: options.max_bytes,
        });
    }
    // A shorter file is neither kind.
    let is_long = opened.read_exact(&mut start).is_ok();
    if is_long && &start == b"PAR1" {
        let vectors = parquet_vectors::read(file, side, options)?;
        return Ok((vectors, None, "Parquet"));
    }
    drop(opened);
    let bytes = std::fs::read(file).map_err(failed)?;
    let (vectors, items) = tensors::read(file, &bytes, side, options)?;
    Ok((vectors, items, "safetensors"))
}
