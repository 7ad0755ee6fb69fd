//! Numbers and names as people read them.

pub use s3rec_job::number_format::{bytes, count, duration};

/// `JOB_STATE_RUNNING` of the type `JOB_STATE` becomes `running`.
#[must_use]
pub fn name(proto_name: &str, type_prefix: &str) -> String {
    let bare = proto_name.strip_prefix(type_prefix).unwrap_or(proto_name);
    bare.trim_start_matches('_')
        .to_lowercase()
        .replace('_', "-")
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

/// A time (milliseconds since the Unix epoch) as `2026-11-27 21:14`, UTC; empty for 0, which is no
/// time.
#[must_use]
pub fn moment(unix_ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(unix_ms / 1000);
    match at {
        Ok(at) if unix_ms != 0 => format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute()),
        _ => String::new(),
    }
}

/// Today, UTC: `2026-11-27`.
#[must_use]
pub fn date_now() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn moments_are_told_by_the_clock() {
        assert_eq!(moment(1_800_000_000_000), "2027-01-15 08:00");
        assert_eq!(
            (moment(0), moment(i64::MAX)),
            (String::new(), String::new())
        );
    }

    #[test]
    fn names_lose_their_type() {
        assert_eq!(
            name("OPERATOR_NORMALIZED_LAPLACIAN", "OPERATOR"),
            "normalized-laplacian"
        );
    }
}
