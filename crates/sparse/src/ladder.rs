/// The smallest public bound of the ladder {2^j, 3·2^(j−1)} that is at least `value`.
///
/// P1 publishes bounds (row norm, non-zeros) from this ladder only, so that they say at most
/// which half octave the secret value lies in (protocol page, section 2). Values above the
/// largest ladder value of a `u64` saturate at `u64::MAX`, which no job accepts.
pub fn ladder(value: u64) -> u64 {
    let Some(power) = value.max(1).checked_next_power_of_two() else {
        return u64::MAX;
    };
    let three_halves = power / 4 * 3;
    if three_halves >= value.max(1) {
        three_halves
    } else {
        power
    }
}

#[cfg(test)]
mod tests {
    use super::ladder;

    #[test]
    fn climbs_by_half_octaves() {
        let steps: Vec<u64> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 24, 25]
            .into_iter()
            .map(ladder)
            .collect();
        assert_eq!(
            steps,
            [1, 1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 16, 16, 24, 24, 32]
        );
    }

    #[test]
    fn is_tight_from_above() {
        for value in 1..5000u64 {
            let bound = ladder(value);
            assert!(bound >= value && bound < 2 * value);
            assert_eq!(ladder(bound), bound);
        }
        assert_eq!(ladder(u64::MAX), u64::MAX);
    }
}
