//! Forms of ids that somebody else may not have them in.

use std::collections::HashSet;

use crate::numbers::is_missing;
use crate::{IdTable, Suspicion, SuspicionKind};

/// What cannot be an id, and what to do.
pub(crate) fn damage(id: &str) -> Option<&'static str> {
    if id.contains('\u{feff}') {
        return Some(
            "with a byte order mark inside the file: files were joined one after the other; \
             remove it from all but the first",
        );
    }
    if id.chars().any(char::is_control) {
        return Some("with a control character; export the file anew as UTF-8");
    }
    if is_rounded(id) {
        return Some(
            "which a spreadsheet has rounded: other ids have become the same; export the file \
             anew with ids as text",
        );
    }
    None
}

/// Mantissa digits after the point and the exponent of `d.ddE+dd`.
fn scientific(id: &str) -> Option<(usize, usize)> {
    let (mantissa, exponent) = id.split_once(['e', 'E'])?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.')?;
    let power = exponent.strip_prefix('+').unwrap_or(exponent);
    let plain = whole.len() == 1 && digits(whole) && digits(fraction) && digits(power);
    plain
        .then(|| power.parse().ok())
        .flatten()
        .map(|power| (fraction.len(), power))
}

/// As spreadsheets show long numbers: digits have been lost.
fn is_rounded(id: &str) -> bool {
    id.contains("E+") && scientific(id).is_some_and(|(digits, power)| digits < power)
}

fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}')
}

fn is_numeric(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// A test of one id, and what it means.
type Test = (SuspicionKind, fn(&str) -> bool);

/// Of every id that others must have alike.
const USERS: [Test; 7] = [
    (SuspicionKind::Scientific, |id| scientific(id).is_some()),
    (SuspicionKind::DecimalPoint, |id| {
        id.strip_suffix(".0").is_some_and(is_numeric)
    }),
    (SuspicionKind::LeadingZeros, |id| {
        id.len() > 1 && id.starts_with('0') && is_numeric(id)
    }),
    (SuspicionKind::Quotes, is_quoted),
    (SuspicionKind::Invisible, |id| id.chars().any(is_invisible)),
    (SuspicionKind::Replacement, |id| id.contains('\u{fffd}')),
    (SuspicionKind::List, |id| {
        id.contains(", ") || id.contains("; ")
    }),
];

/// Of ids that stay where they are.
const ITEMS: [Test; 2] = [
    (SuspicionKind::Scientific, |id| scientific(id).is_some()),
    (SuspicionKind::Replacement, |id| id.contains('\u{fffd}')),
];

fn is_quoted(id: &str) -> bool {
    let inside = |quote: char| id.len() > 1 && id.starts_with(quote) && id.ends_with(quote);
    inside('"') || inside('\'')
}

/// Counts what is suspicious among ids.
pub(crate) fn of_ids(field: &'static str, ids: &IdTable) -> Vec<Suspicion> {
    let tests: &[Test] = match field {
        "user" => &USERS,
        _ => &ITEMS,
    };
    let mut counts = vec![(0_u64, ""); tests.len()];
    let mut missing = (0, "");
    let mut same_but_case = (0, "");
    let mut lower_forms = HashSet::new();
    for id in ids.names() {
        for ((count, example), (_, test)) in counts.iter_mut().zip(tests) {
            tally(count, example, id, test(id));
        }
        tally(
            &mut missing.0,
            &mut missing.1,
            id,
            is_missing(id) && id != "-",
        );
        if field == "user" && id.chars().any(char::is_uppercase) {
            let lower = id.to_lowercase();
            let known = ids.find(&lower).is_some() || !lower_forms.insert(lower);
            tally(&mut same_but_case.0, &mut same_but_case.1, id, known);
        }
    }
    let kinds = tests.iter().map(|(kind, _)| *kind);
    let all = kinds.zip(counts).chain([
        (SuspicionKind::MissingWord, missing),
        (SuspicionKind::LetterCase, same_but_case),
    ]);
    all.filter(|(_, (count, _))| *count > 0)
        .map(|(kind, (count, example))| Suspicion {
            kind,
            field: field.into(),
            count,
            of: ids.len() as u64,
            example: example.chars().take(60).collect(),
        })
        .collect()
}

fn tally<'t>(count: &mut u64, example: &mut &'t str, id: &'t str, is_one: bool) {
    if is_one {
        if *count == 0 {
            *example = id;
        }
        *count += 1;
    }
}

/// Users whose ids are another's once what cannot be seen is taken away: one person twice.
pub(crate) fn invisible_twins(ids: &IdTable) -> Option<u32> {
    let twin = |id: &str| {
        let seen: String = id
            .chars()
            .filter(|character| !is_invisible(*character))
            .collect();
        seen.len() < id.len() && ids.find(&seen).is_some()
    };
    let found = ids.names().position(twin)?;
    u32::try_from(found).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(ids: &[&str]) -> Vec<(SuspicionKind, u64)> {
        let table: IdTable = ids.iter().collect();
        of_ids("user", &table)
            .iter()
            .map(|one| (one.kind, one.count))
            .collect()
    }

    #[test]
    fn forms_of_ids_are_counted() {
        use SuspicionKind as Kind;
        assert_eq!(
            kinds(&["1", "ann", "7e12", "a1b2", "10.5", "v1.0", "0"]),
            []
        );
        assert_eq!(kinds(&["1.000e+00", "2.5E3"]), [(Kind::Scientific, 2)]);
        assert_eq!(kinds(&["1.0", "2.0", "3"]), [(Kind::DecimalPoint, 2)]);
        assert_eq!(kinds(&["007", "42"]), [(Kind::LeadingZeros, 1)]);
        assert_eq!(kinds(&["\"1\"", "'2'"]), [(Kind::Quotes, 2)]);
        assert_eq!(kinds(&["a\u{200b}", "b"]), [(Kind::Invisible, 1)]);
        assert_eq!(kinds(&["u1, u2"]), [(Kind::List, 1)]);
        assert_eq!(kinds(&["NaN", "b"]), [(Kind::MissingWord, 1)]);
        assert_eq!(
            kinds(&["Ann", "ann", "BOB", "Bob"]),
            [(Kind::LetterCase, 2)]
        );
        // A joined emoji is what somebody chose.
        assert_eq!(kinds(&["\u{1f469}\u{200d}\u{1f680}"]), []);
    }

    #[test]
    fn only_certain_damage_is_refused() {
        for id in ["7.65612E+16", "u\0", "\u{feff}u1", "a\tb"] {
            assert!(damage(id).is_some(), "{id:?}");
        }
        for id in [
            "1.0E+00",
            "1.000000e+01",
            "7e12",
            "1.25E+2",
            "ü",
            "\u{202e}u1",
        ] {
            assert_eq!(damage(id), None, "{id:?}");
        }
        let table: IdTable = ["u1", "\u{200b}u1", "u2"].into_iter().collect();
        assert_eq!(invisible_twins(&table), Some(1));
        let table: IdTable = ["\u{200b}u1", "u2"].into_iter().collect();
        assert_eq!(invisible_twins(&table), None);
    }
}
