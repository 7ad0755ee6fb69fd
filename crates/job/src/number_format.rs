//! Numbers, names and times as people read them.

/// Bytes in units of 1,000, three digits.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let mut scaled = (bytes, 0_u64);
    for unit in ["B", "kB", "MB", "GB", "TB", "PB"] {
        let (whole, thousandths) = scaled;
        if whole < 1_000 || unit == "PB" {
            return match (unit, whole) {
                ("B", _) | (_, 100..) => format!("{whole} {unit}"),
                (_, 10..) => format!("{whole}.{} {unit}", thousandths / 100),
                _ => format!("{whole}.{:02} {unit}", thousandths / 10),
            };
        }
        scaled = (whole / 1_000, whole % 1_000);
    }
    format!("{bytes} B")
}

/// Seconds in the unit that leaves few digits.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 0.01 {
        format!("{:.2} ms", seconds * 1_000.0)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1_000.0)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else if seconds < 7_200.0 {
        format!(
            "{:.0} min {:.0} s",
            (seconds / 60.0).floor(),
            seconds % 60.0
        )
    } else if seconds < 172_800.0 {
        format!("{:.1} h", seconds / 3_600.0)
    } else {
        format!("{:.1} days", seconds / 86_400.0)
    }
}

/// How far a time (milliseconds since the Unix epoch) is from `now`: `3 min ago`, `in 12 days`; empty
/// for 0, which is no time.
#[must_use]
pub fn relative(unix_ms: i64, now_unix_ms: i64) -> String {
    if unix_ms == 0 {
        return String::new();
    }
    let seconds = unix_ms.saturating_sub(now_unix_ms) / 1000;
    let (count, unit) = match seconds.unsigned_abs() {
        0..60 => return if seconds < 0 { "just now" } else { "now" }.into(),
        far @ 60..7_200 => (far / 60, "min"),
        far @ 7_200..172_800 => (far / 3_600, "h"),
        far => (far / 86_400, "days"),
    };
    match seconds < 0 {
        true => format!("{count} {unit} ago"),
        false => format!("in {count} {unit}"),
    }
}

/// `JOB_STATE_RUNNING` of the type `JOB_STATE` becomes `running`.
#[must_use]
pub fn name(proto_name: &str, type_prefix: &str) -> String {
    let bare = proto_name.strip_prefix(type_prefix).unwrap_or(proto_name);
    bare.trim_start_matches('_')
        .to_lowercase()
        .replace('_', "-")
}

/// A whole number with a comma every three digits.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something, as in "1 opening" or "2,000 openings".
#[must_use]
pub fn of(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// How many times more, with three digits at most.
#[must_use]
pub fn times(ratio: f64) -> String {
    if ratio >= 1_000.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio of costs"
        )]
        let whole = ratio.round() as u64;
        format!("{} ×", count(whole))
    } else if ratio >= 100.0 {
        format!("{ratio:.0} ×")
    } else if ratio >= 10.0 {
        format!("{ratio:.1} ×")
    } else {
        format!("{ratio:.2} ×")
    }
}

/// What figures are over: `one run`, or `medians of 3 runs`.
#[must_use]
pub fn runs(number: u64) -> String {
    match number {
        0 | 1 => "one run".to_owned(),
        more => format!("medians of {more} runs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_three_digits() {
        let shown: Vec<String> = [0, 999, 1_000, 12_345, 999_999, 5_250_000, u64::MAX]
            .map(bytes)
            .into();
        assert_eq!(
            shown,
            [
                "0 B", "999 B", "1.00 kB", "12.3 kB", "999 kB", "5.25 MB", "18446 PB"
            ]
        );
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn durations_choose_their_unit() {
        assert_eq!(
            [0.000_02, 0.0123, 59.94, 150.0, 36_000.0, 864_000.0].map(duration),
            [
                "0.02 ms",
                "12 ms",
                "59.9 s",
                "2 min 30 s",
                "10.0 h",
                "10.0 days"
            ]
        );
    }

    #[test]
    fn ratios_keep_what_matters() {
        assert_eq!(
            [1.005, 12.34, 423.4, 18_600.2].map(times),
            ["1.00 ×", "12.3 ×", "423 ×", "18,600 ×"]
        );
    }

    #[test]
    fn times_are_told_from_now() {
        const NOW: i64 = 1_800_000_000_000;
        let far = |seconds: i64| relative(NOW + 1000 * seconds, NOW);
        assert_eq!(far(-5), "just now");
        assert_eq!(far(-200), "3 min ago");
        assert_eq!(far(3 * 3_600), "in 3 h");
        assert_eq!(far(29 * 86_400), "in 29 days");
        assert_eq!(relative(0, NOW), "");
        assert!(!relative(i64::MIN, NOW).is_empty());
    }

    #[test]
    fn names_lose_their_type() {
        assert_eq!(
            name("OPERATOR_NORMALIZED_LAPLACIAN", "OPERATOR"),
            "normalized-laplacian"
        );
    }
}
