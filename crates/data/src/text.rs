//! Lines of text, each of bounded length, out of UTF-8 or UTF-16.

use std::io::{BufRead, BufReader, Chain, Cursor, Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::limits::MAX_ROW_BYTES;
use crate::source::explain;

/// The bytes that a byte order mark takes in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What is looked at to tell UTF-16 without a byte order mark from UTF-8.
const LOOKED_AT: usize = 256;

/// Lines in order, numbered from 1, ended by LF, CR LF or CR.
pub(crate) struct Lines<'a> {
    file: PathBuf,
    reader: BufReader<Box<dyn Read + 'a>>,
    /// Read ahead of everything in `reader`.
    ahead: Cursor<Vec<u8>>,
    /// So many bytes of `ahead` are to be read line by line.
    by_line: usize,
    /// What reading on from `ahead` came to.
    failed: Option<Error>,
    line: u64,
    /// The last line ended in CR, so that an LF belongs to it.
    after_cr: bool,
}

impl<'a> Lines<'a> {
    /// The lines of `source`, its encoding told by its first bytes.
    pub(crate) fn new(
        file: &Path,
        source: Box<dyn Read + 'a>,
    ) -> std::result::Result<Self, DataError> {
        let decoded = decoded(source).map_err(|source| explain(file, 0, source))?;
        Ok(Self::of(file, decoded))
    }

    /// The lines of what is UTF-8, if it is text.
    pub(crate) fn of(file: &Path, source: Box<dyn Read + 'a>) -> Self {
        Self {
            file: file.to_path_buf(),
            reader: BufReader::with_capacity(1 << 16, source),
            ahead: Cursor::default(),
            by_line: 0,
            failed: None,
            line: 0,
            after_cr: false,
        }
    }

    /// Lines read.
    pub(crate) fn read(&self) -> u64 {
        self.line
    }

    /// Puts whole lines, some `least` bytes or all that are left, into `block`. False where the next
    /// line is to be read by itself: at the end, before what cannot be read, where a line is longer
    /// than that or ends in CR alone, and in what was [put back](Self::put_back).
    pub(crate) fn block(&mut self, block: &mut Vec<u8>, least: usize) -> bool {
        block.clear();
        if self.by_line > 0 || self.failed.is_some() || !self.skip_lf() {
            return false;
        }
        let ahead = usize::try_from(self.ahead.position()).unwrap_or(usize::MAX);
        block.extend_from_slice(self.ahead.get_ref().get(ahead..).unwrap_or_default());
        self.ahead = Cursor::default();
        let wanted = least.saturating_sub(block.len());
        block.reserve_exact(wanted);
        let filled = (&mut self.reader).take(wanted as u64).read_to_end(block);
        let end = match filled {
            // The last line may have no end.
            Ok(read) if read < wanted => block.len(),
            Ok(_) => {
                let last = block.iter().rposition(|byte| *byte == b'\n');
                last.map_or(0, |last| last + 1)
            }
            Err(source) => {
                self.failed = Some(source);
                0
            }
        };
        self.ahead = Cursor::new(block.split_off(end));
        self.by_line = match end {
            0 => self.ahead.get_ref().len(),
            _ => 0,
        };
        end > 0
    }

    /// Counts the lines of a block as read.
    pub(crate) fn passed(&mut self, lines: u64) {
        self.line += lines;
    }

    /// The block last read is to be read line by line.
    pub(crate) fn put_back(&mut self, block: &[u8]) {
        self.by_line = block.len();
        self.ahead = Cursor::new([block, self.ahead.get_ref()].concat());
    }

    /// Passes over an LF that belongs to the last line; false where what follows cannot be read.
    fn skip_lf(&mut self) -> bool {
        if !self.after_cr {
            return true;
        }
        match self.fill_buf().map(|available| available.first().copied()) {
            Ok(first) => {
                self.after_cr = false;
                if first == Some(b'\n') {
                    self.consume(1);
                }
                true
            }
            Err(source) => {
                self.failed = Some(source);
                false
            }
        }
    }

    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.is_ahead() {
            return self.ahead.fill_buf();
        }
        match self.failed.take() {
            Some(source) => Err(source),
            None => self.reader.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        if self.is_ahead() {
            self.ahead.consume(bytes);
            self.by_line = self.by_line.saturating_sub(bytes);
        } else {
            self.reader.consume(bytes);
        }
    }

    fn is_ahead(&self) -> bool {
        self.ahead.position() < self.ahead.get_ref().len() as u64
    }

    /// Puts the next line, without its end, into `line` and gives its number.
    pub(crate) fn next(
        &mut self,
        line: &mut String,
    ) -> std::result::Result<Option<u64>, DataError> {
        let mut bytes = std::mem::take(line).into_bytes();
        bytes.clear();
        if !self.next_bytes(&mut bytes)? {
            return Ok(None);
        }
        *line = String::from_utf8(bytes).map_err(|_| DataError::NotText {
            file: self.file.clone(),
            line: self.line,
        })?;
        Ok(Some(self.line))
    }

    /// False at the end.
    fn next_bytes(&mut self, line: &mut Vec<u8>) -> std::result::Result<bool, DataError> {
        let mut begun = false;
        loop {
            let after_cr = self.after_cr;
            let available = match self.fill_buf() {
                Ok(available) => available,
                Err(source) => return Err(explain(&self.file, self.line, source)),
            };
            if available.is_empty() {
                self.line += u64::from(begun);
                return Ok(begun);
            }
            if after_cr && available.starts_with(b"\n") {
                self.after_cr = false;
                self.consume(1);
                continue;
            }
            begun = true;
            let end = available
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'));
            line.extend_from_slice(&available[..end.unwrap_or(available.len())]);
            let ends_in_cr = end.is_some_and(|end| available[end] == b'\r');
            let used = end.map_or(available.len(), |end| end + 1);
            self.after_cr = ends_in_cr;
            self.consume(used);
            if line.len() > MAX_ROW_BYTES {
                return Err(DataError::RowTooLong {
                    file: self.file.clone(),
                    line: self.line + 1,
                    limit: MAX_ROW_BYTES,
                });
            }
            if end.is_some() {
                self.line += 1;
                return Ok(true);
            }
        }
    }
}

/// As UTF-8, without a byte order mark.
fn decoded<'a>(mut source: Box<dyn Read + 'a>) -> Result<Box<dyn Read + 'a>> {
    let mut start = Vec::with_capacity(LOOKED_AT);
    (&mut source)
        .take(LOOKED_AT as u64)
        .read_to_end(&mut start)?;
    let marked = |mark: &[u8]| start.starts_with(mark).then_some(mark.len());
    let little = marked(b"\xff\xfe").or_else(|| is_utf16(&start, 1).then_some(0));
    let big = marked(b"\xfe\xff").or_else(|| is_utf16(&start, 0).then_some(0));
    let skipped = marked(BOM).or(little).or(big).unwrap_or(0);
    start.drain(..skipped);
    let rest = Cursor::new(start).chain(source);
    Ok(match (little, big) {
        (Some(_), _) => Box::new(Utf16::new(rest, u16::from_le_bytes)),
        (_, Some(_)) => Box::new(Utf16::new(rest, u16::from_be_bytes)),
        _ => Box::new(rest),
    })
}

/// Whether every second byte, from `first` on, is the zero that it is in UTF-16 of plain ASCII,
/// and no other byte is.
fn is_utf16(start: &[u8], first: usize) -> bool {
    start.len() >= 8
        && start
            .iter()
            .enumerate()
            .all(|(place, byte)| (*byte == 0) == (place % 2 == first))
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    inner: BufReader<R>,
    unit: fn([u8; 2]) -> u16,
    /// Decoded and not yet read.
    ready: Cursor<Vec<u8>>,
}

impl<'a> Utf16<Chain<Cursor<Vec<u8>>, Box<dyn Read + 'a>>> {
    fn new(inner: Chain<Cursor<Vec<u8>>, Box<dyn Read + 'a>>, unit: fn([u8; 2]) -> u16) -> Self {
        Self {
            inner: BufReader::new(inner),
            unit,
            ready: Cursor::default(),
        }
    }
}

impl<R: Read> Utf16<R> {
    fn next_unit(&mut self) -> Result<Option<u16>> {
        let mut unit = [0; 2];
        if self.inner.read(&mut unit[..1])? == 0 {
            return Ok(None);
        }
        self.inner.read_exact(&mut unit[1..])?;
        Ok(Some((self.unit)(unit)))
    }

    /// Decodes some hundreds of characters.
    fn decode(&mut self) -> Result<()> {
        let mut text = String::new();
        while text.len() < 2048 {
            let Some(unit) = self.next_unit()? else { break };
            let mut units = vec![unit];
            if (0xd800..0xdc00).contains(&unit) {
                units.extend(self.next_unit()?);
            }
            let character = char::decode_utf16(units).next();
            match character {
                Some(Ok(character)) => text.push(character),
                _ => return Err(Error::new(ErrorKind::InvalidData, "not UTF-16 throughout")),
            }
        }
        self.ready = Cursor::new(text.into_bytes());
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.ready.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        self.decode()?;
        self.ready.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> std::result::Result<Vec<(u64, String)>, DataError> {
        let mut lines = Lines::new(Path::new("f"), Box::new(bytes))?;
        let (mut all, mut line) = (Vec::new(), String::new());
        while let Some(number) = lines.next(&mut line)? {
            all.push((number, line.clone()));
        }
        Ok(all)
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        lines(bytes)
            .unwrap()
            .into_iter()
            .map(|(_, text)| text)
            .collect()
    }

    #[test]
    fn lines_end_as_on_any_system() {
        assert_eq!(texts(b"a\nb\r\nc\rd"), ["a", "b", "c", "d"]);
        assert_eq!(texts(b"a\n\r\n\n"), ["a", "", ""]);
        assert_eq!(lines(b"a\r\n\r\nb").unwrap()[2], (3, "b".into()));
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn utf16_reads_like_utf8() {
        let text = "1\tTür 🚀\t5\r\n2\tb\t3\n";
        let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        let expected = texts(text.as_bytes());
        for (mark, bytes) in [
            (&b"\xff\xfe"[..], utf16(u16::to_le_bytes)),
            (b"\xfe\xff", utf16(u16::to_be_bytes)),
            (BOM, text.into()),
        ] {
            assert_eq!(texts(&[mark, &bytes].concat()), expected);
        }
        let plain: Vec<u8> = "1\t2\t5\n3\t4\t1\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(texts(&plain), ["1\t2\t5", "3\t4\t1"]);
        // Half a character at the end is damage.
        assert!(lines(&plain[..plain.len() - 1]).is_err());
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_is_held() {
        let endless = std::io::repeat(b'x').take(1 << 40);
        let mut lines = Lines::new(Path::new("f"), Box::new(endless)).unwrap();
        let next = lines.next(&mut String::new());
        assert!(matches!(next, Err(DataError::RowTooLong { line: 1, .. })));
    }
}
