//! Numbers and times as people write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Decimal {
    /// `1234.5`.
    #[default]
    Point,
    /// `1234,5` or `1.234,5`.
    Comma,
}

/// A finite number.
pub(crate) fn number(text: &str, decimal: Decimal) -> Option<f64> {
    let plain = match decimal {
        Decimal::Point => text.parse::<f64>(),
        Decimal::Comma => {
            let (whole, fraction) = text.split_once(',').unwrap_or((text, ""));
            if fraction.contains(['.', ',']) {
                return None;
            }
            let whole = ungrouped(whole)?;
            format!("{whole}.{fraction}").parse::<f64>()
        }
    };
    // What is called infinite or not a number is no number here.
    plain.ok().filter(|number| number.is_finite())
}

/// Without the points between groups of three digits.
fn ungrouped(whole: &str) -> Option<String> {
    let mut groups = whole.split('.');
    let first = groups.next()?;
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || !group.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.push_str(group);
    }
    let leading = first.trim_start_matches(['+', '-']).len();
    (digits.len() == first.len() || (1..=3).contains(&leading)).then_some(digits)
}

/// Whether a field says that there is nothing.
pub(crate) fn is_missing(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "", "null", "na", "n/a", "<na>", "nan", "none", "nil", "\\n", "-", "\u{2013}", "\u{2014}",
    ];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Milliseconds since 1970 of a time given as a number, the unit told by its size, or as ISO 8601
/// (without a zone: UTC).
pub(crate) fn time_ms(text: &str, decimal: Decimal) -> Option<i64> {
    if let Ok(whole) = text.parse::<i64>() {
        // Seconds reach 10^11 in the year 5138, milliseconds have reached it in 1973, and so on.
        return match whole.unsigned_abs() {
            0..100_000_000_000 => whole.checked_mul(1000),
            100_000_000_000..100_000_000_000_000 => Some(whole),
            100_000_000_000_000..100_000_000_000_000_000 => Some(whole / 1000),
            _ => Some(whole / 1_000_000),
        };
    }
    if let Some(seconds) = number(text, decimal) {
        let ms = match seconds.abs() {
            size if size < 1e11 => seconds * 1e3,
            size if size < 1e14 => seconds,
            size if size < 1e17 => seconds / 1e3,
            size if size < 9e18 => seconds / 1e6,
            _ => return None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        return Some(ms.round() as i64);
    }
    let zoned = [
        "%+",
        // Of PostgreSQL, which leaves out minutes that are none.
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M:%S%.f %Z",
        "%a %b %d %H:%M:%S %z %Y",
    ];
    for format in zoned {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some(time.timestamp_millis());
        }
    }
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_millis());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_decimal_only_when_asked() {
        for (text, point, comma) in [
            ("5", Some(5.0), Some(5.0)),
            ("5,5", None, Some(5.5)),
            ("1.234,5", None, Some(1234.5)),
            ("-1.234.567", None, Some(-1_234_567.0)),
            ("1.5", Some(1.5), None),
            ("1.234", Some(1.234), Some(1234.0)),
            ("1,2,3", None, None),
            ("1.2345,0", None, None),
            ("12345.678,0", None, None),
            ("1e3", Some(1000.0), None),
            ("NaN", None, None),
            ("inf", None, None),
            ("", None, None),
            (",", None, None),
        ] {
            assert_eq!(number(text, Decimal::Point), point, "{text:?}");
            if text != "1e3" {
                assert_eq!(number(text, Decimal::Comma), comma, "{text:?} with a comma");
            }
        }
    }

    #[test]
    fn one_moment_in_many_forms() {
        let ms = 1_287_532_500_000;
        for text in [
            "1287532500",
            "1287532500.0",
            "1.2875325e9",
            "1287532500000",
            "1287532500000.0",
            "1287532500000000",
            "1287532500000000000",
            "2010-10-19T23:55:00Z",
            "2010-10-20T01:55:00+02:00",
            "2010-10-19T23:55:00",
            "2010-10-19 23:55:00",
            "2010-10-19 23:55:00.000",
            "2010-10-19 23:55:00 UTC",
            "2010-10-20 01:55:00+02:00",
            "2010-10-20 01:55:00.000+02",
            "2010-10-19T23:55",
            "Tue Oct 19 16:55:00 -0700 2010",
        ] {
            assert_eq!(time_ms(text, Decimal::Point), Some(ms), "{text}");
        }
        assert_eq!(time_ms("2010-10-19", Decimal::Point), Some(ms - 86_100_000));
        assert_eq!(
            time_ms("964982703.25", Decimal::Point),
            Some(964_982_703_250)
        );
        assert_eq!(time_ms("-1", Decimal::Point), Some(-1000));
        for no_time in ["noon", "", "09 13, 2009", "2010-13-01", "1e300"] {
            assert_eq!(time_ms(no_time, Decimal::Point), None, "{no_time}");
        }
    }
}
