//! Known answers that are committed: what an encoding was, so that a change of it fails a test.
//!
//! A test computes named values from fixed inputs; a file beside it holds what they were. Both
//! platforms must compute them alike, whatever their versions: whoever changes a line on purpose
//! says so in the changelog. `S3REC_WRITE=1` in the environment of the test writes the file anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Longest value that stands in the file itself, bytes; of a longer one its length and hash do.
const MOST_SHOWN_BYTES: usize = 512;

/// Values by name, in the order in which they were added.
pub struct Vectors {
    page: String,
}

impl Vectors {
    /// None yet; `of` says of what they are.
    #[must_use]
    pub fn new(of: &str) -> Self {
        let page = format!(
            "# Known answers: {of}. The test that reads this file writes it too, with S3REC_WRITE=1.\n"
        );
        Self { page }
    }

    /// Begins a group.
    pub fn group(&mut self, title: &str) {
        self.line(format_args!("\n# {title}"));
    }

    /// Bytes, in hex; of more than 512 the length and their BLAKE3 hash.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if bytes.len() > MOST_SHOWN_BYTES {
            let (length, hash) = (bytes.len(), blake3::hash(bytes));
            return self.line(format_args!("{name} = {length} bytes, blake3 {hash}"));
        }
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        self.line(format_args!("{name} = {hex}"));
    }

    /// Text of one line: a number, or what a fault is refused with.
    pub fn text(&mut self, name: &str, text: &str) {
        self.line(format_args!("{name} = {}", text.replace('\n', "\\n")));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.page.push_str(&line.to_string());
        self.page.push('\n');
    }

    /// Compares with the file, or writes it where `S3REC_WRITE` is set.
    ///
    /// # Panics
    /// When they differ, naming the first line that does; when the file cannot be read or written.
    pub fn check(self, file: impl AsRef<Path>) {
        let file = file.as_ref();
        if std::env::var_os("S3REC_WRITE").is_some() {
            let written = fs::write(file, &self.page);
            written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        let known = fs::read_to_string(file);
        let known = known.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if let Some(difference) = difference(&known, &self.page) {
            panic!(
                "{}: {difference}\nA changed encoding is a change of the wire or of a stored file: say so in \
                 CHANGELOG.md, and run this test with S3REC_WRITE=1.",
                file.display()
            );
        }
    }
}

/// The first line that is not the same.
fn difference(known: &str, now: &str) -> Option<String> {
    let (mut known, mut now) = (known.lines(), now.lines());
    for number in 1.. {
        match (known.next(), now.next()) {
            (None, None) => break,
            (known, now) if known == now => {}
            (known, now) => {
                let shown = |line: Option<&str>| line.unwrap_or("nothing").to_owned();
                let (known, now) = (shown(known), shown(now));
                return Some(format!("line {number} was\n  {known}\nand is\n  {now}"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_missing_and_a_further_line_are_found() {
        let mut vectors = Vectors::new("a test");
        vectors.group("numbers");
        vectors.bytes("short", &[0, 255]);
        vectors.bytes("long", &[1; 513]);
        vectors.text("fault", "two\nlines");
        let page = vectors.page;
        assert!(page.contains("short = 00ff\nlong = 513 bytes, blake3 "));
        assert!(page.ends_with("fault = two\\nlines\n"));
        assert_eq!(difference(&page, &page), None);
        let changed = difference(&page, &page.replace("00ff", "01ff")).unwrap();
        assert!(
            changed.starts_with("line 4 was\n  short = 00ff"),
            "{changed}"
        );
        let less = &page[..page.rfind("fault").unwrap()];
        assert!(difference(&page, less).unwrap().ends_with("nothing"));
        assert!(difference(less, &page).unwrap().contains("was\n  nothing"));
    }
}
