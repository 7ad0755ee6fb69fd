//! One spelling for each id, so that both platforms mean the same person by the same text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use caseless::Caseless;
use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

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
    /// As written, where that is not the normal form.
    spellings: HashMap<u32, Box<str>>,
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
                self.spellings.insert(index, written.into());
            }
            return Ok(index);
        };
        let first = self.spellings.get(&index).map_or(&*normal, AsRef::as_ref);
        if first != written {
            return Err(DataError::TwoSpellings {
                file: file(),
                line,
                field,
                written: written.to_owned(),
                first: first.to_owned(),
                first_line: *first_line,
                rule: self.rule.name(),
            });
        }
        Ok(index)
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
