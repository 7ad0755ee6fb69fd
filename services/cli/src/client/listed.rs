//! The column of a list of users that a query gives.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, Read, Seek};

/// Names are shorter.
const LONGEST_HEADER: u64 = 64 << 10;

/// The only column, by its name: a name that nobody knows would else be taken for a user. Empty where
/// there are several, among which the platform looks for a name that it knows.
pub(super) fn column(list: &mut File) -> Result<String, Error> {
    let mut line = String::new();
    BufReader::new(&mut *list)
        .take(LONGEST_HEADER)
        .read_line(&mut line)?;
    list.rewind()?;
    let line = line.trim_end_matches(['\r', '\n']);
    let quoted = line
        .strip_prefix('"')
        .and_then(|line| line.strip_suffix('"'));
    Ok(match quoted {
        Some(name) if !name.replace("\"\"", "").contains('"') => name.replace("\"\"", "\""),
        None if !line.contains(',') => line.to_owned(),
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_only_column_is_known_by_its_name() {
        for (header, name) in [
            ("who\n\"ann\"\n", "who"),
            ("\"a \"\"b\"\", c\"\n", "a \"b\", c"),
            ("who,age\n", ""),
            ("\"who\",\"age\"\n", ""),
        ] {
            let mut list = tempfile::tempfile().unwrap();
            list.write_all(header.as_bytes()).unwrap();
            list.rewind().unwrap();
            assert_eq!(column(&mut list).unwrap(), name, "{header}");
            assert_eq!(list.stream_position().unwrap(), 0);
        }
    }
}
