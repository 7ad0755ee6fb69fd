//! A row that lists all whom a user trusts.

use crate::DataError;
use crate::json_rows::ELEMENTS;
use crate::numbers::is_missing;
use crate::table::Table;

/// The user of the current row, and whom the row lists.
pub(crate) fn row<'t>(table: &'t Table<'_>) -> Result<(&'t str, Vec<&'t str>), DataError> {
    let first = table.raw(0)?;
    if table.names().is_some() {
        return Ok((first, elements(table.raw(1)?)));
    }
    // `user:a b c` without a delimiter behind the colon is one field.
    let record = table.record();
    let (user, inside) = match first.split_once(':') {
        Some((user, rest)) if record.len() == 1 || rest.is_empty() => (user, rest),
        _ => (first, ""),
    };
    let rest = table.column(0).map_or(0, |place| place + 1);
    let fields = record.iter().skip(rest).chain([inside]);
    Ok((user.trim_end(), fields.flat_map(elements).collect()))
}

/// The ids of a list in one field.
fn elements(field: &str) -> Vec<&str> {
    let inside = field
        .strip_prefix('[')
        .and_then(|field| field.strip_suffix(']'));
    let list = inside.unwrap_or(field).trim();
    if is_missing(list) {
        return Vec::new();
    }
    let separator = [ELEMENTS, ',', ';', '|']
        .into_iter()
        .find(|one| list.contains(*one));
    let parts: Vec<&str> = match separator {
        Some(separator) => list.split(separator).collect(),
        // Elements of a bracketed list may hold spaces; words of a line may not.
        None => list.split_whitespace().collect(),
    };
    parts
        .into_iter()
        .map(bare)
        .filter(|part| !part.is_empty())
        .collect()
}

/// Without the blanks and quotes around an element.
fn bare(element: &str) -> &str {
    let element = element.trim();
    let inside = |quote| element.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"')).unwrap_or(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_as_they_are_written() {
        for (list, expected) in [
            ("u2, u3,u4", &["u2", "u3", "u4"][..]),
            ("u2 u3", &["u2", "u3"]),
            ("u2", &["u2"]),
            ("u2|u3", &["u2", "u3"]),
            ("['u2', 'u 3']", &["u2", "u 3"]),
            ("[\"u2\"]", &["u2"]),
            ("u2\u{1f}u, 3", &["u2", "u, 3"]),
            ("None", &[]),
            ("[]", &[]),
            ("", &[]),
        ] {
            assert_eq!(elements(list), expected, "{list:?}");
        }
    }
}
