//! Counters that both platforms hold: sums, comparisons, and how a difference reads.

use crate::v1::Counters;

/// The sum, field by field; it stops at the largest number instead of beginning anew.
#[must_use]
pub fn add(a: &Counters, b: &Counters) -> Counters {
    Counters {
        jobs: a.jobs.saturating_add(b.jobs),
        openings: a.openings.saturating_add(b.openings),
        opened_columns: a.opened_columns.saturating_add(b.opened_columns),
        opened_values: a.opened_values.saturating_add(b.opened_values),
        exact_values: a.exact_values.saturating_add(b.exact_values),
        nano_rho: a.nano_rho.saturating_add(b.nano_rho),
        stocks: a.stocks.saturating_add(b.stocks),
    }
}

/// What `a` has more than `b`, field by field.
#[must_use]
pub fn less(a: &Counters, b: &Counters) -> Counters {
    Counters {
        jobs: a.jobs.saturating_sub(b.jobs),
        openings: a.openings.saturating_sub(b.openings),
        opened_columns: a.opened_columns.saturating_sub(b.opened_columns),
        opened_values: a.opened_values.saturating_sub(b.opened_values),
        exact_values: a.exact_values.saturating_sub(b.exact_values),
        nano_rho: a.nano_rho.saturating_sub(b.nano_rho),
        stocks: a.stocks.saturating_sub(b.stocks),
    }
}

/// Whether `a` counts at least what `b` counts, in every field.
#[must_use]
pub fn contains(a: &Counters, b: &Counters) -> bool {
    add(&less(a, b), b) == *a
}

/// For people: the first field that differs, or nothing.
#[must_use]
pub fn as_counted(ours: &Counters, theirs: &Counters) -> Option<String> {
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
            let more = add(&ours, &counters(one));
            assert_eq!(less(&more, &ours), counters(one));
            assert!(contains(&more, &ours) && !contains(&ours, &more));
            assert!(as_counted(&ours, &more).is_some(), "{field}");
        }
        assert_eq!(as_counted(&ours, &ours), None);
    }
}
