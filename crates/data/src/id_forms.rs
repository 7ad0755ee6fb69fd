//! Forms of ids that somebody else may not have them in.

use std::ops::Range;

use rayon::prelude::*;

use crate::id_batch::Batch;
use crate::numbers::is_missing;
use crate::{IdTable, Suspicion, SuspicionKind};

/// Ids whose small forms are held at once.
const LOWERED_AT_ONCE: u32 = 1 << 16;
/// Of these, ids that one thread takes.
const LOWERED_BY_ONE: u32 = 1 << 10;

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
    let none = || vec![Tally::default(); tests.len() + 1];
    let counts = ids.par_names().fold(none, |mut counts, id| {
        for (tally, (_, test)) in counts.iter_mut().zip(tests) {
            tally.add(id, test(id));
        }
        if let Some(missing) = counts.last_mut() {
            missing.add(id, is_missing(id) && id != "-");
        }
        counts
    });
    let counts = counts.reduce(none, |before, after| {
        let both = before.into_iter().zip(after);
        both.map(|(before, after)| before.join(after)).collect()
    });
    let letter_case = match field {
        "user" => same_but_case(ids),
        _ => Tally::default(),
    };
    let kinds = tests.iter().map(|(kind, _)| *kind);
    let last = [SuspicionKind::MissingWord, SuspicionKind::LetterCase];
    let all = kinds
        .chain(last)
        .zip(counts.into_iter().chain([letter_case]));
    all.filter(|(_, tally)| tally.count > 0)
        .map(|(kind, tally)| Suspicion {
            kind,
            field: field.into(),
            count: tally.count,
            of: ids.len() as u64,
            example: tally.example.chars().take(60).collect(),
        })
        .collect()
}

/// How many, and the first of them.
#[derive(Clone, Copy, Default)]
struct Tally<'t> {
    count: u64,
    example: &'t str,
}

impl<'t> Tally<'t> {
    fn add(&mut self, id: &'t str, is_one: bool) {
        if is_one {
            if self.count == 0 {
                self.example = id;
            }
            self.count += 1;
        }
    }

    fn join(self, after: Self) -> Self {
        Self {
            count: self.count + after.count,
            example: match self.count {
                0 => after.example,
                _ => self.example,
            },
        }
    }
}

/// Ids with capitals that are another's in small letters, or would be one that came before.
fn same_but_case(ids: &IdTable) -> Tally<'_> {
    let mut tally = Tally::default();
    let mut lower_forms = IdTable::new();
    // Both tables hold fewer than 2^32.
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    for first in (0..count).step_by(LOWERED_AT_ONCE as usize) {
        let some = first..count.min(first.saturating_add(LOWERED_AT_ONCE));
        let parts: Vec<u32> = some.clone().step_by(LOWERED_BY_ONE as usize).collect();
        let lowered = parts.into_par_iter().map(|first| {
            let part = first..some.end.min(first.saturating_add(LOWERED_BY_ONE));
            Lowered::new(part, ids, &lower_forms)
        });
        let parts: Vec<Lowered> = lowered.collect();
        let forms: Vec<&Batch> = parts.iter().map(|part| &part.forms).collect();
        // There are fewer than ids.
        let before = lower_forms.intern_all(&forms);
        let before = before.map_or_else(Vec::new, |outcome| outcome.repeats);
        let new = parts.iter().flat_map(|part| &part.new);
        let mut repeated = before.iter().peekable();
        let mut found: Vec<u32> = Vec::new();
        for (position, &id) in (0..).zip(new) {
            if repeated.next_if(|repeat| repeat.0 == position).is_some() {
                found.push(id);
            }
        }
        found.extend(parts.iter().flat_map(|part| &part.known));
        found.sort_unstable();
        for id in found {
            tally.add(ids.name(id).unwrap_or_default(), true);
        }
    }
    tally
}

/// Ids with capitals.
struct Lowered {
    /// Those whose small form is an id.
    known: Vec<u32>,
    /// The others, and their small forms.
    new: Vec<u32>,
    forms: Batch,
}

impl Lowered {
    fn new(part: Range<u32>, ids: &IdTable, lower_forms: &IdTable) -> Self {
        let (mut known, mut new, mut forms) = (Vec::new(), Vec::new(), lower_forms.batch());
        for id in part {
            let name = ids.name(id).unwrap_or_default();
            if !name.chars().any(char::is_uppercase) {
                continue;
            }
            let lower = name.to_lowercase();
            match ids.find(&lower) {
                Some(_) => known.push(id),
                None if forms.push(&lower) => new.push(id),
                None => {}
            }
        }
        Self { known, new, forms }
    }
}

/// Users whose ids are another's once what cannot be seen is taken away: one person twice.
pub(crate) fn invisible_twins(ids: &IdTable) -> Option<u32> {
    let twin = |id: &str| {
        if !id.contains(is_invisible) {
            return false;
        }
        let seen: String = id
            .chars()
            .filter(|character| !is_invisible(*character))
            .collect();
        ids.find(&seen).is_some()
    };
    let found = ids.par_names().position_first(twin)?;
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
