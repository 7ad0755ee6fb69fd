//! Which column holds what: as asked for, or by the names that people give their columns.

use serde::{Deserialize, Serialize};

use crate::{ColumnError, DataError, column_names};

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// Counted from 0.
    Index(usize),
    /// By the header's name, compared without case.
    Name(String),
    /// Where the file's own names say; without names, in the usual order.
    #[default]
    Usual,
}

/// Says that a column that may be absent is not used.
pub const NO_COLUMN: &str = "none";

/// No file that people keep has more columns.
const MAX_COLUMNS: usize = 1 << 16;

impl Column {
    /// A column as people write it: a number counts from 1, all else is a name in the header;
    /// nothing is the usual one, and `none` none where that can be.
    ///
    /// # Errors
    /// [`DataError::BadColumn`] for a number below 1.
    pub fn named(text: &str) -> Result<Self, DataError> {
        if text.is_empty() {
            return Ok(Self::Usual);
        }
        match text.parse::<usize>() {
            Ok(number) if (1..=MAX_COLUMNS).contains(&number) => Ok(Self::Index(number - 1)),
            Ok(actual) => Err(DataError::BadColumn { actual }),
            Err(_) => Ok(Self::Name(text.into())),
        }
    }

    /// Whether [`NO_COLUMN`] was asked for.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::Name(name) if name.eq_ignore_ascii_case(NO_COLUMN))
    }
}

/// A field that rows have.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    /// What messages call it.
    pub(crate) field: &'static str,
    /// The option that says where it stands.
    pub(crate) flag: &'static str,
    /// Where it stands.
    pub(crate) column: Column,
    /// Names that mean it.
    names: &'static str,
    /// Its place in a file without names, where it has one.
    pub(crate) usual: Option<usize>,
}

impl Role {
    /// Whether a file must have it.
    pub(crate) fn is_needed(&self) -> bool {
        self.usual.is_some() || !matches!(self.column, Column::Usual)
    }

    /// Whether a column of this name holds it where no other does: what Amazon calls the product
    /// of which an item is one variant.
    fn is_second(&self, name: &str) -> bool {
        self.field == "item" && plain(name) == "parentasin"
    }

    /// Whether a column of this name holds it.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let name = plain(name);
        self.names.split_whitespace().any(|known| known == name)
    }
}

macro_rules! role {
    ($role:ident, $field:literal, $flag:literal, $usual:expr, $names:ident) => {
        #[doc = concat!("The ", $field, " at `column`.")]
        pub(crate) fn $role(column: &Column) -> Role {
            Role {
                field: $field,
                flag: $flag,
                column: column.clone(),
                names: column_names::$names,
                usual: $usual,
            }
        }
    };
}

role!(user, "user", "--user-column", Some(0), USER);
role!(item, "item", "--item-column", Some(1), ITEM);
role!(rating, "rating", "--rating-column", Some(2), RATING);
role!(
    timestamp,
    "timestamp",
    "--timestamp-column",
    None,
    TIMESTAMP
);
role!(listed, "user", "--users-column", Some(0), LISTED);
role!(truster, "truster", "--truster-column", Some(0), TRUSTER);
role!(trustee, "trustee", "--trustee-column", Some(1), TRUSTEE);
role!(friends, "friends", "--trustee-column", Some(1), FRIENDS);
role!(weight, "weight", "--weight-column", None, WEIGHT);

/// A name without case, without what stands between words, and without the type that RecBole
/// writes behind it.
fn plain(name: &str) -> String {
    const TYPES: [&str; 4] = [":token", ":token_seq", ":float", ":float_seq"];
    let name = name.trim().trim_start_matches(['#', '%']);
    let untyped = TYPES.iter().find_map(|suffix| name.strip_suffix(suffix));
    let plain = untyped
        .unwrap_or(name)
        .chars()
        .filter(|c| c.is_alphanumeric());
    plain.flat_map(char::to_lowercase).collect()
}

/// Whether a column of this name numbers the rows: pandas' index, R's row names.
pub(crate) fn is_index(name: &str) -> bool {
    let plain = plain(name);
    plain.is_empty() || plain == "rownames" || {
        plain
            .strip_prefix("unnamed")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    }
}

/// Where each role's field stands among columns called `names`; `None` for one that the file
/// does not have and need not.
pub(crate) fn by_name(roles: &[Role], names: &[&str]) -> Result<Vec<Option<usize>>, ColumnError> {
    let places = roles.iter().map(|role| place(roles, role, names));
    let places: Vec<Option<usize>> = places.collect::<Result<_, _>>()?;
    distinct(roles, &places)?;
    Ok(places)
}

fn place(roles: &[Role], role: &Role, names: &[&str]) -> Result<Option<usize>, ColumnError> {
    let header = || {
        names
            .iter()
            .take(32)
            .map(|name| name.chars().take(40).collect())
            .collect()
    };
    let found: Vec<usize> = match &role.column {
        column if column.is_none() => return Ok(None),
        Column::Index(index) => {
            let Some(name) = names.get(*index) else {
                return Err(ColumnError::NoSuchColumn {
                    name: (index + 1).to_string(),
                    header: header(),
                });
            };
            let other = roles
                .iter()
                .find(|other| other.field != role.field && other.is_called(name));
            if let Some(other) = other.filter(|_| !role.is_called(name)) {
                return Err(ColumnError::Contradiction {
                    flag: role.flag,
                    number: index + 1,
                    name: (*name).to_owned(),
                    field: other.field,
                });
            }
            vec![*index]
        }
        Column::Name(wanted) => {
            let exact = positions(names, |name| name.eq_ignore_ascii_case(wanted));
            let found = match exact.is_empty() {
                true => positions(names, |name| plain(name) == plain(wanted)),
                false => exact,
            };
            if found.is_empty() {
                return Err(ColumnError::NoSuchColumn {
                    name: wanted.clone(),
                    header: header(),
                });
            }
            found
        }
        Column::Usual => {
            let claimed = |name: &&str| {
                roles.iter().any(|other| match &other.column {
                    Column::Name(wanted) => name.eq_ignore_ascii_case(wanted),
                    Column::Index(index) => names.get(*index) == Some(name),
                    Column::Usual => false,
                })
            };
            let found = positions(names, |name| role.is_called(name) && !claimed(&name));
            let found = match found.is_empty() {
                true => positions(names, |name| role.is_second(name) && !claimed(&name)),
                false => found,
            };
            if found.is_empty() && role.is_needed() {
                return Err(ColumnError::NoColumnFor {
                    field: role.field,
                    flag: role.flag,
                    header: header(),
                });
            }
            found
        }
    };
    match found[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        [first, second, ..] => Err(ColumnError::TwoColumnsFor {
            field: role.field,
            flag: role.flag,
            first: names[first].to_owned(),
            second: names[second].to_owned(),
        }),
    }
}

fn positions(names: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    let named = names.iter().enumerate().filter(|(_, name)| wanted(name));
    named.map(|(position, _)| position).collect()
}

/// Where each role's field stands in a file without names.
pub(crate) fn by_order(roles: &[Role]) -> Result<Vec<Option<usize>>, ColumnError> {
    let places: Vec<Option<usize>> = roles
        .iter()
        .map(|role| match &role.column {
            Column::Index(index) => Some(*index),
            Column::Usual => role.usual,
            Column::Name(_) => None,
        })
        .collect();
    distinct(roles, &places)?;
    Ok(places)
}

/// No two fields stand in one column.
fn distinct(roles: &[Role], places: &[Option<usize>]) -> Result<(), ColumnError> {
    for (later, place) in places.iter().enumerate() {
        let earlier = places[..later].iter().position(|other| other == place);
        if let (Some(column), Some(earlier)) = (place, earlier) {
            return Err(ColumnError::SameColumn {
                column: column + 1,
                first: roles[earlier].field,
                second: roles[later].field,
                flag: roles[later].flag,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratings(header: &[&str]) -> Result<Vec<Option<usize>>, ColumnError> {
        let usual = Column::Usual;
        let roles = [
            user(&usual),
            item(&usual),
            rating(&usual),
            timestamp(&usual),
        ];
        by_name(&roles, header)
    }

    #[test]
    fn names_decide_in_any_order() {
        for (header, expected) in [
            (
                &["item_id", "user_id", "rating"][..],
                [Some(1), Some(0), Some(2), None],
            ),
            (
                &["userId", "movieId", "rating", "timestamp"],
                [Some(0), Some(1), Some(2), Some(3)],
            ),
            (
                &[
                    "user_id:token",
                    "item_id:token",
                    "timestamp:float",
                    "rating:float",
                ],
                [Some(0), Some(1), Some(3), Some(2)],
            ),
            (
                &["User-ID", "ISBN", "Book-Rating"],
                [Some(0), Some(1), Some(2), None],
            ),
            (
                &["review_id", "user_id", "business_id", "stars", "date"],
                [Some(1), Some(2), Some(3), None],
            ),
        ] {
            assert_eq!(ratings(header).unwrap(), expected, "{header:?}");
        }
    }

    #[test]
    fn what_names_do_not_settle_is_refused_with_the_option_that_does() {
        for (header, part) in [
            (&["who", "item", "rating"][..], "--user-column"),
            (&["user_id", "uid", "item", "rating"], "--user-column"),
            (&["user", "item", "rating", "stars"], "--rating-column"),
        ] {
            let refused = ratings(header).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
        let roles = [
            user(&Column::Index(1)),
            item(&Column::Usual),
            rating(&Column::Usual),
        ];
        let refused = by_name(&roles, &["user", "item", "rating"]).unwrap_err();
        assert!(
            matches!(refused, ColumnError::Contradiction { field: "item", .. }),
            "{refused}"
        );
        let roles = [
            user(&Column::Index(0)),
            item(&Column::Index(0)),
            rating(&Column::Usual),
        ];
        let refused = by_order(&roles).unwrap_err();
        assert!(
            matches!(refused, ColumnError::SameColumn { column: 1, .. }),
            "{refused}"
        );
    }

    #[test]
    fn a_name_is_known_for_one_field_of_a_row() {
        let usual = Column::Usual;
        for roles in [
            &[
                user(&usual),
                item(&usual),
                rating(&usual),
                timestamp(&usual),
            ][..],
            &[
                truster(&usual),
                trustee(&usual),
                friends(&usual),
                weight(&usual),
            ],
        ] {
            for (place, role) in roles.iter().enumerate() {
                for name in role.names.split_whitespace() {
                    assert_eq!(name, plain(name));
                    let others = roles
                        .iter()
                        .enumerate()
                        .filter(|(other, _)| *other != place);
                    assert!(
                        others.clone().all(|(_, other)| !other.is_called(name)),
                        "{name}"
                    );
                }
            }
        }
    }
}
