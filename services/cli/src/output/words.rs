//! Numbers and names as people read them.

/// `JOB_STATE_RUNNING` of the type `JOB_STATE` becomes `running`.
#[must_use]
pub fn name(proto_name: &str, type_prefix: &str) -> String {
    let bare = proto_name.strip_prefix(type_prefix).unwrap_or(proto_name);
    bare.trim_start_matches('_')
        .to_lowercase()
        .replace('_', "-")
}

/// Bytes in units of 1,000, three digits.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let mut scaled = (bytes, 0_u64);
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        let (whole, thousandths) = scaled;
        if whole < 1_000 || unit == "TB" {
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

/// Seconds as milliseconds, seconds or minutes.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1_000.0)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!(
            "{:.0} min {:.0} s",
            (seconds / 60.0).floor(),
            seconds % 60.0
        )
    }
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
                "0 B",
                "999 B",
                "1.00 kB",
                "12.3 kB",
                "999 kB",
                "5.25 MB",
                "18446744 TB"
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
    fn names_lose_their_type() {
        assert_eq!(
            name("OPERATOR_NORMALIZED_LAPLACIAN", "OPERATOR"),
            "normalized-laplacian"
        );
    }

    #[test]
    fn durations_choose_their_unit() {
        assert_eq!(
            [0.0123, 59.94, 150.0].map(duration),
            ["12 ms", "59.9 s", "2 min 30 s"]
        );
    }
}
