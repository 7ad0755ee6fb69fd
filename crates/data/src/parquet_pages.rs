//! A look at every page of a Parquet file before any is decoded: the decoder reserves what a
//! page says of itself, and a few bytes can say anything.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;

use crate::DataError;
use crate::limits::Limits;

/// The largest page, decoded: a hundred times what writers make.
const MAX_PAGE_BYTES: u64 = 128 << 20;
/// No page's header nests deeper.
const MAX_DEPTH: u32 = 8;

/// Refuses pages of the `selected` columns that would become longer than `limits` allow, alone or
/// together, or than they say themselves.
pub(crate) fn check(
    file: &Path,
    metadata: &ParquetMetaData,
    selected: &[usize],
    limits: &Limits,
) -> std::result::Result<(), DataError> {
    let refused = |error: Error| match error.kind() {
        ErrorKind::FileTooLarge => DataError::TooLarge {
            file: file.to_path_buf(),
            limit: limits.bytes,
        },
        _ => DataError::BadParquet {
            file: file.to_path_buf(),
            row: 0,
            reason: error.to_string(),
        },
    };
    let schema = metadata.file_metadata().schema_descr();
    let mut opened = File::open(file).map_err(refused)?;
    let mut decoded = 0;
    for group in metadata.row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            if leaf >= schema.num_columns() || !selected.contains(&schema.get_column_root_idx(leaf))
            {
                continue;
            }
            let first = chunk
                .dictionary_page_offset()
                .unwrap_or(chunk.data_page_offset());
            let place = u64::try_from(first)
                .ok()
                .zip(u64::try_from(chunk.compressed_size()).ok());
            let (start, bytes) = place.ok_or_else(|| refused(bad("a column has no place")))?;
            let packing = chunk.compression();
            let mut at = start;
            while at < start.saturating_add(bytes) {
                let (page, header) = Page::read(&mut opened, at).map_err(refused)?;
                page.check().map_err(refused)?;
                decoded += page.decoded;
                if decoded > limits.bytes {
                    return Err(refused(ErrorKind::FileTooLarge.into()));
                }
                page.measure(packing, &mut opened, at + header)
                    .map_err(refused)?;
                at = at.saturating_add(header + page.stored);
            }
        }
    }
    Ok(())
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

/// What the header of a page says.
#[derive(Debug, Default)]
struct Page {
    /// Bytes in the file.
    stored: u64,
    /// Bytes once decompressed.
    decoded: u64,
    /// Entries of a dictionary.
    entries: u64,
    /// Levels before the compressed part of a page of the second version.
    levels: u64,
    is_compressed: bool,
}

impl Page {
    /// The page whose header begins at `at`, and the bytes that the header takes.
    fn read(file: &mut File, at: u64) -> Result<(Self, u64)> {
        file.seek(SeekFrom::Start(at))?;
        let mut header = Thrift {
            inner: BufReader::with_capacity(512, file),
            read: 0,
        };
        let mut page = Self {
            is_compressed: true,
            ..Self::default()
        };
        let mut field = 0;
        while let Some(kind) = header.field(&mut field)? {
            match (field, kind) {
                (2, Thrift::I32) => page.decoded = header.size()?,
                (3, Thrift::I32) => page.stored = header.size()?,
                (7 | 8, Thrift::STRUCT) => page.read_details(field == 8, &mut header)?,
                _ => header.skip(kind, MAX_DEPTH)?,
            }
        }
        Ok((page, header.read))
    }

    fn read_details(&mut self, second_version: bool, header: &mut Thrift<'_>) -> Result<()> {
        let mut field = 0;
        while let Some(kind) = header.field(&mut field)? {
            match (field, kind) {
                (1, Thrift::I32) if !second_version => self.entries = header.size()?,
                (5 | 6, Thrift::I32) if second_version => self.levels += header.size()?,
                (7, Thrift::FALSE) if second_version => self.is_compressed = false,
                _ => header.skip(kind, MAX_DEPTH)?,
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.decoded > MAX_PAGE_BYTES {
            return Err(bad(
                "a page says that it is longer than any writer makes one",
            ));
        }
        if self.entries > self.decoded || self.levels > self.stored {
            return Err(bad("a page says that it holds more than fits into it"));
        }
        Ok(())
    }

    /// Decodes what begins at `at` once for nothing, where the decoder would go on without regard to
    /// what the header says: gzip, and lz4 in frames, which stands under the name of Hadoop's lz4.
    fn measure(&self, packing: Compression, file: &mut File, at: u64) -> Result<()> {
        if !self.is_compressed || self.decoded <= self.levels {
            return Ok(());
        }
        let expected = self.decoded - self.levels;
        file.seek(SeekFrom::Start(at + self.levels))?;
        let stored = file.take(self.stored - self.levels);
        let measured = |decoder: &mut dyn Read| {
            std::io::copy(&mut decoder.take(expected + 1), &mut std::io::sink())
        };
        let is_longer = match packing {
            Compression::GZIP(_) => measured(&mut MultiGzDecoder::new(stored))? != expected,
            // What is no frame, or a broken one, ends before it is longer.
            Compression::LZ4 => measured(&mut FrameDecoder::new(BufReader::new(stored)))
                .is_ok_and(|length| length > expected),
            _ => false,
        };
        match is_longer {
            false => Ok(()),
            true => Err(bad("a page is not as long as it says")),
        }
    }
}

/// Thrift's compact protocol, as far as headers of pages need it.
struct Thrift<'a> {
    inner: BufReader<&'a mut File>,
    read: u64,
}

impl Thrift<'_> {
    const TRUE: u8 = 1;
    const FALSE: u8 = 2;
    const I32: u8 = 5;
    const STRUCT: u8 = 12;

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.inner.read_exact(&mut byte)?;
        self.read += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(bad("a number of a page's header is too long"))
    }

    /// A 32-bit number that is not negative.
    fn size(&mut self) -> Result<u64> {
        let zigzag = self.varint()?;
        match zigzag % 2 {
            0 => Ok(zigzag / 2),
            _ => Err(bad("a size of a page is negative")),
        }
    }

    /// The type of the next field, whose number replaces `last`; none at the end.
    fn field(&mut self, last: &mut u64) -> Result<Option<u8>> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        *last = match u64::from(header >> 4) {
            0 => self.size()?,
            delta => last.saturating_add(delta),
        };
        Ok(Some(header & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Result<()> {
        let deeper = depth
            .checked_sub(1)
            .ok_or_else(|| bad("a page's header is too deep"))?;
        match kind {
            Self::TRUE | Self::FALSE => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => self.skip_bytes(8)?,
            8 => {
                let bytes = self.varint()?;
                self.skip_bytes(bytes)?;
            }
            9 | 10 => {
                let header = self.byte()?;
                let elements = match header >> 4 {
                    15 => self.varint()?,
                    elements => u64::from(elements),
                };
                for _ in 0..elements {
                    match header & 0x0f {
                        // In a list, a truth value takes a byte.
                        Self::TRUE | Self::FALSE => drop(self.byte()?),
                        kind => self.skip(kind, deeper)?,
                    }
                }
            }
            Self::STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, deeper)?;
                }
            }
            _ => return Err(bad("a page's header is damaged")),
        }
        Ok(())
    }

    fn skip_bytes(&mut self, bytes: u64) -> Result<()> {
        let skipped = std::io::copy(&mut (&mut self.inner).take(bytes), &mut std::io::sink())?;
        self.read += skipped;
        match skipped == bytes {
            true => Ok(()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use lz4_flex::frame::FrameEncoder;

    use super::*;

    /// A file of these bytes.
    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
        bytes
    }

    /// The header of a dictionary page: type, both sizes, entries.
    fn header(decoded: u64, stored: u64, entries: u64) -> Vec<u8> {
        let number = |value: u64| [vec![0x15], varint(value * 2)].concat();
        let dictionary = [vec![0x4c], number(entries), vec![0]].concat();
        [
            number(2),
            number(decoded),
            number(stored),
            dictionary,
            vec![0],
        ]
        .concat()
    }

    #[test]
    fn sizes_are_read_and_held_to_sense() {
        let bytes = header(100, 40, 9);
        let (page, read) = Page::read(&mut file(&bytes), 0).unwrap();
        assert_eq!((page.decoded, page.stored, page.entries), (100, 40, 9));
        assert_eq!(read, bytes.len() as u64);
        page.check().unwrap();
        for (decoded, entries) in [(MAX_PAGE_BYTES + 1, 1), (100, 101), (1 << 30, 1 << 31)] {
            let bytes = header(decoded, 40, entries);
            let (page, _) = Page::read(&mut file(&bytes), 0).unwrap();
            assert!(page.check().is_err(), "{decoded} {entries}");
        }
    }

    #[test]
    fn damaged_headers_end_in_errors() {
        let negative = [0x15, 1, 0x15, 1, 0];
        let endless_lists = [0x19_u8; 64];
        let endless_number = [&[0x15][..], &[0xff; 12]].concat();
        let long_name = [&[0x18][..], &varint(1 << 40), b"x"].concat();
        for bytes in [
            &negative[..],
            &endless_lists,
            &endless_number,
            &long_name,
            &[0x1f],
            &[],
        ] {
            assert!(Page::read(&mut file(bytes), 0).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_gzipped_page_is_as_long_as_it_says() {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; 1 << 20]).unwrap();
        let packed = gzip.finish().unwrap();
        let stored = packed.len() as u64;
        for (decoded, good) in [(1 << 20, true), (1000, false), (2 << 20, false)] {
            let bytes = [header(decoded, stored, 1), packed.clone()].concat();
            let mut file = file(&bytes);
            let (page, read) = Page::read(&mut file, 0).unwrap();
            let gzip = Compression::GZIP(Default::default());
            let measured = page.measure(gzip, &mut file, read);
            assert_eq!(measured.is_ok(), good, "{decoded}");
        }
    }

    #[test]
    fn frames_of_lz4_are_no_longer_than_they_say() {
        let mut frame = FrameEncoder::new(Vec::new());
        frame.write_all(&vec![0; 1 << 20]).unwrap();
        let whole = frame.finish().unwrap();
        let torn = [&whole[..whole.len() - 5], &[0xff; 5]].concat();
        for (packed, decoded, good) in [
            (&whole, 1 << 20, true),
            (&whole, 1000, false),
            (&torn, 1000, false),
            // Neither of them a frame, so that the decoder heeds the header.
            (&torn[4..].to_vec(), 1000, true),
            (&vec![0; 9], 1000, true),
        ] {
            let bytes = [header(decoded, packed.len() as u64, 1), packed.clone()].concat();
            let mut file = file(&bytes);
            let (page, read) = Page::read(&mut file, 0).unwrap();
            let measured = page.measure(Compression::LZ4, &mut file, read);
            assert_eq!(measured.is_ok(), good, "{decoded}");
        }
    }
}
