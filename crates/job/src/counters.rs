//! Counters that both platforms hold: sums, comparisons, and how a difference reads.

use serde::{Deserialize, Serialize};

/// What was opened, in whole numbers that both platforms count alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Jobs with at least one opening.
    pub jobs: u32,
    /// Openings of Y·U.
    pub openings: u64,
    /// Openings × columns of one opening.
    pub opened_columns: u64,
    /// Rows × columns.
    pub opened_values: u64,
    /// Of the values, those opened without noise.
    pub exact_values: u64,
    /// zCDP ρ of all noised openings, in units of 10⁻⁹, each opening rounded up.
    pub nano_rho: u64,
    /// Uploads answered: stocks of masked columns, each further answer to one, and jobs of HE.
    /// Each adds 2^-40 to the distance of what P0 sees from a simulation without the links.
    pub stocks: u32,
}

/// Counts of the same things, field by field.
macro_rules! counts {
    ($own:ident { $($field:ident),+ $(,)? }) => {
        impl $own {
            /// The sum, which stops at the largest number instead of beginning anew.
            #[must_use]
            pub fn plus(&self, more: &Self) -> Self {
                Self { $($field: self.$field.saturating_add(more.$field)),+ }
            }

            /// The larger of two counts: of one job, counted twice.
            #[must_use]
            pub fn joined(&self, other: &Self) -> Self {
                Self { $($field: self.$field.max(other.$field)),+ }
            }
        }
    };
}
pub(crate) use counts;

counts!(Counters {
    jobs,
    openings,
    opened_columns,
    opened_values,
    exact_values,
    nano_rho,
    stocks,
});

impl Counters {
    /// What this has more than `other`, field by field.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        Self {
            jobs: self.jobs.saturating_sub(other.jobs),
            openings: self.openings.saturating_sub(other.openings),
            opened_columns: self.opened_columns.saturating_sub(other.opened_columns),
            opened_values: self.opened_values.saturating_sub(other.opened_values),
            exact_values: self.exact_values.saturating_sub(other.exact_values),
            nano_rho: self.nano_rho.saturating_sub(other.nano_rho),
            stocks: self.stocks.saturating_sub(other.stocks),
        }
    }

    /// Whether this counts at least what `other` counts, in every field.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.beyond(other).plus(other) == *self
    }

    /// For people: the first field that differs, or nothing.
    #[must_use]
    pub fn difference(&self, theirs: &Self) -> Option<String> {
        let ours = self;
        [
            ("jobs", u64::from(ours.jobs), u64::from(theirs.jobs)),
            ("openings", ours.openings, theirs.openings),
            ("opened columns", ours.opened_columns, theirs.opened_columns),
            ("opened values", ours.opened_values, theirs.opened_values),
            ("exact values", ours.exact_values, theirs.exact_values),
            ("10⁻⁹ of zCDP ρ", ours.nano_rho, theirs.nano_rho),
            ("uploads answered", ours.stocks.into(), theirs.stocks.into()),
        ]
        .into_iter()
        .find(|(_, ours, theirs)| ours != theirs)
        .map(|(what, ours, theirs)| format!("{ours} {what} here, {theirs} there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(numbers: [u32; 7]) -> Counters {
        let wide = numbers.map(u64::from);
        Counters {
            jobs: numbers[0],
            openings: wide[1],
            opened_columns: wide[2],
            opened_values: wide[3],
            exact_values: wide[4],
            nano_rho: wide[5],
            stocks: numbers[6],
        }
    }

    #[test]
    fn every_field_is_added_compared_and_named() {
        let ours = counters([1, 2, 3, 4, 5, 6, 7]);
        for field in 0..7 {
            let mut one = [0; 7];
            one[field] = 1;
            let more = ours.plus(&counters(one));
            assert_eq!(more.beyond(&ours), counters(one));
            assert!(more.contains(&ours) && !ours.contains(&more));
            assert!(ours.difference(&more).is_some(), "{field}");
        }
        assert_eq!(ours.difference(&ours), None);
    }
}
