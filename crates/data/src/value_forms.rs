//! Ratings that may mean something else than a rating.

use crate::{Suspicion, SuspicionKind};

/// Fewer distinct ratings have no usual span.
const FEW: usize = 4;

/// Counts what is suspicious among ratings on an unstated scale.
pub(crate) fn of_values(values: impl Iterator<Item = f32> + Clone) -> Vec<Suspicion> {
    let (min, max) = values
        .clone()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), value| {
            (min.min(value), max.max(value))
        });
    let above = values
        .clone()
        .filter(|value| *value > min)
        .fold(f32::INFINITY, f32::min);
    let below = values
        .clone()
        .filter(|value| *value < max)
        .fold(f32::NEG_INFINITY, f32::max);
    let of = values.clone().count() as u64;
    let whole = values.clone().all(|value| value.fract() == 0.0);
    let mut distinct = Vec::new();
    for value in values.clone() {
        if distinct.len() < FEW && !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    let few = distinct.len() < FEW;
    let mut found = Vec::new();
    let mut add = |kind, extreme: f32| {
        found.push(Suspicion {
            kind,
            field: "rating".into(),
            count: values.clone().filter(|value| *value == extreme).count() as u64,
            of,
            example: extreme.to_string(),
        });
    };
    if min == -1.0 && above >= 0.0 && above < max {
        add(SuspicionKind::MinusOne, min);
    } else if min == 0.0 && above >= 1.0 && whole && max > 1.0 {
        add(SuspicionKind::ZeroRating, min);
    } else if !few && above - min > 2.0 * (max - above) {
        add(SuspicionKind::Outlier, min);
    }
    // Far beyond what the others span.
    if !few && max - below > 2.0 * (below - min) {
        add(SuspicionKind::Outlier, max);
    }
    let largest = min.abs().max(max.abs());
    if largest > 1e6 || (largest < 1e-6 && largest > 0.0) {
        add(
            SuspicionKind::Magnitude,
            if largest == max.abs() { max } else { min },
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_that_mean_something_else_are_found() {
        use SuspicionKind as Kind;
        let of = |values: &[f32]| -> Vec<(SuspicionKind, u64)> {
            let found = of_values(values.iter().copied());
            found.iter().map(|one| (one.kind, one.count)).collect()
        };
        for usual in [
            &[1.0, 5.0][..],
            &[0.5, 1.0, 4.0],
            &[0.0, 1.0],
            &[1.0, 2.0, 3.0, 4.0, 5.0],
            &[-1.0, 1.0],
            &[0.0, 0.5, 5.0],
            &[-9.9, 0.0, 9.9],
        ] {
            assert_eq!(of(usual), [], "{usual:?}");
        }
        assert_eq!(of(&[-1.0, 1.0, 5.0, -1.0]), [(Kind::MinusOne, 2)]);
        assert_eq!(of(&[0.0, 7.0, 10.0]), [(Kind::ZeroRating, 1)]);
        assert_eq!(of(&[-9.5, 4.25, 9.75, 99.0, 99.0]), [(Kind::Outlier, 2)]);
        assert_eq!(of(&[1.0, 3.0, 5.0, 99_999.0]), [(Kind::Outlier, 1)]);
        assert_eq!(of(&[1e30, 2e30, 3e30]), [(Kind::Magnitude, 1)]);
        assert_eq!(of(&[1e-30, 2e-30, 3e-30]), [(Kind::Magnitude, 1)]);
    }
}
