//! The one file of an archive.

use std::fs::File;
use std::io::{BufReader, Cursor, Error, ErrorKind, Read, Result};
use std::path::Path;

use flate2::Crc;
use zip::{CompressionMethod, ZipArchive};

use super::explain;
use crate::DataError;

/// Where an archive's only file stands.
pub(super) struct Member {
    pub(super) packing: Packing,
    /// Offset of its first byte in the archive.
    pub(super) at: u64,
    /// How many bytes it takes there.
    pub(super) bytes: u64,
}

pub(super) enum Packing {
    Zip { deflated: bool, crc: u32 },
    Tar,
}

/// Names said of an archive with several files.
const NAMES_SAID: usize = 5;

/// The only file of a zip archive.
pub(super) fn zipped(file: &Path) -> std::result::Result<Member, DataError> {
    let refused = |kind: String, remedy| DataError::OtherKind {
        file: file.to_path_buf(),
        kind,
        remedy,
    };
    let damaged = |error| {
        explain(
            file,
            0,
            Error::new::<zip::result::ZipError>(ErrorKind::InvalidData, error),
        )
    };
    let opened = File::open(file).map_err(|source| explain(file, 0, source))?;
    let mut archive = ZipArchive::new(BufReader::new(opened)).map_err(damaged)?;
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<std::result::Result<_, _>>()
        .map_err(damaged)?;
    if names
        .iter()
        .any(|name| name == "[Content_Types].xml" || name.starts_with("xl/"))
    {
        let kind = "an Excel workbook (xlsx) or another Office document";
        return Err(refused(kind.into(), "save the sheet as CSV"));
    }
    if names
        .iter()
        .any(|name| name == "content.xml" || name == "META-INF/manifest.xml")
    {
        let kind = "an OpenDocument sheet or another package of documents";
        return Err(refused(kind.into(), "save the sheet as CSV"));
    }
    let is_file = |name: &String| !name.ends_with('/') && !name.starts_with("__MACOSX/");
    let files: Vec<String> = names.into_iter().filter(is_file).collect();
    let [only] = &files[..] else {
        return Err(several(file, "zip", &files));
    };
    let member = archive.by_name(only).map_err(damaged)?;
    if member.encrypted() {
        return Err(refused(
            "an encrypted zip archive".into(),
            "decrypt it first",
        ));
    }
    let deflated = match member.compression() {
        CompressionMethod::Stored => false,
        CompressionMethod::Deflated => true,
        other => {
            let kind = format!("a zip archive packed by {other}");
            return Err(refused(kind, "unpack it first"));
        }
    };
    let at = member.data_start().ok_or_else(|| {
        let error = Error::new(ErrorKind::InvalidData, "no data where the directory says");
        explain(file, 0, error)
    })?;
    Ok(Member {
        packing: Packing::Zip {
            deflated,
            crc: member.crc32(),
        },
        at,
        bytes: member.compressed_size(),
    })
}

/// The only file of a tar archive, which `start` and then `reader` give.
pub(super) fn tarred(
    file: &Path,
    reader: Box<dyn Read>,
    start: Vec<u8>,
) -> std::result::Result<Member, DataError> {
    let failed = |source| explain(file, 0, source);
    let mut archive = tar::Archive::new(Cursor::new(start).chain(reader));
    let (mut files, mut found) = (Vec::new(), None);
    for entry in archive.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // What macOS adds to every file of an archive.
        let added = name
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("._"));
        if kind.is_dir() || kind.is_pax_global_extensions() || added {
            continue;
        }
        files.push(name);
        if !kind.is_file() {
            return Err(several(file, "tar", &files));
        }
        found = Some(Member {
            packing: Packing::Tar,
            at: entry.raw_file_position(),
            bytes: entry.size(),
        });
        if files.len() > NAMES_SAID {
            break;
        }
    }
    match (found, files.len()) {
        (Some(member), 1) => Ok(member),
        _ => Err(several(file, "tar", &files)),
    }
}

fn several(file: &Path, archive: &str, names: &[String]) -> DataError {
    let shown: Vec<String> = names
        .iter()
        .take(NAMES_SAID)
        .map(|name| name.chars().take(60).collect())
        .collect();
    let kind = match names.len() {
        0 => format!("a {archive} archive without a file"),
        _ => format!(
            "a {archive} archive of other than one plain file ({} …)",
            shown.join(", ")
        ),
    };
    DataError::OtherKind {
        file: file.to_path_buf(),
        kind,
        remedy: "unpack it and give the one file that is meant",
    }
}

/// Ends in an error where the bytes are not those that were packed.
pub(super) struct Checked<R> {
    inner: R,
    crc: Crc,
    expected: u32,
}

impl<R> Checked<R> {
    pub(super) fn new(inner: R, expected: u32) -> Self {
        Self {
            inner,
            crc: Crc::new(),
            expected,
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(buffer)?;
        self.crc.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() && self.crc.sum() != self.expected {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "its checksum is another",
            ));
        }
        Ok(read)
    }
}
