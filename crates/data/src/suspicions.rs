//! What is wrong with ids and ratings, more likely than not: counted and said where it may be
//! meant, refused where it cannot be.

use serde::{Deserialize, Serialize};

/// What is suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuspicionKind {
    /// Ids in scientific notation: a spreadsheet or NumPy took them for numbers.
    Scientific,
    /// Ids that end in `.0`: something took whole numbers for fractions.
    DecimalPoint,
    /// Ids that begin with a zero: where something takes them for numbers, the zeros go.
    LeadingZeros,
    /// Ids in quotes: quoted twice.
    Quotes,
    /// Ids with characters that cannot be seen.
    Invisible,
    /// Ids that differ in upper and lower case alone.
    LetterCase,
    /// Ids that say that there is nothing.
    MissingWord,
    /// Ids with the character that stands for damaged text.
    Replacement,
    /// Ids that are lists of ids.
    List,
    /// Ratings of −1 where all others are 0 or more.
    MinusOne,
    /// Ratings of 0 below a scale that begins at 1.
    ZeroRating,
    /// A lowest or highest rating far from all others.
    Outlier,
    /// Ratings of a size that no scale has.
    Magnitude,
    /// Lines skipped as comments between rows and as wide as these.
    CommentLikeRow,
}

/// Something suspicious, counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspicion {
    /// What.
    pub kind: SuspicionKind,
    /// Where: `user`, `item` or `rating`, or `line`.
    pub field: String,
    /// How many ids, ratings or lines.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// One of them.
    pub example: String,
}

impl SuspicionKind {
    /// All of them.
    const ALL: [Self; 14] = [
        Self::Scientific,
        Self::DecimalPoint,
        Self::LeadingZeros,
        Self::Quotes,
        Self::Invisible,
        Self::LetterCase,
        Self::MissingWord,
        Self::Replacement,
        Self::List,
        Self::MinusOne,
        Self::ZeroRating,
        Self::Outlier,
        Self::Magnitude,
        Self::CommentLikeRow,
    ];

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in documents and in the conversation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scientific => "scientific",
            Self::DecimalPoint => "decimal-point",
            Self::LeadingZeros => "leading-zeros",
            Self::Quotes => "quotes",
            Self::Invisible => "invisible",
            Self::LetterCase => "letter-case",
            Self::MissingWord => "missing-word",
            Self::Replacement => "replacement",
            Self::List => "list",
            Self::MinusOne => "minus-one",
            Self::ZeroRating => "zero-rating",
            Self::Outlier => "outlier",
            Self::Magnitude => "magnitude",
            Self::CommentLikeRow => "comment-like-row",
        }
    }

    fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Scientific => (
                "in scientific notation",
                "a spreadsheet or NumPy may have taken them for numbers; export them as text",
            ),
            Self::DecimalPoint => (
                "ending in .0",
                "pandas may have taken them for fractions; export them as integers or text",
            ),
            Self::LeadingZeros => (
                "beginning with 0",
                "the other platform must have kept the zeros too",
            ),
            Self::Quotes => ("in quotes", "they may have been quoted twice"),
            Self::Invisible => (
                "with characters that cannot be seen",
                "the other platform must have the same ones",
            ),
            Self::LetterCase => (
                "equal to another but for upper and lower case",
                "are they the same people?",
            ),
            Self::MissingWord => (
                "a word for nothing",
                "rows without an id should not be in the file",
            ),
            Self::Replacement => (
                "with the sign for damaged text (U+FFFD)",
                "export them anew as UTF-8",
            ),
            Self::List => (
                "looking like lists",
                "rows that list all friends of a user are read with --adjacency",
            ),
            Self::MinusOne => (
                "-1 while all others are 0 or more",
                "if it means not rated, leave such rows out (--scale MIN:MAX --drop-out-of-scale)",
            ),
            Self::ZeroRating => (
                "0 while all others are whole numbers from 1",
                "if it means not rated, leave such rows out (--scale MIN:MAX --drop-out-of-scale)",
            ),
            Self::Outlier => (
                "far from all others",
                "if it means not rated, or is an error, leave such rows out (--scale MIN:MAX \
                 --drop-out-of-scale)",
            ),
            Self::Magnitude => (
                "of a size that no scale has",
                "is it the right column? Counts are read with --counts",
            ),
            Self::CommentLikeRow => (
                "skipped as comments though they look like rows",
                "ids that begin with # or % must be quoted",
            ),
        }
    }
}

impl Suspicion {
    fn sentence(&self, example: &str) -> String {
        let Self {
            kind,
            field,
            count,
            of,
            ..
        } = self;
        let (what, remedy) = kind.text();
        let of_what = match field.as_str() {
            "rating" => "ratings",
            "line" => "lines",
            "item" => "item ids",
            _ => "user ids",
        };
        format!("{count} of {of} {of_what} {what}{example}: {remedy}")
    }
}

impl std::fmt::Display for Suspicion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence(&format!(" (such as {:?})", self.example)))
    }
}

/// What in one side's own ids would explain that only `common` of its `users` are known to the
/// other platform: a sentence for each, without any id; nothing where almost all are known.
#[must_use]
pub fn explain_overlap(suspicions: &[Suspicion], common: u64, users: u64) -> Vec<String> {
    let missing = users.saturating_sub(common);
    // As good as all: nothing to explain.
    if missing == 0 || common > users - users / 10 {
        return Vec::new();
    }
    let told = suspicions
        .iter()
        .filter(|one| one.field == "user" && one.kind.changes_ids());
    told.map(|one| one.sentence("")).collect()
}

impl SuspicionKind {
    /// Whether the same person may have another id elsewhere because of it.
    const fn changes_ids(self) -> bool {
        matches!(
            self,
            Self::Scientific
                | Self::DecimalPoint
                | Self::LeadingZeros
                | Self::Quotes
                | Self::Invisible
                | Self::LetterCase
                | Self::Replacement
                | Self::List
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IdTable, id_forms};

    #[test]
    fn a_small_overlap_is_explained_by_ones_own_ids() {
        let table: IdTable = ["01", "02", "10", "11"].into_iter().collect();
        let found = id_forms::of_ids("user", &table);
        assert_eq!(explain_overlap(&found, 2, 4).len(), 1);
        assert!(explain_overlap(&found, 4, 4).is_empty());
        assert!(explain_overlap(&[], 0, 4).is_empty());
    }
}
