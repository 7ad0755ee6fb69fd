//! What separates the fields of a row, named or told from the text.

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::record::Splitter;

/// What separates fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delimiter {
    /// That which cuts the first lines into equally many fields; where several do, the first in the
    /// order below.
    #[default]
    Detect,
    /// Tab.
    Tab,
    /// `::`, as MovieLens has it.
    DoubleColon,
    /// Semicolon.
    Semicolon,
    /// A vertical bar.
    Pipe,
    /// Comma.
    Comma,
    /// Spaces and tabs, as many as there are: columns padded to equal width.
    Space,
}

/// In the order in which they are tried.
const ALL: [Delimiter; 6] = [
    Delimiter::Tab,
    Delimiter::DoubleColon,
    Delimiter::Semicolon,
    Delimiter::Pipe,
    Delimiter::Comma,
    Delimiter::Space,
];

impl Delimiter {
    /// The delimiter that people name by the characters themselves; nothing means
    /// [`Delimiter::Detect`].
    ///
    /// # Errors
    /// [`DataError::BadDelimiter`].
    pub fn named(text: &str) -> Result<Self, DataError> {
        if text.is_empty() {
            return Ok(Self::Detect);
        }
        let blank = text.trim_matches(' ').is_empty();
        let named = ALL
            .into_iter()
            .find(|one| one.text() == text || one.name() == text);
        match named {
            Some(delimiter) => Ok(delimiter),
            None if blank => Ok(Self::Space),
            None if text == "\\t" => Ok(Self::Tab),
            None => Err(DataError::BadDelimiter {
                actual: text.chars().take(8).collect(),
            }),
        }
    }

    /// The characters.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Detect | Self::Tab => "\t",
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Pipe => "|",
            Self::DoubleColon => "::",
            Self::Space => " ",
        }
    }

    /// A word for it, as people give it and are told it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Tab => "tab",
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Pipe => "pipe",
            Self::DoubleColon => "double-colon",
            Self::Space => "spaces",
        }
    }

    /// That of `lines`, which are rows of at least `needed` fields, all of one width.
    pub(crate) fn of(lines: &[&str], needed: usize) -> Self {
        if needed == 1 {
            // One field a line is what every delimiter makes of a list of ids; where one makes
            // several of each line, they are columns. Names have spaces in them.
            let columns = ALL.into_iter().filter(|one| *one != Self::Space);
            let mut columns = columns.filter(|one| Cut::new(*one, lines, 2).even);
            return columns.next().unwrap_or(Self::Tab);
        }
        let cuts: Vec<(Self, Cut)> = ALL
            .into_iter()
            .map(|one| (one, Cut::new(one, lines, needed)))
            .collect();
        let even = cuts.iter().find(|(_, cut)| cut.even);
        // Where no delimiter cuts every line alike, the one that cuts most: what is wrong with
        // the other lines is said when they are read.
        let most = cuts
            .iter()
            .map(|(_, cut)| cut.wide_lines)
            .max()
            .unwrap_or_default();
        let usual = cuts
            .iter()
            .find(|(_, cut)| most > 0 && cut.wide_lines == most);
        even.or(usual).map_or(Self::Tab, |(one, _)| *one)
    }
}

/// What a delimiter makes of some lines.
struct Cut {
    /// All lines have one width, enough fields and no column that is always empty; the first may
    /// be one field shorter, as R writes its headers.
    even: bool,
    /// Lines with enough fields.
    wide_lines: usize,
}

impl Cut {
    fn new(delimiter: Delimiter, lines: &[&str], needed: usize) -> Self {
        let mut splitter = Splitter::new(delimiter);
        let mut widths = Vec::new();
        let mut filled: Vec<bool> = Vec::new();
        let mut good = true;
        for line in lines {
            match splitter.feed(line) {
                Ok(true) => {
                    let record = splitter.record();
                    widths.push(record.len());
                    filled.resize(filled.len().max(record.len()), false);
                    for (filled, field) in filled.iter_mut().zip(record.iter()) {
                        *filled |= !field.is_empty();
                    }
                }
                Ok(false) => {}
                Err(_) => good = false,
            }
        }
        let last = widths.last().copied().unwrap_or_default();
        let first = widths.first().copied().unwrap_or_default();
        // A last column that is always empty is a delimiter at the end of every line.
        let padded = filled
            .split_last()
            .is_some_and(|(_, inner)| inner.contains(&false));
        Self {
            even: good
                && last >= needed
                && widths.iter().skip(1).all(|width| *width == last)
                && (first == last || first + 1 == last)
                && !padded,
            wide_lines: widths.iter().filter(|width| **width >= needed).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_named_as_people_write_them() {
        for (text, expected) in [
            ("", Delimiter::Detect),
            ("\t", Delimiter::Tab),
            ("\\t", Delimiter::Tab),
            ("tab", Delimiter::Tab),
            (",", Delimiter::Comma),
            ("::", Delimiter::DoubleColon),
            ("|", Delimiter::Pipe),
            (" ", Delimiter::Space),
            ("   ", Delimiter::Space),
            ("spaces", Delimiter::Space),
        ] {
            assert_eq!(Delimiter::named(text).unwrap(), expected, "{text:?}");
        }
        let refused = Delimiter::named("=>").unwrap_err().to_string();
        assert!(
            refused.contains("=>") && refused.contains("'::'"),
            "{refused}"
        );
    }

    #[test]
    fn the_text_tells_its_delimiter() {
        let tell = |lines: &[&str]| Delimiter::of(lines, 3);
        assert_eq!(tell(&["1::2::3::4", "5::6::7::8"]), Delimiter::DoubleColon);
        assert_eq!(tell(&["user;item;rating", "a;b;5,5"]), Delimiter::Semicolon);
        assert_eq!(tell(&["a b\tc, d\t5", "e\tf\t4"]), Delimiter::Tab);
        assert_eq!(tell(&["  1     2 1", "  10    2 1"]), Delimiter::Space);
        assert_eq!(tell(&["a, b, 5", "c, d, 4"]), Delimiter::Comma);
        assert_eq!(tell(&["1\t2\t\t5", "3\t4\t\t1"]), Delimiter::Space);
        assert_eq!(
            tell(&["\"u\" \"i\" \"r\"", "\"1\" \"a\" \"b\" 5"]),
            Delimiter::Space
        );
        // A row of another width does not hide what the others say.
        assert_eq!(tell(&["u,i,r", "1,2,5", "1,2,0,5"]), Delimiter::Comma);
        assert_eq!(tell(&["abc"]), Delimiter::Tab);
    }
}
