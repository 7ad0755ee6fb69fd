//! One row as fields, and how a line of text becomes one.

use crate::Delimiter;

/// The fields of a row, in one piece of memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    text: String,
    ends: Vec<usize>,
}

impl Record {
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    pub(crate) fn push(&mut self, field: &str) {
        self.text.push_str(field);
        self.end();
    }

    fn end(&mut self) {
        self.ends.push(self.text.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all fields.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// A field without white space around it.
    pub(crate) fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = match place {
            0 => 0,
            _ => self.ends[place - 1],
        };
        Some(self.text[start..end].trim())
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(|place| self.get(place).unwrap_or_default())
    }
}

/// A quote that opens a field and is not closed before a delimiter or the end of the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadQuote;

/// Splits lines into fields; in comma and semicolon separated text a quoted field may go on over
/// several lines.
pub(crate) struct Splitter {
    delimiter: Delimiter,
    record: Record,
    /// Within a quoted field that goes on.
    open: bool,
}

/// What follows a field.
enum Next<'t> {
    Field(&'t str),
    End,
    Open,
}

enum Quoted<'t> {
    Closed(Next<'t>),
    Unclosed,
    Bad,
}

impl Splitter {
    pub(crate) fn new(delimiter: Delimiter) -> Self {
        Self {
            delimiter,
            record: Record::default(),
            open: false,
        }
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Takes a line; true when the row is complete.
    pub(crate) fn feed(&mut self, line: &str) -> Result<bool, BadQuote> {
        let mut next = if self.open {
            self.record.text.push('\n');
            match self.quoted(line) {
                Quoted::Closed(next) => next,
                Quoted::Unclosed => return Ok(false),
                Quoted::Bad => return Err(BadQuote),
            }
        } else {
            self.record.clear();
            Next::Field(match self.delimiter {
                Delimiter::Space => line.trim_matches([' ', '\t']),
                _ => line,
            })
        };
        self.open = false;
        loop {
            match next {
                Next::Field(text) => next = self.field(text)?,
                Next::End => return Ok(true),
                Next::Open => {
                    self.open = true;
                    return Ok(false);
                }
            }
        }
    }

    fn field<'t>(&mut self, text: &'t str) -> Result<Next<'t>, BadQuote> {
        if let Some(quoted) = self.skip_blanks(text).strip_prefix('"') {
            let before = self.record.text.len();
            match self.quoted(quoted) {
                Quoted::Closed(next) => return Ok(next),
                Quoted::Unclosed if self.is_csv() => return Ok(Next::Open),
                Quoted::Unclosed | Quoted::Bad => {
                    if self.is_csv() {
                        return Err(BadQuote);
                    }
                    // A quote like any other character.
                    self.record.text.truncate(before);
                }
            }
        }
        match self.find(text) {
            Some((at, after)) => {
                self.record.push(&text[..at]);
                Ok(Next::Field(after))
            }
            None => {
                self.record.push(text);
                Ok(Next::End)
            }
        }
    }

    /// The rest of a field after its opening quote.
    fn quoted<'t>(&mut self, mut text: &'t str) -> Quoted<'t> {
        loop {
            let Some((inside, after)) = text.split_once('"') else {
                self.record.text.push_str(text);
                return Quoted::Unclosed;
            };
            self.record.text.push_str(inside);
            if let Some(rest) = after.strip_prefix('"') {
                self.record.text.push('"');
                text = rest;
                continue;
            }
            let rest = self.skip_blanks(after);
            let next = match self.delimiter {
                _ if rest.is_empty() => Some(Next::End),
                Delimiter::Space => (rest.len() < after.len()).then_some(Next::Field(rest)),
                _ => rest.strip_prefix(self.delimiter.text()).map(Next::Field),
            };
            let Some(next) = next else {
                return Quoted::Bad;
            };
            self.record.end();
            return Quoted::Closed(next);
        }
    }

    /// Where the next delimiter begins, and what follows it.
    fn find<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        let delimiter = self.delimiter.text();
        match self.delimiter {
            Delimiter::Space => {
                let at = text.find([' ', '\t'])?;
                Some((at, text[at..].trim_start_matches([' ', '\t'])))
            }
            _ => {
                let at = text.find(delimiter)?;
                Some((at, &text[at + delimiter.len()..]))
            }
        }
    }

    /// Without the blanks before a field, delimiters left in place.
    fn skip_blanks<'t>(&self, text: &'t str) -> &'t str {
        match self.delimiter {
            Delimiter::Tab => text.trim_start_matches(' '),
            _ => text.trim_start_matches([' ', '\t']),
        }
    }

    /// Quotes as RFC 4180 has them, and nothing else.
    fn is_csv(&self) -> bool {
        matches!(self.delimiter, Delimiter::Comma | Delimiter::Semicolon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(delimiter: Delimiter, lines: &[&str]) -> Result<Vec<String>, BadQuote> {
        let mut splitter = Splitter::new(delimiter);
        let mut complete = false;
        for line in lines {
            complete = splitter.feed(line)?;
        }
        assert_eq!(complete, !splitter.open);
        Ok(splitter.record().iter().map(String::from).collect())
    }

    #[test]
    fn fields_are_split_at_every_delimiter() {
        for (delimiter, line) in [
            (Delimiter::Tab, "a\tb c\t5"),
            (Delimiter::Comma, "a, \"b c\" ,5"),
            (Delimiter::Semicolon, "\"a\";b c;\"5\""),
            (Delimiter::Pipe, "a|b c|5"),
            (Delimiter::DoubleColon, "a::b c::5"),
            (Delimiter::Space, "   a  \"b c\" \t 5 "),
            (Delimiter::Tab, "\"a\"\t\"b c\"\t5"),
        ] {
            assert_eq!(
                split(delimiter, &[line]).unwrap(),
                ["a", "b c", "5"],
                "{line:?}"
            );
        }
        assert_eq!(
            split(Delimiter::Tab, &["a\t\t\t"]).unwrap(),
            ["a", "", "", ""]
        );
        assert_eq!(split(Delimiter::Comma, &["a,"]).unwrap(), ["a", ""]);
        assert_eq!(
            split(Delimiter::DoubleColon, &["a:b::c"]).unwrap(),
            ["a:b", "c"]
        );
    }

    #[test]
    fn quotes_hide_delimiters_quotes_and_line_ends() {
        assert_eq!(
            split(Delimiter::Comma, &["\"a,\"\"b\"\"\",c"]).unwrap(),
            ["a,\"b\"", "c"]
        );
        assert_eq!(
            split(
                Delimiter::Comma,
                &["x,\"one", "two, \"\"three\"\"", "four\",5"]
            )
            .unwrap(),
            ["x", "one\ntwo, \"three\"\nfour", "5"]
        );
        assert_eq!(
            split(Delimiter::Comma, &["5\" disk,b"]).unwrap(),
            ["5\" disk", "b"]
        );
        assert_eq!(split(Delimiter::Comma, &["\"a\" b,c"]), Err(BadQuote));
        // Where quotes have no meaning by any standard, a half quoted field is what it says.
        assert_eq!(
            split(Delimiter::Tab, &["\"Weird Al\" Yankovic\tb\t\"c"]).unwrap(),
            ["\"Weird Al\" Yankovic", "b", "\"c"]
        );
        assert_eq!(
            split(Delimiter::Space, &["\"a b\"c d"]).unwrap(),
            ["\"a", "b\"c", "d"]
        );
    }
}
