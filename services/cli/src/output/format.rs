//! Numbers and names as people read them.

pub use s3rec_job::number_format::{bytes, count, duration, name, relative};

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
    fn moments_are_told_by_the_clock() {
        assert_eq!(moment(1_800_000_000_000), "2027-01-15 08:00");
        assert_eq!(
            (moment(0), moment(i64::MAX)),
            (String::new(), String::new())
        );
    }
}
