//! What a file is, by its first bytes: names lie, and a wrong kind reads as nonsense.

/// How many first bytes are looked at: tar's mark is the last, at byte 257.
pub(crate) const LOOKED_AT: usize = 512;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    Zip,
    Tar,
    Parquet,
    /// Anything that is nothing else.
    Text,
    /// Known, and not read here: what it is, and what to do instead.
    Other(&'static str, &'static str),
}

const SAVE_AS_CSV: &str = "save the sheet as CSV";
const EXPORT: &str = "export it as CSV, TSV or Parquet";
const UNPACK: &str = "unpack it first, or pack it with gzip, zstd, xz or bzip2";

/// First bytes, and what they mean.
const KINDS: [(&[u8], Kind); 25] = [
    (&[0x1f, 0x8b], Kind::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Kind::Zstd),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Kind::Xz),
    (b"BZh", Kind::Bzip2),
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"PAR1", Kind::Parquet),
    (
        &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1],
        Kind::Other("an old Excel workbook (xls)", SAVE_AS_CSV),
    ),
    (b"7z\xbc\xaf\x27\x1c", Kind::Other("a 7z archive", UNPACK)),
    (b"Rar!\x1a\x07", Kind::Other("a RAR archive", UNPACK)),
    (
        &[0x04, 0x22, 0x4d, 0x18],
        Kind::Other("an lz4 file", UNPACK),
    ),
    (
        &[0x1f, 0x9d],
        Kind::Other("a file of compress (.Z)", UNPACK),
    ),
    (b"LZIP", Kind::Other("an lzip file", UNPACK)),
    (
        b"SQLite format 3\0",
        Kind::Other("an SQLite database", EXPORT),
    ),
    (b"\x89HDF\r\n\x1a\n", Kind::Other("an HDF5 file", EXPORT)),
    (b"\x93NUMPY", Kind::Other("a NumPy array", EXPORT)),
    (b"ARROW1", Kind::Other("an Arrow or Feather file", EXPORT)),
    (b"ORC", Kind::Other("an ORC file", EXPORT)),
    (b"Obj\x01", Kind::Other("an Avro file", EXPORT)),
    (b"MATLAB 5.0 MAT-file", Kind::Other("a MATLAB file", EXPORT)),
    (
        b"RDX3\n",
        Kind::Other(
            "an R workspace",
            "write it with write.csv(…, row.names = FALSE)",
        ),
    ),
    (
        b"X\n\0\0\0",
        Kind::Other(
            "an R object (rds)",
            "write it with write.csv(…, row.names = FALSE)",
        ),
    ),
    (b"%PDF-", Kind::Other("a PDF document", EXPORT)),
    (
        b"%%MatrixMarket",
        Kind::Other(
            "a MatrixMarket matrix",
            "write one row of ids for each entry, without the line of sizes",
        ),
    ),
    (
        b"version https://git-lfs",
        Kind::Other(
            "a pointer of Git LFS, not the file itself",
            "fetch it with git lfs pull",
        ),
    ),
];

/// Pickle's protocols 2 to 5 begin so, and no text does.
fn is_pickle(start: &[u8]) -> bool {
    matches!(start, [0x80, 2..=5, ..])
}

/// What begins like this.
pub(crate) fn of(start: &[u8]) -> Kind {
    let known = KINDS.iter().find(|(magic, _)| start.starts_with(magic));
    if let Some((magic, kind)) = known {
        // Three letters alone also begin a text.
        let is_bzip2 = start.get(3).is_some_and(u8::is_ascii_digit)
            && start
                .get(4..6)
                .is_some_and(|mark| mark == [0x31, 0x41] || mark == [0x17, 0x72]);
        let is_orc =
            start.len() > 3 && !start[3].is_ascii_graphic() && !start[3].is_ascii_whitespace();
        let certain = match *magic {
            b"BZh" => is_bzip2,
            b"ORC" => is_orc,
            _ => true,
        };
        if certain {
            return *kind;
        }
    }
    if start.get(257..262) == Some(b"ustar") {
        return Kind::Tar;
    }
    if is_pickle(start) {
        return Kind::Other("a Python pickle", EXPORT);
    }
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let begins = |with: &str| {
        text.get(..with.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(with))
    };
    if begins("<!doctype html") || begins("<html") {
        return Kind::Other(
            "a web page (perhaps of a download that failed)",
            "fetch the file itself",
        );
    }
    if begins("<?xml") {
        return Kind::Other("an XML document", EXPORT);
    }
    if text.starts_with('[') && text[1..].trim_start().starts_with('{') {
        return Kind::Other("a JSON array", "write one object a line (jq -c '.[]')");
    }
    if begins("{'") || begins("{u'") {
        return Kind::Other(
            "Python dictionaries, not JSON",
            "write each with json.dumps",
        );
    }
    Kind::Text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_begin_like_other_kinds_stay_texts() {
        for text in [
            "BZhang\ti1\t5\n",
            "ORCA\ti1\t3\n",
            "PK12,i1,3",
            "[u1],i1,3",
            "<u1>\ti\t3",
            "{0f-9}\ti\t3",
        ] {
            assert_eq!(of(text.as_bytes()), Kind::Text, "{text}");
        }
        assert_eq!(of(b"BZh91AY&SY"), Kind::Bzip2);
        assert!(
            matches!(of(b"\xef\xbb\xbf<!DOCTYPE HTML>"), Kind::Other(what, _) if what.contains("web page"))
        );
        assert!(matches!(
            of(b"[ {\"user\": 1}]"),
            Kind::Other("a JSON array", _)
        ));
    }
}
