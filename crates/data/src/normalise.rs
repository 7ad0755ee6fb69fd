//! One spelling for each id, so that both platforms mean the same person by the same text.

use std::borrow::Cow;
use std::path::Path;

use caseless::Caseless;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::id_batch::Batch;
use crate::table::Place;
use crate::{DataError, IdTable, Suspicion, id_forms};

/// How user ids are normalised at import. Both platforms of a job must use the same rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdRule {
    /// White space at both ends goes, and the rest takes Unicode's composed normal form (NFC).
    #[default]
    NfcTrim,
    /// As [`Self::NfcTrim`], and upper and lower case count alike: Unicode's full case folding.
    NfcTrimCaseFold,
}

impl IdRule {
    /// The name that platforms compare.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NfcTrim => "nfc-trim",
            Self::NfcTrimCaseFold => "nfc-trim-casefold",
        }
    }

    /// The id as it is kept. What is normalised stays as it is.
    #[must_use]
    pub fn normalise(self, id: &str) -> Cow<'_, str> {
        let trimmed = id.trim();
        match self {
            Self::NfcTrim if is_nfc_quick(trimmed.chars()) == IsNormalized::Yes => trimmed.into(),
            Self::NfcTrim => trimmed.nfc().collect::<String>().into(),
            Self::NfcTrimCaseFold => {
                let plain = |b: u8| b.is_ascii() && !b.is_ascii_uppercase();
                if trimmed.bytes().all(plain) {
                    return trimmed.into();
                }
                let folded = trimmed.nfd().default_case_fold().nfc();
                folded.collect::<String>().into()
            }
        }
    }
}

/// The users of a file: each under one spelling, in order of first appearance.
///
/// An id may stand in many rows, but always written alike: two spellings that normalise to one
/// id are more likely two people, or a damaged export, than one person.
#[derive(Default)]
pub(crate) struct Users {
    rule: IdRule,
    table: IdTable,
    /// Line of the first appearance.
    lines: Vec<u64>,
    /// As written, where that is not the normal form; by index.
    spellings: Vec<(u32, Box<str>)>,
}

/// Users of some rows, in order, each of whom may stand in a table: for [`Users::take_all`].
pub(crate) struct Listed {
    rule: IdRule,
    names: Batch,
    /// The line of each.
    lines: Vec<u64>,
    /// As written, where that is not the normal form; by place.
    spellings: Vec<(u32, Box<str>)>,
}

impl Listed {
    /// Adds one; `None` where a row by itself is to say what is wrong with it.
    pub(crate) fn push(&mut self, place: Place<'_>, written: &str) -> Option<()> {
        let written = written.trim();
        let normal = self.rule.normalise(written);
        if normal.is_empty() || place.check(written).is_err() {
            return None;
        }
        if normal != written {
            let at = u32::try_from(self.names.len()).ok()?;
            self.spellings.push((at, written.into()));
        }
        self.lines.push(place.line);
        self.names.push(&normal).then_some(())
    }
}

/// What is known of `index`.
fn spelling(spellings: &[(u32, Box<str>)], index: u32) -> Option<&str> {
    let at = spellings.binary_search_by_key(&index, |(index, _)| *index);
    at.ok().map(|at| &*spellings[at].1)
}

impl Users {
    pub(crate) fn new(rule: IdRule) -> Self {
        Self {
            rule,
            ..Self::default()
        }
    }

    /// The index of the user who is `written` so at `place`.
    pub(crate) fn take(&mut self, place: Place<'_>, written: &str) -> Result<u32, DataError> {
        let Place { file, line, field } = place;
        let file = || file.to_path_buf();
        let written = written.trim();
        let normal = self.rule.normalise(written);
        if normal.is_empty() {
            return Err(DataError::EmptyField {
                file: file(),
                line,
                field,
            });
        }
        let index = self
            .table
            .intern(&normal)
            .ok_or_else(|| DataError::TooManyIds {
                file: file(),
                field,
                limit: u32::MAX,
            })?;
        let Some(first_line) = self.lines.get(index as usize) else {
            place.check(written)?;
            self.lines.push(line);
            if normal != written {
                self.spellings.push((index, written.into()));
            }
            return Ok(index);
        };
        self.expect_alike(place, (index, *first_line), written)?;
        Ok(index)
    }

    /// Refuses who was written otherwise before.
    fn expect_alike(
        &self,
        place: Place<'_>,
        (index, first_line): (u32, u64),
        written: &str,
    ) -> Result<(), DataError> {
        let normal = || self.table.name(index).unwrap_or_default();
        let first = spelling(&self.spellings, index).unwrap_or_else(normal);
        match first == written {
            true => Ok(()),
            false => Err(DataError::TwoSpellings {
                file: place.file.to_path_buf(),
                line: place.line,
                field: place.field,
                written: written.to_owned(),
                first: first.to_owned(),
                first_line,
                rule: self.rule.name(),
            }),
        }
    }

    /// No users yet, for a thread to list some of a file's.
    pub(crate) fn listed(&self) -> Listed {
        Listed {
            rule: self.rule,
            names: self.table.batch(),
            lines: Vec::new(),
            spellings: Vec::new(),
        }
    }

    /// Takes users as [`Self::take`] would, one after the other, of parts that begin `after` a line
    /// each; gives the number of those who were there. `None`, and nothing done, where
    /// there may be too many.
    pub(crate) fn take_all(
        &mut self,
        place: Place<'_>,
        parts: &[(&Listed, u64)],
    ) -> Option<Result<u64, DataError>> {
        let names: Vec<&Batch> = parts.iter().map(|(listed, _)| &listed.names).collect();
        let mut next = u32::try_from(self.table.len()).ok()?;
        let repeats = self.table.intern_all(&names)?.repeats;
        let mut repeated = repeats.iter().peekable();
        let mut known = Vec::with_capacity(repeats.len());
        let mut position = 0;
        for &(listed, after) in parts {
            let count = u32::try_from(listed.lines.len()).unwrap_or(u32::MAX);
            if repeated
                .peek()
                .is_none_or(|(of, _)| *of >= position + count)
            {
                // Nobody in it was there: by far the most parts of a list.
                self.lines
                    .extend(listed.lines.iter().map(|line| after + line));
                let spellings = listed.spellings.iter();
                self.spellings
                    .extend(spellings.map(|(at, as_is)| (next + at, as_is.clone())));
                (position, next) = (position + count, next + count);
                continue;
            }
            let mut spellings = listed.spellings.iter().peekable();
            for (at, line) in (0..).zip(&listed.lines) {
                let spelling = spellings.next_if(|(of, _)| *of == at);
                match repeated.next_if(|(of, _)| *of == position) {
                    Some(&(_, index)) => known.push((listed, at, after + line, index)),
                    None => {
                        self.lines.push(after + line);
                        self.spellings
                            .extend(spelling.map(|(_, as_is)| (next, as_is.clone())));
                        next += 1;
                    }
                }
                position += 1;
            }
        }
        let alike = known.par_iter().map(|&(listed, at, line, index)| {
            let normal = || listed.names.name(at as usize);
            let written = spelling(&listed.spellings, at).unwrap_or_else(normal);
            let first_line = self.lines.get(index as usize).copied().unwrap_or_default();
            self.expect_alike(Place { line, ..place }, (index, first_line), written)
        });
        // The first line that is wrong, whichever thread finds one first.
        let wrong = alike.find_map_first(Result::err);
        Some(wrong.map_or(Ok(repeats.len() as u64), Err))
    }

    /// What is odd about all of them; refused where somebody is there twice for certain.
    pub(crate) fn suspicions(&self, file: &Path) -> Result<Vec<Suspicion>, DataError> {
        if let Some(twin) = id_forms::invisible_twins(&self.table) {
            return Err(DataError::DamagedId {
                file: file.to_path_buf(),
                line: self.lines.get(twin as usize).copied().unwrap_or_default(),
                field: "user",
                actual: self
                    .table
                    .name(twin)
                    .unwrap_or_default()
                    .escape_unicode()
                    .to_string(),
                damage: "another user of the file but for characters that cannot be seen; \
                         remove these",
            });
        }
        Ok(id_forms::of_ids("user", &self.table))
    }

    pub(crate) fn table(&self) -> &IdTable {
        &self.table
    }

    pub(crate) fn into_table(self) -> IdTable {
        self.table
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_do_what_they_say() {
        let composed = "Zo\u{eb}";
        for (written, trimmed, folded) in [
            ("ann", "ann", "ann"),
            ("\u{a0} ann\t", "ann", "ann"),
            ("Zoe\u{308}", composed, "zo\u{eb}"),
            ("STRASSE", "STRASSE", "strasse"),
            ("Stra\u{df}e", "Stra\u{df}e", "strasse"),
            ("\u{212b}", "\u{c5}", "\u{e5}"),
            ("  ", "", ""),
        ] {
            assert_eq!(IdRule::NfcTrim.normalise(written), trimmed, "{written:?}");
            assert_eq!(
                IdRule::NfcTrimCaseFold.normalise(written),
                folded,
                "{written:?}"
            );
        }
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for rule in [IdRule::NfcTrim, IdRule::NfcTrimCaseFold] {
            for character in '\0'..=char::MAX {
                // After a letter and before a mark, where composing and folding interact.
                let text = format!("a{character}\u{345}");
                let once = rule.normalise(&text).into_owned();
                assert_eq!(rule.normalise(&once), once, "{rule:?} {text:?}");
            }
        }
    }
}
